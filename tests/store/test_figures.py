"""Figures about grades: what they count, and that they look at few rows of many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from lti_bridge.core.grade.deliveries import DEPARTED
from lti_bridge.store import figures
from lti_bridge.store.engine import Database
from lti_bridge.store.schema import METADATA

GRADES = METADATA.tables["grades"]
MANY = 3000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def add(connection: Connection, number: int, **values: object) -> None:
    """A cell, with what it needs to be one."""
    key = f"{number:06}"
    link = {"id": key, "registration": "campus", "resource_link_id": key}
    for name, row in (("links", link), ("learners", {"id": key, "registration": "campus"})):
        table = METADATA.tables[name]
        connection.execute(table.insert(), {**_empty(name), **row, "user_id": key})
    cell = {"id": key, "link_id": key, "learner_id": key, "registration": "campus"}
    connection.execute(GRADES.insert(), {**_empty("grades"), **cell, **values})


def _empty(name: str) -> dict[str, object]:
    """A value for each column that has to have one and is no key of another row."""
    return {
        column.name: "" if column.type.python_type is str else 0
        for column in METADATA.tables[name].columns
        if not column.nullable and column.server_default is None
    }


def plan(database: Database, statement: object, **values: object) -> str:
    with database.writing() as connection:
        if database.is_sqlite:
            rows = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"), values)
        else:
            connection.execute(text("ANALYZE grades"))
            rows = connection.execute(text(f"EXPLAIN {statement}"), values)
        return "\n".join(str(row) for row in rows.fetchall())


def test_grades_on_their_way_and_those_for_people_are_counted_by_lms(database: Database) -> None:
    with database.writing() as connection:
        add(connection, 1, delivery="pending", due_at=5, changed_at=2000)
        add(connection, 2, delivery="pending", due_at=9, changed_at=1000)
        add(connection, 3, delivery="pending", due_at=9, changed_at=3000, registration="other")
        add(connection, 4, delivery="pending", due_at=9, changed_at=1, last_error=DEPARTED)
        add(connection, 5, delivery="delivered", changed_at=1)
        add(connection, 6, delivery="refused")
        add(connection, 7, delivery="refused", registration="other")
        add(connection, 8, delivery="waiting")
        add(connection, 9, delivery="waiting")
    found = sorted(figures.pending(database), key=lambda one: one.registration)
    assert found == [
        figures.Pending("campus", 2, datetime.fromtimestamp(1, UTC)),
        figures.Pending("other", 1, datetime.fromtimestamp(3, UTC)),
    ]
    assert figures.for_people(database) == {
        ("campus", "refused"): 1,
        ("other", "refused"): 1,
        ("campus", "waiting"): 2,
    }


def test_delivered_grades_are_not_looked_at_however_many_they_are(database: Database) -> None:
    with database.writing() as connection:
        for number in range(MANY):
            add(connection, number, delivery="delivered", changed_at=number)
        add(connection, MANY, delivery="refused")
        add(connection, MANY + 1, delivery="pending", due_at=1)
    assert "grades_for_people" in plan(database, figures.FOR_PEOPLE)
    asked = {"departed": DEPARTED, "most": figures.MOST}
    assert "grades_due" in plan(database, figures.PENDING, **asked)
