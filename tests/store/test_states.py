"""Rules of the core that the store has in SQL: in every case it says what the core says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, select

from lti_bridge.core.attempt import states as attempts
from lti_bridge.core.grade import states as grades
from lti_bridge.core.launch.message import Context, GradeTarget, Launch, Once, Person, ResourceLink
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.schema import METADATA
from lti_bridge.store.store import Store

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)
EARLIER = NOW - timedelta(days=1)
TARGET = GradeTarget(
    "https://lms/outcomes", "cell", "https://lms/item", "https://lms/items", ("s",)
)
TARGETS = {
    "line item": GradeTarget(line_item="https://lms/item"),
    "line items": GradeTarget(line_items="https://lms/items"),
    "outcomes": GradeTarget(outcome_url="https://lms/outcomes", sourced_id="cell"),
    "half": GradeTarget(outcome_url="https://lms/outcomes"),
    "none": None,
}
PUSHING = "pushing"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without rows."""
    database = Database(database_url)
    yield Store(database, lambda: NOW)
    database.close()


def add(store: Store, table: str, values: list[dict[str, Any]]) -> None:
    """Write rows down; what a column must hold and nobody named is empty or 0."""
    columns = [one for one in METADATA.tables[table].columns if not one.nullable]
    empty = {one.name: "" if one.type.python_type is str else 0 for one in columns}
    with store.database.writing() as connection:
        connection.execute(insert(METADATA.tables[table]), [{**empty, **one} for one in values])


def add_place(store: Store) -> None:
    add(
        store,
        "links",
        [{"id": "link", "registration": "lms", "context_id": "course", "resource_link_id": "rl"}],
    )


def add_learners(store: Store, names: list[str]) -> None:
    add(store, "learners", [{"id": one, "registration": "lms", "user_id": one} for one in names])


def test_who_is_shown_as_stuck_is(store: Store) -> None:
    cases = {
        str(number): case
        for number, case in enumerate(
            product(
                attempts.STATES,
                (attempts.UNDER_WAY - INSTANT, attempts.UNDER_WAY),
                (
                    timedelta(0),
                    attempts.NO_GRADE_AFTER - INSTANT,
                    attempts.NO_GRADE_AFTER,
                    attempts.SILENT_AFTER - INSTANT,
                    attempts.SILENT_AFTER,
                ),
                (True, False),
                TARGETS,
                (True, False),
            )
        )
    }
    add_place(store)
    add_learners(store, list(cases))
    cell = {"link_id": "link", "registration": "lms", "delivery": "none"}
    targets = {name: rows.target_columns(one) for name, one in TARGETS.items() if one is not None}
    add(
        store,
        "attempts",
        [
            {
                "id": name,
                "link_id": "link",
                "learner_id": name,
                "number": 1,
                "connection": PUSHING if pushing else "asked",
                "state": state,
                "is_open": int(state in attempts.OPEN),
                "changed_at": rows.ms(NOW - since),
                "created_at": rows.ms(NOW - age),
                "poll_at": rows.ms(NOW) if watched else None,
                "data": "{}",
            }
            for name, (state, since, age, pushing, _, watched) in cases.items()
        ],
    )
    add(
        store,
        "grades",
        [
            {"id": name, "learner_id": name, **cell, **targets[target]}
            for name, (*_, target, _watched) in cases.items()
            if target in targets
        ],
    )
    wanted = {
        name: attempts.stuck(
            state,
            since=since,
            age=age,
            pushing=pushing,
            has_place=target not in ("half", "none"),
            is_watched=watched,
        )
        for name, (state, since, age, pushing, target, watched) in cases.items()
    }
    asked: dict[str, Any] = {"state": "", "connection": "", "limit": 10_000, "pushing": [PUSHING]}
    shown = store.list_attempts(NOW, stuck=False, **asked)
    assert {one["id"]: one["stuck"] for one in shown} == wanted
    only = store.list_attempts(NOW, stuck=True, **asked)
    assert {one["id"]: one["stuck"] for one in only} == {k: v for k, v in wanted.items() if v}


def launch_of(user: str, target: GradeTarget) -> Launch:
    return Launch(
        "lms",
        "1.3",
        Once("nonce", user, NOW),
        NOW,
        person=Person(id=user),
        context=Context(id="course"),
        resource_link=ResourceLink(id="rl"),
        grade_target=target,
    )


OTHER_TARGETS = (
    TARGET,
    GradeTarget("https://lms/other", "cell", "https://lms/item", "https://lms/items", ("s",)),
    GradeTarget("https://lms/outcomes", "other", "https://lms/item", "https://lms/items", ("s",)),
    GradeTarget("https://lms/outcomes", "cell", "https://lms/other", "https://lms/items", ("s",)),
    GradeTarget("https://lms/outcomes", "cell", "https://lms/item", "https://lms/other", ("s",)),
    GradeTarget("https://lms/outcomes", "cell", "https://lms/item", "https://lms/items", ()),
)
BEFORE = rows.ms(NOW + timedelta(hours=9))  # when it was due, and how often it was tried
TRIES = 5
AFTER_LAUNCH = {
    "": (None, BEFORE, TRIES),
    "again": ("pending", rows.ms(NOW), 0),
    "due": ("pending", rows.ms(NOW), TRIES),
}


def test_a_launch_does_with_a_delivery_what_the_core_says(store: Store) -> None:
    flags = (False, True)
    cases = {
        str(number): case
        for number, case in enumerate(product(grades.STATES, flags, OTHER_TARGETS, flags, flags))
    }
    add_place(store)
    add_learners(store, list(cases))
    add(
        store,
        "grades",
        [
            {
                "id": name,
                "link_id": "link",
                "learner_id": name,
                "registration": "lms",
                "user_id": name,
                "delivery": state,
                "overridden": int(overridden),
                "lease": "w" if leased else None,
                "due_at": BEFORE,
                "tries": TRIES,
                "launched_at": rows.ms(EARLIER),
                **rows.target_columns(TARGET),
            }
            for name, (state, overridden, _, _, leased) in cases.items()
        ],
    )
    gone = [name for name, (_, _, _, departed, _) in cases.items() if departed]
    course = {"registration": "lms", "context_id": "course", "seen_at": rows.ms(NOW - INSTANT)}
    add(store, "departures", [{**course, "user_id": name} for name in gone])
    with store.transaction() as tx:
        for name, (_, _, target, _, _) in cases.items():
            tx.save_target("unused", launch_of(name, target), "link", name)
    table = METADATA.tables["grades"].c
    query = select(table.id, table.delivery, table.due_at, table.tries)
    with store.database.reading() as connection:
        found = {row.id: tuple(row)[1:] for row in connection.execute(query)}
    for name, (state, overridden, target, departed, leased) in cases.items():
        said = grades.at_launch(
            state,
            overridden=overridden,
            moved=target != TARGET,
            departed=departed,
            leased=leased,
        )
        state_then, *then = AFTER_LAUNCH[said]
        assert found[name] == (state_then or state, *then), cases[name]
