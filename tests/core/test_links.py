"""The ids of copies: one for each activity in each course, however often it was copied before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from lti_bridge.core.course.links import copy_of
from lti_bridge.core.launch.message import Context, Launch, Once
from lti_bridge.core.records import Activity

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LAUNCH = Launch("campus", "1.3", Once("n", "1", NOON), NOON, context=Context("spring"))
FIRST = Activity("first", "A test", "shop", None)


def test_each_activity_has_a_copy_of_its_own_in_each_course() -> None:
    autumn = replace(LAUNCH, context=Context("autumn"))
    ids = [
        copy_of(one, at) for one in (FIRST, replace(FIRST, id="other")) for at in (LAUNCH, autumn)
    ]
    assert len({*ids}) == 4


def test_a_copy_of_a_copy_is_one_of_the_first() -> None:
    copied = replace(FIRST, id=copy_of(FIRST, LAUNCH), origin="first")
    autumn = replace(LAUNCH, context=Context("autumn"))
    assert copy_of(copied, autumn) == copy_of(FIRST, autumn)
