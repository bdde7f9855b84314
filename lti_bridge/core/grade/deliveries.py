"""Bringing grades to LMSs: claim what is due, send, record how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lti_bridge.core.grade import read_back
from lti_bridge.core.grade.gradebook import Gradebook, Outcome, View
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.journal.hop import Hop, failed
from lti_bridge.core.journal.journal import NO_JOURNAL, Journal
from lti_bridge.core.lanes import Lanes
from lti_bridge.core.observer import NOBODY, Observer
from lti_bridge.core.rates import Rates
from lti_bridge.core.records import Delivery
from lti_bridge.core.store import Store
from lti_bridge.errors import (
    BridgeError,
    DeliveryConflict,
    DeliveryHeld,
    DeliveryRefused,
    LmsAway,
    LmsBusy,
)

log = logging.getLogger("lti_bridge.passback")

# Seconds until the next try, after the 1st, 2nd, … failed one; the last one repeats.
DELAYS_S = (2, 5, 15, 60, 300, 1200, 3600, 7200, 14400)
GIVE_UP_AFTER = 200  # tries: about a month, then a person has to look
LEASE_S = 10.0  # what a killed worker held waits this long; a living one renews its leases
LEASE = timedelta(seconds=LEASE_S)
HELD = timedelta(seconds=1)  # until another worker has probably done what is needed first
# Until a grade is tried again that found its LMS away, or busy: its lane says how many are tried
# meanwhile, and it comes soon after the LMS does.
AWAY_S = 3.0
# A value of a teacher's may be there: how long, and how often, we wait until we can see.
UNREADABLE_FOR = timedelta(hours=1)
UNREADABLE = timedelta(minutes=1)
OVERRIDDEN = "the LMS shows a grade that is not from here: resend with --force, or wait"
# The LMS has listed the learner as gone since it last let them in: how long until another look.
DEPARTED_FOR = timedelta(days=1)
LEASE_OVER = "the worker was stopped for longer than its lease: nothing was sent"
SHARED = (
    "the LMS has one place in its gradebook for this link and for another one, where this learner"
    " has a grade: it was not overwritten"
)
DEPARTED = "the LMS lists this learner as no longer active in the course"


@dataclass(frozen=True, slots=True)
class Passback:
    """Delivers due grades. `spread` returns a number in 0..1 for the jitter of retries.

    `keeps` says for a registration and an activity whether a teacher's value stays; `mark` is what
    the log has of a cell and the value it was sent.
    """

    store: Store
    gradebook: Gradebook
    clock: Callable[[], datetime]
    spread: Callable[[], float]
    keeps: Callable[[str, str], bool] = lambda registration, activity_id: True
    observer: Observer = NOBODY
    mark: Callable[[str, Score], str] = lambda grade_id, score: ""
    rates: Rates = field(default_factory=Rates)
    journal: Journal = NO_JOURNAL
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        made = Lanes(self.clock, self.spread, "registration", rates=self.rates)
        object.__setattr__(self, "lanes", made)

    def deliver_due(self, pool: ThreadPoolExecutor) -> int:
        """Deliver everything that is due now; returns how many deliveries were tried."""
        leases = _Leases(self.store, self.clock)
        return self.lanes.run(
            pool,
            self.store.deliveries_due,
            leases.claim,
            lambda delivery: self.deliver(delivery, leases.holds),
            meanwhile=leases.renew,
        )

    def next_due(self) -> datetime | None:
        """When there is a grade to bring somewhere next; None: there is none."""
        return self.lanes.next_time(self.store.deliveries_due())

    def deliver(
        self, delivery: Delivery, holds: Callable[[Delivery], bool] = lambda delivery: True
    ) -> None:
        """Send one claimed grade and record how it went; raises nothing.

        `holds` says whether its lease lasts, as far as this process knows: else nothing is sent.
        """
        with self.journal.hop("delivery", **_facts(delivery)) as hop:
            self._deliver_one(delivery, holds, hop)

    def _deliver_one(self, delivery: Delivery, holds: Callable[[Delivery], bool], hop: Hop) -> None:
        started = self.clock()
        outcome = self._tried(delivery, holds)
        _tell(hop, delivery, outcome)
        now = self.clock()
        back = outcome.state == "delivered" and self.lanes.served(delivery.registration)
        try:
            self.store.settle(delivery, now, outcome)
        except Exception:
            # the lease ends by itself, and then the same grade is sent with the same stamp
            log.exception("grade.unsettled", extra={"grade": delivery.grade_id})
            return
        self.observer.delivered(
            delivery.registration, outcome.state, (now - started).total_seconds()
        )
        log.info(
            f"grade.{outcome.state}",
            extra={
                "grade": delivery.grade_id,
                "registration": delivery.registration,
                "try": delivery.tries + 1,
                "reason": outcome.error,
                "ms": (now - started) // timedelta(milliseconds=1),
                "mark": self.mark(delivery.grade_id, delivery.score) if delivery.score else "",
            },
        )
        if back:
            self._wake(delivery.registration)

    def _wake(self, registration: str) -> None:
        """One success after a time without any wakes all that waits for this LMS."""
        try:
            self.store.wake_deliveries(registration, self.clock())
        except Exception:  # they come by themselves, only later
            log.exception("grade.not-woken", extra={"registration": registration})

    def _tried(self, delivery: Delivery, holds: Callable[[Delivery], bool]) -> Outcome:
        """How a try ended."""
        try:
            return self._deliver(delivery, holds)
        except DeliveryHeld as error:  # the LMS was not asked
            return Outcome("pending", self.clock() + HELD, error.detail, count_try=False)
        except BridgeError as error:
            failed(error)
            self.lanes.heard(delivery.registration, error)
            return self._refused(delivery, error)
        except Exception as error:
            log.exception("grade.delivery-broke", extra={"grade": delivery.grade_id})
            return replace(self._failed(delivery, type(error).__name__), unanswered=True)

    def _refused(self, delivery: Delivery, error: BridgeError) -> Outcome:
        """How a try ended that ended with this error."""
        reason = error.detail or error.code
        unanswered = not isinstance(error, LmsBusy) and getattr(error, "sent", True)
        if isinstance(error, DeliveryConflict):
            return Outcome("pending", self.clock(), reason, later_stamp=True)
        if isinstance(error, DeliveryRefused):
            return Outcome("refused", error=reason)
        if isinstance(error, LmsAway | LmsBusy):
            # where others have failed before, for the same reason, this one has failed nothing
            counts = isinstance(error, LmsAway) and not self.lanes.is_away(delivery.registration)
            due_at = self._soon()
            return Outcome("pending", due_at, reason, count_try=counts, unanswered=unanswered)
        return replace(self._failed(delivery, reason), unanswered=unanswered)

    def _deliver(self, delivery: Delivery, holds: Callable[[Delivery], bool]) -> Outcome:
        if delivery.departed and not delivery.forced:
            return Outcome("pending", self.clock() + DEPARTED_FOR, DEPARTED, count_try=False)
        if delivery.shared and not delivery.forced:
            return Outcome("refused", error=SHARED, count_try=False)
        keep = self.keeps(delivery.registration, delivery.activity_id) and not delivery.forced
        if delivery.awaiting:  # whoever sends such a word has to know
            delivery = replace(delivery, keep=keep)
        readable = self.gradebook.readable(delivery)
        # word of marks to come must not wipe a teacher's value, nor the marks one that was seen
        if readable and (delivery.delivered_before or delivery.awaiting or delivery.reads):
            try:
                shown = self.gradebook.read(delivery)
            except DeliveryRefused:
                readable = False
            except BridgeError as error:
                self.lanes.heard(delivery.registration, error)
                if keep and self.clock() < delivery.stamp + UNREADABLE_FOR:
                    soon = isinstance(error, LmsAway | LmsBusy)
                    due_at = self._soon() if soon else self.clock() + UNREADABLE
                    return Outcome("pending", due_at, error.detail, count_try=False)
            else:
                self.lanes.answered(delivery.registration)
                if keep and not read_back.is_ours(delivery, shown):
                    return self._overridden(delivery, read_back.text_of(shown))
                delivery = replace(delivery, comment=read_back.plain_text(shown.comment))
        if not holds(delivery):
            return Outcome("pending", self.clock(), LEASE_OVER, count_try=False)
        self.gradebook.deliver(delivery)
        read_at = read_back.next_look(0, self.clock(), self.spread) if readable else None
        return Outcome("delivered", read_at=read_at)

    def _overridden(self, delivery: Delivery, shown: str) -> Outcome:
        again = read_back.while_waiting(delivery.reads, self.clock())
        self.store.note_shown(delivery, self.clock(), View(shown, True, again))
        return Outcome("waiting", error=OVERRIDDEN)

    def _soon(self) -> datetime:
        return self.clock() + timedelta(seconds=AWAY_S * (0.75 + 0.5 * self.spread()))

    def _failed(self, delivery: Delivery, reason: str) -> Outcome:
        if delivery.tries + 1 >= GIVE_UP_AFTER:
            return Outcome("waiting", error=reason)
        seconds = DELAYS_S[min(delivery.tries, len(DELAYS_S) - 1)]
        wait = timedelta(seconds=seconds * (0.75 + 0.5 * self.spread()))
        return Outcome("pending", due_at=self.clock() + wait, error=reason)


def _facts(delivery: Delivery) -> dict[str, str | bool]:
    """What a trace has of a delivery."""
    return {
        "registration": delivery.registration,
        "activity": delivery.activity_id,
        "grade": delivery.grade_id,
        "proved": True,
    }


def _tell(hop: Hop, delivery: Delivery, outcome: Outcome) -> None:
    """How a try ended. What is only put off, and sent nothing, is no hop."""
    hop.kept = outcome.count_try or bool(hop.calls) or outcome.state != "pending"
    score = delivery.score
    value = f"{score.given}/{score.maximum}" if score else delivery.awaiting or "no grade"
    hop.said = f"{value}, try {delivery.tries + 1}: {outcome.state}"
    if outcome.state != "delivered" and not hop.code:
        hop.code, hop.detail = outcome.state, outcome.error


class _Leases:
    """The leases of what is under way: renewed in good time, and known to be over.

    A process that was stopped sends nothing afterwards for which another one has the lease.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self.store, self.clock, self.renewed = store, clock, clock()
        self._until: dict[str, datetime] = {}

    def claim(self, lms: str, limit: int) -> Sequence[Delivery]:
        """Lease so many grades of an LMS."""
        now = self.clock()
        claimed = self.store.claim_deliveries(lms, now, LEASE_S, limit)
        self._until.update(dict.fromkeys((one.lease for one in claimed), now + LEASE))
        return claimed

    def renew(self, under_way: Sequence[Delivery]) -> None:
        """Let the leases of what is under way last, if it is time for that."""
        now = self.clock()
        if (now - self.renewed).total_seconds() > LEASE_S / 3:
            still = self.store.renew_leases(list(under_way), now, LEASE_S)
            # at once, for threads that are about to send look at it meanwhile
            self._until = dict.fromkeys((one.lease for one in still), now + LEASE)
            self.renewed = now

    def holds(self, delivery: Delivery) -> bool:
        """Whether nobody else can have this lease yet."""
        until = self._until.get(delivery.lease)
        return until is not None and self.clock() < until
