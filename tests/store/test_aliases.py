"""Learners and links under more than one name, on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lti_bridge.core.course import migration
from lti_bridge.core.launch.message import Context, Former, Launch, Once, Person, ResourceLink
from lti_bridge.core.records import Attempt
from lti_bridge.store.columns import Columns
from lti_bridge.store.engine import Database
from lti_bridge.store.registrations import RegistrationStore
from lti_bridge.store.store import Store

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
COUNTER = itertools.count(1)
OLD = Launch(
    "old",
    "1.1",
    Once("s", "v", NOW),
    NOW,
    person=Person("ann"),
    context=Context("course"),
    resource_link=ResourceLink("link"),
)
UNPROVED = replace(
    OLD,
    registration="new",
    deployment_id="7",
    person=Person("uuid-of-ann"),
    context=Context("course-13"),
    resource_link=ResourceLink("link-13"),
)
NEW = replace(UNPROVED, former=Former("old", "ann", "course", "link"))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store on each database."""
    database = Database(database_url)
    database.migrate()
    yield Store(database, lambda: NOW)
    database.close()


def click(store: Store, launch: Launch, *, begin: bool = False) -> tuple[str, str]:
    """Learner and link of a click, which may begin an attempt."""
    number = next(COUNTER)
    with store.transaction() as tx:
        link = migration.find_link(tx, launch) or tx.save_link(launch, "excel", f"link-{number}")
        migration.keep_link(tx, launch, link)
        learner = migration.learner(tx, launch, f"learner-{number}")
        if begin:
            attempt = Attempt(
                f"attempt-{number}", link.id, learner, 1, "excel", "tosa", "best", "created"
            )
            tx.create_attempt(attempt, NOW)
    return learner, link.id


@pytest.mark.spec("T13MX-03")
def test_who_was_here_by_lti_11_is_the_same_by_13(store: Store) -> None:
    before = click(store, OLD, begin=True)
    assert click(store, NEW) == before
    # also when a later launch proves nothing, and side by side
    assert click(store, UNPROVED) == before
    assert click(store, OLD) == before


def test_who_came_by_13_first_is_the_same_by_lti_11(store: Store) -> None:
    before = click(store, NEW, begin=True)
    assert click(store, OLD) == before


def test_clicks_before_the_proof_that_began_nothing_are_taken_over(store: Store) -> None:
    before = click(store, OLD, begin=True)
    assert click(store, UNPROVED) != before
    assert click(store, NEW) == before


def test_what_has_begun_under_both_names_stays_with_each(store: Store) -> None:
    old, new = click(store, OLD, begin=True), click(store, UNPROVED, begin=True)
    assert click(store, NEW) == new
    assert click(store, OLD) == old


def test_where_others_began_under_both_names_nobody_else_begins_anew(store: Store) -> None:
    ben = {"person": Person("ben")}, {"person": Person("uuid-of-ben")}
    before = click(store, replace(OLD, **ben[0]), begin=True)
    click(store, OLD, begin=True)
    anns = click(store, UNPROVED, begin=True)
    by_13 = replace(NEW, **ben[1], former=Former("old", "ben", "course", "link"))
    assert click(store, by_13) == before
    assert click(store, by_13) == before
    # one who has not begun at all begins by the new name, and stays there
    carla = replace(NEW, person=Person("carla-13"), former=Former("old", "carla", "course", "link"))
    at = click(store, carla, begin=True)
    assert at[1] == anns[1]
    assert click(store, carla) == at


def test_who_began_elsewhere_by_13_goes_on_with_what_lti_11_began_here(store: Store) -> None:
    before = click(store, OLD, begin=True)
    other = {"resource_link": ResourceLink("other-13")}
    elsewhere = click(store, replace(UNPROVED, **other), begin=True)
    assert click(store, NEW) == before
    proved = replace(NEW, **other, former=Former("old", "ann", "course", "other"))
    assert click(store, proved) == elsewhere


@pytest.mark.spec("SECP-38")
def test_equal_names_at_another_lms_are_somebody_else(store: Store) -> None:
    before = click(store, OLD, begin=True)
    click(store, NEW)
    for other in (replace(OLD, registration="twin"), replace(UNPROVED, registration="twin")):
        learner, link = click(store, other)
        assert learner != before[0]
        assert link != before[1]
    assert click(store, replace(UNPROVED, deployment_id="8"))[1] != before[1]


def test_those_who_were_parted_are_two_whatever_a_slow_process_still_believes(
    store: Store,
) -> None:
    registrations = RegistrationStore(store.database)
    before = click(store, OLD, begin=True)
    assert click(store, NEW) == before
    registrations.part("new", "old", NOW)
    click(store, NEW)  # by a process that has not heard of it
    learner, link = click(store, UNPROVED)
    assert learner != before[0]
    assert link != before[1]
    assert click(store, OLD) == before


def test_an_admin_may_join_them_again(store: Store) -> None:
    registrations = RegistrationStore(store.database)
    before = click(store, OLD, begin=True)
    registrations.part("new", "old", NOW)
    registrations.link("new", "old", NOW)
    assert registrations.stored().linked == {("new", "old")}
    assert registrations.stored().parted == frozenset()
    assert click(store, NEW) == before


def test_a_column_is_looked_for_by_the_links_id_in_the_lms_of_the_grade(store: Store) -> None:
    click(store, OLD, begin=True)
    columns = Columns(store.database)
    for launch, expected in ((NEW, "link-13"), (OLD, "link")):
        learner, link = click(store, launch)
        with store.transaction() as tx:
            tx.save_target("grade", launch, link, learner)
        assert columns.column("grade").resource_link_id == expected


def test_a_moved_link_that_opens_another_activity_stays_one_link(store: Store) -> None:
    before = click(store, OLD, begin=True)
    click(store, NEW)
    with store.transaction() as tx:
        tx.point_link(before[1], "word")
        found = [migration.find_link(tx, launch) for launch in (OLD, NEW, UNPROVED)]
    assert [(one.id, one.activity_id) for one in found if one] == [(before[1], "word")] * 3
