"""While an LMS is slow, the leases of what is on its way to it are renewed, but not always."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from lti_bridge.core.grade.deliveries import LEASE_S, Passback
from lti_bridge.core.grade.gradebook import Outcome, Receipt
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import Delivery

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HALF = Score(Decimal(1), Decimal(2))
DUE = Delivery("g", 1, HALF, "campus", "1", "4", GradeTarget(), NOW, tries=0, lease="l")


@dataclass
class Slow:
    """An LMS that answers when it is let go."""

    go: threading.Event = field(default_factory=threading.Event)

    def deliver(self, delivery: Delivery) -> Receipt:
        assert self.go.wait(60)
        return Receipt()

    def readable(self, delivery: Delivery) -> bool:
        return False


@dataclass
class Rows:
    """One grade that is due. Whenever more are looked for, a ninth of the lease is over."""

    slow: Slow
    now: datetime = NOW
    asked: int = 0
    renewed: list[tuple[int, list[Delivery]]] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)

    def deliveries_due(self) -> dict[str, datetime]:
        self.asked += 1
        self.now += timedelta(seconds=LEASE_S / 9)
        if self.asked == 12:
            self.slow.go.set()
        return {"campus": NOW} if self.asked == 1 else {}

    def claim_deliveries(
        self, registration: str, now: datetime, lease_s: float, limit: int
    ) -> list[Delivery]:
        return [DUE]

    def renew_leases(
        self, deliveries: list[Delivery], now: datetime, lease_s: float
    ) -> list[Delivery]:
        self.renewed.append((self.asked, deliveries))
        return deliveries

    def settle(self, delivery: Delivery, now: datetime, outcome: Outcome) -> None:
        self.settled.append(outcome)


def test_leases_are_renewed_when_a_third_of_them_is_over() -> None:
    slow = Slow()
    rows = Rows(slow)
    passback = Passback(rows, slow, lambda: rows.now, lambda: 0.5)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        assert passback.deliver_due(pool) == 1
    assert rows.renewed[:2] == [(4, [DUE]), (8, [DUE])]
    assert [one.state for one in rows.settled] == ["delivered"]
