"""Who left a course as its LMS lists it, and whose grade therefore waits, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from lti_bridge.core.course import migration
from lti_bridge.core.grade.deliveries import DEPARTED, DEPARTED_FOR
from lti_bridge.core.grade.gradebook import Outcome
from lti_bridge.core.launch.message import Context, Former, Launch, ResourceLink
from lti_bridge.core.records import Attempt
from lti_bridge.store.engine import BEGIN
from lti_bridge.store.rosters import Place, Rosters
from tests import claims
from tests.store.test_store import Desk

COURSE = ("campus", "7", "course")
MANY = 10_000


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A migrated store."""
    made = Desk(database_url)
    yield made
    made.database.close()


def listed(desk: Desk, course: tuple[str, str, str] = COURSE, **active: bool) -> None:
    """The LMS lists these members of a course, a second after whatever was before."""
    desk.clock.move(1)
    Rosters(desk.database).note_members(*course, active, desk.clock())


def settle(desk: Desk) -> None:
    """What is due is delivered, or waits for its learner."""
    waits = Outcome("pending", desk.clock() + DEPARTED_FOR, DEPARTED, count_try=False)
    for one in desk.claim():
        desk.settle(one, waits if one.departed else Outcome("delivered"))


def due(desk: Desk) -> list[tuple[str, bool]]:
    """The learners whose grades are due now, and whether they have left."""
    return [(one.user_id, one.departed) for one in desk.claim()]


def leave(desk: Desk, *whom: str) -> None:
    """Whoever this is (registration, deployment, course and user) is listed as gone for ever."""
    values = dict(zip(("registration", "deployment", "context", "user"), whom, strict=True))
    into = "INSERT INTO departures VALUES (:registration, :deployment, :context, :user, :at)"
    with desk.database.writing() as connection:
        connection.execute(text(into), {**values, "at": 9_999_999_999_999})


def launch(desk: Desk, user: str, link: str = "link-1") -> None:
    """A later click of somebody who has been here."""
    desk.clock.move(1)
    desk.attempt(user, link)


@pytest.mark.spec("T13NR-04")
def test_whom_the_list_says_to_have_left_waits_until_it_says_otherwise(desk: Desk) -> None:
    for user in ("ann", "ben", "carla"):
        desk.score(desk.attempt(user), "0.5")
    listed(desk, ann=False, ben=True)
    assert sorted(due(desk)) == [("ann", True), ("ben", False), ("carla", False)]
    desk.clock.move(20)  # their leases have ended
    settle(desk)
    listed(desk, ben=True)  # a list that names only some says nothing of the others
    assert due(desk) == []
    assert len(desk.rows("SELECT * FROM departures")) == 1
    listed(desk, ann=True)
    assert due(desk) == [("ann", False)]
    assert desk.rows("SELECT * FROM departures") == []


@pytest.mark.spec("T13NR-04")
def test_the_later_word_counts_of_the_list_and_of_a_launch(desk: Desk) -> None:
    began = desk.clock()
    desk.score(desk.attempt(), "0.5")
    listed(desk, ann=False)
    settle(desk)
    launch(desk, "ann")
    assert due(desk) == [("ann", False)]
    desk.clock.move(20)
    listed(desk, ann=False)
    assert due(desk) == [("ann", True)]
    launch(desk, "ann")
    desk.clock.move(20)
    # a list whose reading began before the launch
    Rosters(desk.database).note_members(*COURSE, {"ann": False}, began)
    assert due(desk) == [("ann", False)]


@pytest.mark.spec("T13NR-04")
def test_a_list_that_took_longer_to_read_takes_back_nothing(desk: Desk) -> None:
    began = desk.clock()
    desk.score(desk.attempt(), "0.5")
    listed(desk, ann=False)
    Rosters(desk.database).note_members(*COURSE, {"ann": True}, began)
    assert due(desk) == [("ann", True)]


def test_a_grade_under_way_is_not_due_a_second_time(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    listed(desk, ann=False)
    assert due(desk) == [("ann", True)]
    lease_ends = claims.first(desk.store.deliveries_due())
    launch(desk, "ann")
    assert claims.first(desk.store.deliveries_due()) == lease_ends
    listed(desk, ann=False)
    listed(desk, ann=True)
    assert claims.first(desk.store.deliveries_due()) == lease_ends


def test_a_failed_try_of_somebody_who_is_there_waits_its_time(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    (one,) = desk.claim()
    desk.settle(one, Outcome("pending", desk.clock() + timedelta(hours=1), "HTTP 503"))
    listed(desk, ann=True)
    launch(desk, "ann")
    assert due(desk) == []


@pytest.mark.spec("T13NR-04", "SECP-38")
@pytest.mark.parametrize(
    "course", [("twin", "7", "course"), ("campus", "8", "course"), ("campus", "7", "other")]
)
def test_a_list_of_another_course_says_nothing_of_equal_ids(
    desk: Desk, course: tuple[str, str, str]
) -> None:
    desk.score(desk.attempt(), "0.5")
    listed(desk, course, ann=False)
    assert desk.rows("SELECT * FROM departures") == []
    leave(desk, *course, "ann")
    assert due(desk) == [("ann", False)]


def click(desk: Desk, launch: Launch) -> None:
    """A click that may move a link and a learner to another name of their LMS."""
    with desk.store.transaction() as tx:
        link = migration.find_link(tx, launch) or tx.save_link(launch, "excel", desk.new_id())
        migration.keep_link(tx, launch, link)
        learner = migration.learner(tx, launch, desk.new_id())
        number = tx.last_attempt(link.id, learner)[0] + 1
        fresh = Attempt(desk.new_id(), link.id, learner, number, "excel", "tosa", "last", "created")
        attempt = tx.create_attempt(fresh, desk.clock())
        tx.save_target(desk.new_id(), launch, link.id, learner)
    desk.score(attempt, f"0.{desk.new_id()[3:]}")


@pytest.mark.spec("T13NR-04", "T13MX-03")
def test_of_an_lms_that_moved_the_list_counts_that_the_grade_goes_to(desk: Desk) -> None:
    old = replace(desk.launch("ann"), registration="old", deployment_id="")
    new = replace(
        desk.launch("uuid-of-ann"),
        registration="new",
        context=Context("course-13"),
        resource_link=ResourceLink("link-13"),
        former=Former("old", "ann", "course", "link-1"),
    )
    click(desk, old)
    click(desk, new)
    assert [row["registration"] for row in desk.rows("SELECT registration FROM links")] == ["old"]
    leave(desk, "new", "7", "course", "uuid-of-ann")  # the old id, which is another course's now
    leave(desk, "old", "", "course", "uuid-of-ann")
    assert due(desk) == [("uuid-of-ann", False)]
    desk.clock.move(20)
    listed(desk, ("new", "7", "course-13"), **{"uuid-of-ann": False})
    assert due(desk) == [("uuid-of-ann", True)]
    desk.clock.move(20)
    listed(desk, ("new", "7", "course-13"), **{"uuid-of-ann": True})
    assert due(desk) == [("uuid-of-ann", False)]
    desk.clock.move(20)
    click(desk, replace(old, received_at=desk.clock()))  # side by side: it goes there again
    listed(desk, ("new", "7", "course-13"), **{"uuid-of-ann": False})
    assert due(desk) == [("ann", False)]


def test_only_who_has_a_grade_here_is_kept_and_nothing_is_left_of_the_forgotten(
    desk: Desk,
) -> None:
    learner = desk.attempt().learner_id
    listed(desk, ann=False, stranger=False)
    assert desk.rows("SELECT user_id FROM departures") == [{"user_id": "ann"}]
    assert desk.store.forget_learner(learner, desk.clock())["departures"] == 1
    listed(desk, ann=False)
    assert desk.rows("SELECT * FROM departures") == []


def test_a_large_course_costs_few_statements_and_no_news_no_write(desk: Desk) -> None:
    link = desk.attempt("first").link_id
    users = [f"user-{number}" for number in range(MANY)]
    learners = [{"user": user} for user in users]
    grades = [{"user": user, "link": link} for user in users]
    with desk.database.writing() as connection:
        connection.execute(
            text("INSERT INTO learners VALUES (:user, 'campus', :user, 0)"), learners
        )
        connection.execute(
            text(
                "INSERT INTO grades (id, link_id, learner_id, version, registration,"
                " deployment_id, user_id, outcome_url, sourced_id, line_item, line_items, scopes,"
                " delivery, tries, stamp, stamp_version, delivered_version, last_error, changed_at)"
                " VALUES (:user, :link, :user, 0, 'campus', '7', :user, '', '', '', '', '',"
                " 'none', 0, 0, 0, 0, '', 0)"
            ),
            grades,
        )
    seen: list[str] = []
    event.listen(desk.database.engine, "before_cursor_execute", lambda *said: seen.append(said[2]))
    for active, rows, wanted in ((True, 0, 2), (False, MANY, 3), (False, MANY, 2), (True, 0, 3)):
        seen.clear()
        listed(desk, **dict.fromkeys(users, active))
        assert len([one for one in seen if one != BEGIN]) == wanted, seen
        assert len(desk.rows("SELECT user_id FROM departures")) == rows


def test_whose_grade_it_is_and_whether_they_have_left(desk: Desk) -> None:
    ann, ben = desk.attempt("ann"), desk.attempt("ben")
    desk.score(ann, "0.5")
    listed(desk, ann=False, ben=True)
    rosters = Rosters(desk.database)
    [grade] = desk.rows("SELECT id FROM grades WHERE user_id = 'ann'")
    found = rosters.places([grade["id"], ann.id, ben.id, "nobody"])
    assert found == {
        grade["id"]: Place(COURSE, "ann", True),
        ann.id: Place(COURSE, "ann", True),
        ben.id: Place(COURSE, "ben", False),
    }
    assert rosters.places([]) == {}
