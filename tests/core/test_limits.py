"""When a learner may begin one more attempt: times, numbers and pauses, at their very edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lti_bridge.core.attempt.limits import check_start
from lti_bridge.core.records import Activity, Adjustment
from lti_bridge.errors import NoAttemptsLeft, NotAvailable, NotOpen, TooSoon

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def refusal(
    *,
    made: int = 0,
    more: int = 0,
    last: datetime | None = None,
    at: datetime = NOON,
    **limits: Any,
) -> type[NotAvailable] | None:
    """How one more attempt is refused, if it is."""
    try:
        check_start(Activity("a", "A test", "c", None, **limits), Adjustment(more), made, last, at)
    except NotAvailable as refused:
        return type(refused)
    return None


def test_without_limits_nobody_is_refused() -> None:
    assert refusal(made=1000, last=NOON) is None


def test_a_test_opens_and_closes_at_its_moments() -> None:
    opens, closes = NOON, NOON + timedelta(hours=1)
    open_for = {"opens_at": opens, "closes_at": closes}
    moments = (opens - TICK, opens, opens + TICK, closes - TICK, closes, closes + TICK)
    assert [refusal(at=one, **open_for) for one in moments] == [
        *(NotOpen, None, None),
        *(None, NotOpen, NotOpen),
    ]


@pytest.mark.parametrize(
    ("made", "more", "refused"),
    [
        (1, 0, None),
        (2, 0, NoAttemptsLeft),
        (3, 0, NoAttemptsLeft),  # fewer are allowed now than were made
        (2, 1, None),
        (3, 1, NoAttemptsLeft),
    ],
)
def test_as_many_attempts_as_are_allowed(made: int, more: int, refused: Any) -> None:
    assert refusal(made=made, more=more, attempts=2) is refused


def test_an_extra_attempt_limits_nobody_who_has_no_limit() -> None:
    assert refusal(made=7, more=1) is None


def test_days_between_are_whole_ones() -> None:
    later = NOON + timedelta(days=2)
    moments = (NOON, later - TICK, later, later + TICK)
    assert [refusal(made=1, last=NOON, at=one, days_between=2) for one in moments] == [
        *(TooSoon, TooSoon),
        *(None, None),
    ]
    assert refusal(days_between=2) is None
