"""The learners of a course beside what is known of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lti_bridge.core.attempt.calls import Seats
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.course.learners import Cell, Overview, People, merge
from lti_bridge.core.course.list_lanes import AT_ONCE, ListLanes
from lti_bridge.core.course.rosters import Member
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import Context, Launch, Once, Person
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.records import Activity, Link
from lti_bridge.errors import DeliveryFailed, MembersComing, NetworkFailed
from tests.flow.world import eventually

HALF = Score(Decimal(5), Decimal(10))


def member(number: str, family: str = "", *, active: bool = True) -> Member:
    """A learner of that name."""
    return Member(Person(id=number, family_name=family), ("Learner",), active)


@pytest.mark.parametrize(
    ("cell", "stage"),
    [
        (None, "not started"),
        (Cell("1", "created"), "started"),
        (Cell("1", "graded", HALF, "pending"), "graded"),
        (Cell("1", "graded", HALF, "delivered"), "delivered"),
        (Cell("1", "graded", HALF, "refused"), "refused"),
        (Cell("1", "graded", HALF, "waiting"), "refused"),
        (Cell("1", "graded", HALF, "delivered", "7/10", overridden=True), "overridden"),
        (Cell("1", "graded", HALF, "waiting", "7/10", overridden=True), "overridden"),
        (Cell("1", "invalidated", None, "delivered"), "delivered"),
    ],
)
def test_how_far_a_learner_is(cell: Cell | None, stage: str) -> None:
    [line] = merge([member("1")], [cell] if cell else [])
    assert line.stage == stage
    assert line.score == (cell.score if cell else None)


def test_everybody_is_there_once_by_name() -> None:
    found = merge(
        [member("1", "Zorn"), member("2", "abel"), member("3", "Mitte")],
        [Cell("3", "created"), Cell("9", "created")],
    )
    assert [line.person.id for line in found] == ["2", "3", "1", "9"]
    assert Overview(found, "listed").counts() == [("not started", 2), ("started", 2)]


def test_who_left_is_expected_no_more() -> None:
    gone = [member("1", active=False), member("2", active=False), member("3")]
    found = merge(gone, [Cell("2", "graded", HALF, "delivered")])
    assert [(line.person.id, line.active) for line in found] == [("2", False), ("3", True)]


NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Lists:
    """A roster that does what a test says, and the cells of one learner who came."""

    def __init__(self, answer: Callable[[], list[Member] | None]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []

    def members(
        self, registration: str, deployment_id: str, context_id: str
    ) -> list[Member] | None:
        self.asked.append((registration, deployment_id, context_id))
        return self.answer()

    def cells(self, link_id: str) -> list[Cell]:
        assert link_id == "link"
        return [Cell("9", "created")]


def overview(lists: Lists, wait_s: float = 60) -> Overview:
    """The page's data for a launch of one course."""
    is_learner = lambda roles: "Learner" in roles  # noqa: E731
    return People(ListLanes(lists, wait_s=wait_s), lists, is_learner).overview(opened("course"))


def opened(course: str) -> Opened:
    """A launch of a course, and what it opened."""
    launch = Launch("campus", "1.3", Once("s", "v", NOW), NOW, context=Context(course))
    provider = None  # nobody asks it
    connection = Connection("tool", "lti", provider)  # type: ignore[arg-type]
    return Opened("l", launch, Activity("a", "A", "tool", None), connection, Link("link", "a"))


def test_the_list_is_that_of_the_launchs_course_and_without_teachers() -> None:
    lists = Lists(lambda: [member("1", "A"), Member(Person(id="2"), ("Instructor",))])
    found = overview(lists)
    assert [line.person.id for line in found.lines] == ["1", "9"]
    assert (found.listing, lists.asked) == ("listed", [("campus", "", "course")])


def test_a_list_that_takes_long_is_not_waited_for() -> None:
    go = threading.Event()

    def slow() -> list[Member]:
        go.wait(0.5)
        return [member("1")]

    found = overview(Lists(slow), wait_s=0.1)
    go.set()
    assert ([line.person.id for line in found.lines], found.listing) == (["9"], "being fetched")


def test_a_slow_lms_has_its_share_of_places_and_no_more() -> None:
    """Each course is read once, two of an LMS at a time; others' are read beside them."""
    go = threading.Event()
    lists = Lists(list)

    def members(registration: str, deployment_id: str, context_id: str) -> list[Member]:
        lists.asked.append((registration, deployment_id, context_id))
        if registration == "slow":
            assert go.wait(60)
        return []

    lists.members = members  # type: ignore[method-assign]
    lanes = ListLanes(lists, wait_s=0.05)
    courses = [f"{number}" for number in range(2 * AT_ONCE)]
    for course in courses * 2:
        with pytest.raises(MembersComing):
            lanes.members("slow", "", course)
    lanes.wait_s = 60
    assert lanes.members("quick", "", "other") == []
    assert sorted(lists.asked) == [("quick", "", "other"), *(("slow", "", n) for n in courses[:2])]
    go.set()
    assert lanes.members("slow", "", "last") == []  # after all that waited
    assert [course for lms, _, course in lists.asked if lms == "slow"] == [*courses, "last"]


def test_few_requests_wait_for_lists() -> None:
    go = threading.Event()
    lists = Lists(lambda: [] if go.wait(60) else None)
    lanes = ListLanes(lists, Seats(1), wait_s=60)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lanes.members, "slow", "", "a")
        eventually(lambda: lanes.seats.take("probe") and lanes.seats.give("probe") is None, False)
        with pytest.raises(MembersComing):
            lanes.members("other", "", "b")
        go.set()
        assert first.result(60) == []


@pytest.mark.parametrize("error", [DeliveryFailed("503"), NetworkFailed("gone")])
def test_a_list_that_fails_leaves_those_who_came(error: Exception) -> None:
    def fail() -> list[Member]:
        raise error

    found = overview(Lists(fail))
    assert ([line.person.id for line in found.lines], found.listing) == (["9"], "not readable")


def test_no_list_is_offered() -> None:
    assert overview(Lists(lambda: None)).listing == "not offered"
