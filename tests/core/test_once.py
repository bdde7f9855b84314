"""A message counts once; for ten seconds its own browser may send the very same one again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.launch.once import WITHIN, first
from lti_bridge.errors import OpenedAlready, SignatureRefused

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ONCE = Once("lti13:campus", "n1", NOON, browser="b", message="m", at=NOON)
LAUNCH = Launch("campus", "1.3", ONCE, NOON)


class Used:
    """What was used before, if anything was."""

    def __init__(self, before: Once | None = None) -> None:
        self.before = before

    def use_once(self, once: Once) -> bool:
        return self.before is None

    def used(self, once: Once) -> Once:
        assert self.before
        return self.before


def again(after: timedelta = timedelta(0), before: Once = ONCE, **now: Any) -> bool:
    launch = replace(LAUNCH, received_at=NOON + after, once=replace(ONCE, **now))
    return first(Used(before), launch)  # type: ignore[arg-type]


def test_a_new_message_counts() -> None:
    assert first(Used(), LAUNCH) is True  # type: ignore[arg-type]


def test_the_same_browser_may_repeat_it_for_ten_seconds() -> None:
    assert timedelta(seconds=10) == WITHIN
    assert [again(after) for after in (timedelta(0), WITHIN)] == [False, False]
    for after in (WITHIN + timedelta(microseconds=1), timedelta(hours=1)):
        with pytest.raises(OpenedAlready):
            again(after)


def test_nobody_else_may_repeat_it() -> None:
    for before, now in (
        (ONCE, {"browser": "another"}),
        (replace(ONCE, browser=""), {"browser": ""}),
        (replace(ONCE, at=None), {}),
    ):
        with pytest.raises(OpenedAlready):
            again(before=before, **now)


def test_another_message_with_its_value_is_a_forgery() -> None:
    with pytest.raises(SignatureRefused):
        again(message="another")
