"""Activities of courses in the database: whose they are, versions, copies; on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.launch.message import Context, Launch, Once, ResourceLink
from lti_bridge.core.records import Activity, Attempt, Course
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HERE = Course("campus", "1", "course")
MINE = Activity(
    "a" * 22,
    "Excel",
    "tosa",
    {"test": "1", "pairs": {"é": "<x>"}},
    "last",
    attempts=2,
    days_between=3,
    opens_at=NOW,
    closes_at=NOW + timedelta(days=1),
    course=HERE,
    maximum="12.5",
)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    database = Database(database_url)
    database.migrate()
    yield Store(database, lambda: NOW)
    database.close()


def test_an_activity_comes_back_as_it_was_saved(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.save_course_activity(MINE, "learner", NOW)
        assert tx.stored_activity(MINE.id) == MINE
        assert tx.activities_of(HERE) == [MINE]
        assert tx.stored_activity("b" * 22) is None


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize("change", ["registration", "deployment_id", "context_id"])
def test_only_its_own_course_changes_or_retires_it(store: Store, change: str) -> None:
    other = replace(HERE, **{change: "other"})
    with store.transaction() as tx:
        tx.save_course_activity(MINE, "", NOW)
        assert not tx.save_course_activity(replace(MINE, title="x", course=other), "", NOW)
        assert not tx.retire_activity(MINE.id, other, "", NOW)
        assert tx.activities_of(other) == []
        assert tx.stored_activity(MINE.id) == MINE


def test_a_retired_activity_stays_as_it_is(store: Store) -> None:
    with store.transaction() as tx:
        tx.save_course_activity(MINE, "", NOW)
        assert tx.retire_activity(MINE.id, HERE, "who", NOW)
        assert not tx.retire_activity(MINE.id, HERE, "who", NOW)
        assert not tx.save_course_activity(replace(MINE, title="x"), "", NOW)
        assert tx.activities_of(HERE) == tx.family("campus", MINE.id) == []
        assert tx.stored_activity(MINE.id) == replace(MINE, retired=True)


def test_a_family_is_an_activity_and_its_copies_in_one_lms(store: Store) -> None:
    copy = replace(MINE, id="c", origin=MINE.id, course=replace(HERE, context_id="two"))
    foreign = replace(copy, id="f", course=Course("other", "1", "two"))
    with store.transaction() as tx:
        for one in (MINE, copy, foreign, replace(MINE, id="unrelated")):
            tx.save_course_activity(one, "", NOW)
        assert {one.id for one in tx.family("campus", MINE.id)} == {MINE.id, "c"}


def test_an_attempt_keeps_the_settings_it_began_with(store: Store) -> None:
    once = Once("s", "v", NOW)
    launch = Launch(
        "campus", "1.3", once, NOW, context=Context("course"), resource_link=ResourceLink("l")
    )
    with store.transaction() as tx:
        learner = tx.learner("campus", "ann", "learner", NOW)
        link = tx.save_link(launch, MINE.id, "link")
        tx.save_course_activity(MINE, "", NOW)
        attempt = Attempt("one", link.id, learner, 1, MINE.id, "tosa", "best", "created")
        tx.create_attempt(attempt, NOW + timedelta(hours=1))
        tx.save_course_activity(replace(MINE, settings={"test": "2"}), "", NOW + timedelta(hours=2))
        tx.close_attempt(attempt, NOW)
        later = replace(attempt, id="two", number=2)
        tx.create_attempt(later, NOW + timedelta(hours=3))
        assert tx.settings_at_start("one") == MINE.settings
        assert tx.settings_at_start("two") == {"test": "2"}
        assert tx.settings_at_start("none") is None
        assert tx.count_attempts(MINE.id) == 2
        found = tx.former_link("campus", "l")
        assert found is not None
        assert found.activity_id == MINE.id
        assert tx.former_link("other", "l") is None
