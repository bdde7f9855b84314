"""What is bought is counted, and the operator hears of it before anybody is refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from lti_bridge.core.attempt import purchases
from lti_bridge.core.attempt.capabilities import COSTS
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.records import Purchase
from lti_bridge.core.tool.launches import Origin
from lti_bridge.errors import DailyLimitReached

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BY = Origin("learner", "campus", "1", "course")


@dataclass
class Ledger:
    """Counts as the store does, up to the limit that each purchase names."""

    written: list[Purchase] = field(default_factory=list)

    def buy(self, purchase: Purchase) -> int | None:
        if 0 < purchase.daily_limit <= len(self.written):
            return None
        self.written.append(purchase)
        return len(self.written)


def connection(**more: Any) -> Connection:
    return Connection("shop", "demo", None, capabilities=frozenset({COSTS}), **more)  # type: ignore[arg-type]


def buy(ledger: Ledger, at: Connection, count: int) -> None:
    for number in range(count):
        purchases.buy(ledger, at, f"a{number}", BY, NOW)  # type: ignore[arg-type]


def test_the_operator_is_told_once_at_four_fifths_of_the_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="lti_bridge.purchases"):
        buy(ledger := Ledger(), connection(daily_limit=5), 5)
        (near,) = caplog.records
        assert (near.getMessage(), near.levelname) == ("purchases.near-limit", "WARNING")
        said = {name: getattr(near, name) for name in ("connection", "registration", "size")}
        assert said == {"connection": "shop", "registration": "campus", "size": 5}
        assert near.__dict__["count"] == 4
        with pytest.raises(DailyLimitReached, match="campus has bought 5 at shop today"):
            buy(ledger, connection(daily_limit=5), 1)
    assert caplog.messages == ["purchases.near-limit", "purchases.limit-reached"]
    assert ledger.written[0] == Purchase("a0", "shop", "campus", "1", "course", NOW, 5)


def test_a_connection_that_names_no_limit_has_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="lti_bridge.purchases"):
        buy(ledger := Ledger(), connection(), 3)
    assert [one.daily_limit for one in ledger.written] == [0, 0, 0]
    assert caplog.messages == []


def test_what_costs_nothing_is_not_written_down() -> None:
    free = Connection("free", "demo", None, daily_limit=1)  # type: ignore[arg-type]
    buy(ledger := Ledger(), free, 3)
    assert ledger.written == []
