"""Bringing grades to LMSs: claim what is due, send, record how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from lti_bridge.core.ports import Gradebook, Outcome, Store
from lti_bridge.core.records import Delivery
from lti_bridge.errors import BridgeError, DeliveryRefused

log = logging.getLogger("lti_bridge.passback")

# Seconds until the next try, after the 1st, 2nd, … failed one; the last one repeats.
DELAYS_S = (2, 5, 15, 60, 300, 1200, 3600, 7200, 14400)
GIVE_UP_AFTER = 200  # tries: about a month, then a person has to look
LEASE_S = 90.0  # longer than any one delivery can take, see net.py's timeouts
BATCH = 32


@dataclass(frozen=True, slots=True)
class Passback:
    """Delivers due grades. `spread` returns a number in 0..1 for the jitter of retries."""

    store: Store
    gradebook: Gradebook
    clock: Callable[[], datetime]
    spread: Callable[[], float]

    def deliver_due(self, pool: ThreadPoolExecutor) -> int:
        """Deliver everything that is due now; returns how many deliveries were tried."""
        tried = 0
        while claimed := self.store.claim_deliveries(self.clock(), LEASE_S, BATCH):
            list(pool.map(self.deliver, claimed))
            tried += len(claimed)
        return tried

    def deliver(self, delivery: Delivery) -> None:
        """Send one claimed grade and record how it went; raises nothing."""
        started = self.clock()
        try:
            self.gradebook.deliver(delivery)
            outcome = Outcome("delivered")
        except DeliveryRefused as error:
            outcome = Outcome("refused", error=error.detail or error.code)
        except BridgeError as error:
            outcome = self._failed(delivery, error.detail or error.code)
        except Exception as error:
            log.exception("grade.delivery-broke", extra={"grade": delivery.grade_id})
            outcome = self._failed(delivery, type(error).__name__)
        now = self.clock()
        self.store.settle(delivery, now, outcome)
        log.info(
            f"grade.{outcome.state}",
            extra={
                "grade": delivery.grade_id,
                "registration": delivery.registration,
                "try": delivery.tries + 1,
                "reason": outcome.error,
                "ms": (now - started) // timedelta(milliseconds=1),
            },
        )

    def _failed(self, delivery: Delivery, reason: str) -> Outcome:
        if delivery.tries + 1 >= GIVE_UP_AFTER:
            return Outcome("waiting", error=reason)
        seconds = DELAYS_S[min(delivery.tries, len(DELAYS_S) - 1)]
        wait = timedelta(seconds=seconds * (0.75 + 0.5 * self.spread()))
        return Outcome("pending", due_at=self.clock() + wait, error=reason)
