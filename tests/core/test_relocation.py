"""Where a learner goes on whose course has another id, or none for once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lti_bridge.core.course import relocation
from lti_bridge.core.launch.message import Context, Launch, Once, ResourceLink
from lti_bridge.core.records import Begun, Link
from lti_bridge.errors import PlaceUnclear

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LAUNCH = Launch(
    "campus", "1.3", Once("n", "1", NOON), NOON, deployment_id="1", resource_link=ResourceLink("l")
)


class Clicks:
    """Which courses are still clicked in."""

    def __init__(self, *alive: str) -> None:
        self.alive = alive

    def in_use_since(self, launch: Launch, context_id: str) -> bool:
        return context_id in self.alive


def begun(course: str, number: int = 1, **more: Any) -> Begun:
    one = Begun(
        Link(f"link-{course}", "a"), "learner", number, "a", NOON, "1", course, "l", "graded"
    )
    return replace(one, **more)


def find(course: str, *before: Begun, alive: str = "") -> Begun | None:
    launch = replace(LAUNCH, context=Context(course))
    return relocation.find(Clicks(alive), launch, before)  # type: ignore[arg-type]


def test_the_last_attempt_of_the_course_itself_comes_first() -> None:
    first, last, other = begun("old"), begun("old", 2), begun("other")
    assert find("old", first, last, other) == last


def test_a_course_under_a_new_id_goes_on_unless_the_old_one_is_alive() -> None:
    assert find("new", begun("old")) == begun("old")
    assert find("new", begun("old"), alive="old") is None


def test_of_two_courses_none_goes_on_under_a_third_id() -> None:
    assert find("new", begun("old"), begun("other")) is None


def test_a_launch_without_a_course_goes_on_where_that_is_clear() -> None:
    assert find("", begun("old"), alive="old") == begun("old")
    with pytest.raises(PlaceUnclear):
        find("", begun("old"), begun("other"))


def test_other_links_and_deployments_are_other_places() -> None:
    elsewhere = [begun("old", resource_link_id="m"), begun("old", deployment_id="2")]
    assert find("new", *elsewhere) is None
    assert find("", *elsewhere) is None
