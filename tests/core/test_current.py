"""Which attempt a click begins, where the activity allows only so many."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lti_bridge.core.attempt import current
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.records import Activity, Adjustment, Attempt, Begun, Link
from lti_bridge.errors import NoAttemptsLeft

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LAUNCH = Launch("campus", "1.3", Once("n", "1", NOON), NOON)
LINK = Link("link-1", "a")
OVER = Begun(LINK, "learner-1", 1, "a", NOON, "", "", "", "graded")
ONE = Activity("a", "A test", "shop", None, attempts=1)


@dataclass
class Rows:
    """One learner, who has made these attempts and was given so many more."""

    made: list[Begun] = field(default_factory=list)
    more: int = 0
    asked: int = 0

    def open_attempt(self, link_id: str, learner_id: str) -> None:
        return None

    def begun(self, launch: Launch, link_id: str, learner_id: str) -> list[Begun]:
        return self.made

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        self.asked += 1
        return Adjustment(extra_attempts=self.more)

    def scores(self, link_id: str, learner_id: str) -> list[Any]:
        return []

    def create_attempt(self, attempt: Attempt, now: datetime) -> Attempt:
        return attempt


def click(rows: Rows, activity: Activity = ONE, number: int = 0) -> Opened:
    shop = Connection("shop", "demo", None)  # type: ignore[arg-type]
    opened = Opened("l1", LAUNCH, activity, shop, LINK, "learner-1")
    return current.attempt(rows, opened, NOON, number, lambda: "new")  # type: ignore[arg-type]


def test_who_was_given_another_attempt_may_begin_it() -> None:
    asked = click(Rows([OVER], more=1)).again
    assert asked is not None
    assert (asked.number, asked.allowed, asked.refusal) == (2, 2, None)
    begun = click(Rows([OVER], more=1), number=2).attempt
    assert begun is not None
    assert begun.number == 2


def test_who_was_given_none_may_not() -> None:
    asked = click(Rows([OVER]), number=2).again
    assert asked is not None
    assert isinstance(asked.refusal, NoAttemptsLeft)


def test_nobody_looks_for_more_where_there_is_no_limit() -> None:
    rows = Rows([OVER])
    begun = click(rows, replace(ONE, attempts=0), number=2).attempt
    assert begun is not None
    assert (begun.number, rows.asked) == (2, 0)
