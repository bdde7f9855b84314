"""Line items of LTI 1.3 tools: whatever is another connection's is not found, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.tool.launches import DeclaredItem, Origin, ToolLaunch
from lti_bridge.core.tool.line_items import Place, ToolScore, ToolTransaction
from lti_bridge.store.engine import Database
from lti_bridge.store.line_items13 import LineItems13
from lti_bridge.store.tools13 import Tools13

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAUNCH = ToolLaunch(
    hint="hint",
    connection="quiz",
    login_hint="who",
    browser="browser",
    user_id="pseudonym",
    origin=Origin("learner", "campus", "1", "101", "course"),
    line_item=DeclaredItem("item", "link", "Excel"),
    claims={},
    until=NOW + timedelta(minutes=5),
)
ROWS = (
    "INSERT INTO learners (id, registration, user_id, created_at)"
    " VALUES ('learner', 'campus', 'ann', 0)",
    "INSERT INTO links (id, registration, deployment_id, context_id, resource_link_id,"
    " activity_id, created_at) VALUES ('link', 'campus', '1', '101', 'l', 'a', 0)",
    "INSERT INTO grades (id, link_id, learner_id, version, registration, deployment_id, user_id,"
    " outcome_url, sourced_id, line_item, line_items, scopes, delivery, tries, stamp,"
    " stamp_version, delivered_version, last_error, changed_at) VALUES ('grade', 'link', 'learner',"
    " 0, 'campus', '1', 'ann', '', '', '', '', '', 'none', 0, 0, 0, 0, '', 0)",
    "INSERT INTO attempts (id, link_id, learner_id, number, activity_id, connection, grade_policy,"
    " state, is_open, created_at, changed_at)"
    " VALUES ('attempt', 'link', 'learner', 1, 'a', 'quiz', 'last', 'started', 1, 0, 0)",
)


@pytest.fixture
def items(database_url: str) -> Iterator[LineItems13]:
    """The link's attempt is at `quiz`; `other` once had a launch in the same course."""
    database = Database(database_url)
    database.migrate()
    with database.writing() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
    tools, origin = Tools13(database), replace(LAUNCH.origin, course="course-of-other")
    tools.keep(LAUNCH, NOW)
    tools.keep(
        replace(
            LAUNCH,
            hint="second",
            connection="other",
            user_id="pseudonym-2",
            origin=origin,
            line_item=None,
        ),
        NOW,
    )
    yield LineItems13(database)
    database.close()


def known(tx: ToolTransaction, user_id: str) -> Place:
    """Where a score for a user goes, at the line item of `quiz`."""
    place = tx.place("quiz", "course", "item", user_id)
    assert place is not None
    return place


def test_the_place_of_a_line_item_is_its_own_connections(items: LineItems13) -> None:
    with items.transaction() as tx:
        place = tx.place("quiz", "course", "item", "pseudonym")
        assert place is not None
        assert (place.link_id, place.decides) == ("link", True)
        assert tx.place("other", "course", "item", "pseudonym") is None
        assert tx.place("quiz", "course-of-other", "item", "pseudonym") is None


def test_an_attempt_is_its_own_connections(items: LineItems13) -> None:
    with items.transaction() as tx:
        locked = tx.lock_newest("link", "learner", "quiz")
        assert locked is not None
        assert locked.attempt.id == "attempt"
        assert tx.lock_newest("link", "learner", "other") is None


def test_who_is_in_a_course_by_another_tool_is_not_in_this_ones(items: LineItems13) -> None:
    with items.transaction() as tx:
        assert tx.is_in_context("course", "learner")
        assert not tx.is_in_context("course-of-other", "learner")


def test_a_user_is_known_by_the_id_of_the_own_connection(items: LineItems13) -> None:
    with items.transaction() as tx:
        assert known(tx, "pseudonym").learner_id == "learner"
        assert known(tx, "pseudonym-2").learner_id == ""  # as `other` calls them


def test_a_course_is_its_own_connections(items: LineItems13) -> None:
    assert items.context("quiz", "course")
    assert items.context("other", "course") is None


def test_an_outcome_shows_at_the_line_item_of_the_own_connection(items: LineItems13) -> None:
    with items.transaction() as tx:
        locked = tx.lock_newest("link", "learner", "quiz")
        assert locked is not None
        attempt = locked.attempt
        tx.save_outcome(replace(attempt, connection="other"), Score(Decimal(1), Decimal(1)), 1)
        assert known(tx, "pseudonym").before is None
        tx.save_outcome(attempt, Score(Decimal(1), Decimal(1)), 1)
        assert known(tx, "pseudonym").before


def test_results_of_a_user_are_asked_for_by_the_own_connections_id(items: LineItems13) -> None:
    with items.transaction() as tx:
        score = ToolScore(1, Score(Decimal(1), Decimal(2)), {})
        assert tx.save_tool_score("item", "learner", score)
    assert [one for one, _ in items.scores("item", "quiz", "pseudonym", "", 9)] == ["learner"]
    assert items.scores("item", "other", "pseudonym", "", 9) == []


def test_a_line_item_is_found_in_its_own_course(items: LineItems13) -> None:
    assert items.line_item("course", "item") is not None
    assert items.line_item("course-of-other", "item") is None


@pytest.mark.parametrize("where", ["registration", "deployment_id", "context_id"])
def test_a_link_is_found_in_its_own_course_of_its_own_lms(items: LineItems13, where: str) -> None:
    course = items.context("quiz", "course")
    assert course is not None
    assert items.link_in(course, "link") is not None
    assert items.link_in(replace(course, **{where: "another"}), "link") is None
