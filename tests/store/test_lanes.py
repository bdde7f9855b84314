"""Whose work is due is found by an index, party by party, however much waits for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from lti_bridge.store import deliveries, polls
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
MANY = 2000
AWAY, WELL, IDLE = "away", "well", "idle"
GRADE = text(
    "INSERT INTO grades (id, link_id, learner_id, version, awaiting, registration, deployment_id,"
    " user_id, outcome_url, sourced_id, line_item, line_items, scopes, delivery, due_at, read_at,"
    " tries, stamp, stamp_version, delivered_version, last_error, changed_at)"
    " VALUES (:id, 'link', :id, 1, '', :lms, '', :id, '', '', '', '', '', 'pending', :due,"
    " :read, 0, 0, 0, 0, '', 0)"
)
LINK = text(
    "INSERT INTO links (id, registration, deployment_id, context_id, resource_link_id, activity_id,"
    " created_at) VALUES ('link', 'away', '', 'c', 'r', 'best', 0)"
)
LEARNER = text(
    "INSERT INTO learners (id, registration, user_id, created_at) VALUES (:id, :lms, :id, 0)"
)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Much that waits for one LMS, a little for another, and a third with nothing to do."""
    database = Database(database_url)
    grades = [(AWAY, n, MS - MANY + n) for n in range(MANY)]
    grades += [(WELL, n, MS - n) for n in range(3)] + [(IDLE, n, None) for n in range(MANY)]
    cells = [
        {"id": f"{lms}-{n}", "lms": lms, "due": due, "read": due and due + 5}
        for lms, n, due in grades
    ]
    with database.writing() as connection:
        connection.execute(LINK)
        connection.execute(LEARNER, cells)
        connection.execute(GRADE, cells)
    if not database.is_sqlite:
        with database.reading() as connection:
            connection.execute(text("ANALYZE grades"))
    yield Store(database, lambda: NOW)
    database.close()


def test_each_lms_is_named_with_its_first(store: Store) -> None:
    first = {AWAY: NOW - timedelta(milliseconds=MANY), WELL: NOW - timedelta(milliseconds=2)}
    assert store.deliveries_due() == first
    late = timedelta(milliseconds=5)
    assert store.reads_due() == {lms: at + late for lms, at in first.items()}
    assert store.polls_due() == {}


def test_of_one_lms_the_oldest_are_claimed_and_of_no_other(store: Store) -> None:
    claimed = store.claim_deliveries(WELL, NOW, 10, 2)
    assert [one.grade_id for one in claimed] == ["well-2", "well-1"]
    assert store.deliveries_due()[WELL] == NOW
    assert [one.grade_id for one in store.claim_deliveries(WELL, NOW, 10, 9)] == ["well-0"]
    assert store.claim_deliveries(WELL, NOW, 10, 9) == []
    assert store.deliveries_due()[WELL] == NOW + timedelta(seconds=10)
    assert store.claim_deliveries("nobody", NOW, 10, 9) == []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (deliveries.DELIVERIES_DUE, "grades_due"),
        (deliveries.READS_DUE, "grades_to_read"),
        (polls.POLLS_DUE, "attempts_to_poll"),
    ],
    ids=["deliveries", "reads", "polls"],
)
def test_no_row_is_read_to_know_who_waits(store: Store, query: object, index: str) -> None:
    plan = plan_of(store.database, str(query))
    table = index.partition("_")[0]
    assert index in plan, plan
    assert f"Seq Scan on {table}" not in plan, plan
    if store.database.is_sqlite:  # each look is one step in an index, and sorts nothing
        looks = [line for line in plan.splitlines() if f" {table}" in line or index in line]
        assert looks
        assert all(f"USING COVERING INDEX {index}" in line for line in looks), plan


def plan_of(database: Database, query: str) -> str:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.reading() as connection:
        if not database.is_sqlite and "attempts" in query:  # no rows: a scan would be as cheap
            connection.execute(text("SET enable_seqscan = off"))
        return "\n".join(str(row[-1]) for row in connection.execute(text(explain + query)))
