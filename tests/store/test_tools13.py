"""Launches on their way to LTI 1.3 tools, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lti_bridge.core.tool.launches import DeclaredItem, Origin, ToolLaunch
from lti_bridge.store.engine import Database
from lti_bridge.store.purge import Keep, Purge
from lti_bridge.store.tools13 import Tools13

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = ("tool_launches", "tool_users", "tool_contexts", "tool_line_items")
LAUNCH = ToolLaunch(
    hint="hint",
    connection="quiz",
    login_hint="who",
    browser="browser",
    user_id="pseudonym",
    origin=Origin("learner", "campus", "1", "101", "course"),
    line_item=DeclaredItem("item", "link", "Excel"),
    claims={"sub": "pseudonym", "name": "Zoë"},
    until=NOW + timedelta(minutes=5),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    with made.writing() as connection:
        for statement in (
            "INSERT INTO learners (id, registration, user_id, created_at)"
            " VALUES ('learner', 'campus', 'ann', 0)",
            "INSERT INTO links (id, registration, deployment_id, context_id, resource_link_id,"
            " activity_id, created_at) VALUES ('link', 'campus', '1', '101', 'l', 'a', 0)",
        ):
            connection.execute(text(statement))
    yield made
    made.close()


def counts(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        sql = {name: f"SELECT count(*) FROM {name}" for name in TABLES}  # noqa: S608 - constants
        return {name: connection.execute(text(one)).scalar_one() for name, one in sql.items()}


def one(database: Database, table: str) -> dict[str, Any]:
    with database.reading() as connection:
        [row] = connection.execute(text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
        return dict(row)


def test_a_launch_comes_back_once_and_to_its_browser_only(database: Database) -> None:
    tools = Tools13(database)
    tools.keep(LAUNCH, NOW)
    assert tools.take("hint", "another") is None
    taken = tools.take("hint", "browser")
    assert taken is not None
    assert taken.claims == LAUNCH.claims
    assert (taken.connection, taken.login_hint) == ("quiz", "who")
    assert taken.until == LAUNCH.until
    assert tools.take("hint", "browser") is None


def test_the_ids_that_the_tool_was_told_are_remembered(database: Database) -> None:
    Tools13(database).keep(LAUNCH, NOW)
    assert one(database, "tool_users") == {
        "connection": "quiz",
        "user_id": "pseudonym",
        "learner_id": "learner",
    }
    context = one(database, "tool_contexts")
    assert (context["id"], context["connection"]) == ("course", "quiz")
    assert (context["registration"], context["deployment_id"]) == ("campus", "1")
    assert context["context_id"] == "101"
    item = one(database, "tool_line_items")
    assert (item["id"], item["context_id"], item["link_id"]) == ("item", "course", "link")
    assert (item["label"], item["maximum"], item["by_tool"]) == ("Excel", "100", 0)


def test_a_relaunch_adds_only_itself(database: Database) -> None:
    tools = Tools13(database)
    tools.keep(LAUNCH, NOW)
    tools.keep(replace(LAUNCH, hint="second"), NOW)
    assert counts(database) == {
        "tool_launches": 2,
        "tool_users": 1,
        "tool_contexts": 1,
        "tool_line_items": 1,
    }


def test_nobody_and_no_grade_leave_no_rows(database: Database) -> None:
    launch = replace(LAUNCH, user_id="", origin=replace(LAUNCH.origin, learner_id=""))
    Tools13(database).keep(replace(launch, line_item=None), NOW)
    found = counts(database)
    assert (found["tool_users"], found["tool_line_items"]) == (0, 0)


def test_first_launches_at_the_same_time_agree(database: Database) -> None:
    tools = Tools13(database)
    launches = [replace(LAUNCH, hint=f"hint{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda launch: tools.keep(launch, NOW), launches))
    assert counts(database)["tool_launches"] == 8
    assert counts(database)["tool_line_items"] == 1


def test_what_nobody_came_for_is_forgotten(database: Database) -> None:
    Tools13(database).keep(LAUNCH, NOW)
    purge = Purge(database, Keep(launches=180, history=0, answers=0))
    assert not list(purge.steps(NOW + timedelta(minutes=4)))
    assert counts(database)["tool_launches"] == 1
    assert [step.rows for step in purge.steps(NOW + timedelta(minutes=6))] == [1]
    assert counts(database)["tool_launches"] == 0
