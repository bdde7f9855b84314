"""What slow calls brought, until somebody takes it, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from lti_bridge.store.engine import Database
from lti_bridge.store.purge import Keep, Purge
from lti_bridge.store.store import Store

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(minutes=5)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated store with one learner."""
    database = Database(database_url)
    made = Store(database, lambda: NOON)
    with made.transaction() as tx:
        tx.learner("campus", "ann", "l1", NOON)
    yield made
    database.close()


def count(store: Store) -> int:
    with store.database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM call_answers")).scalar_one())


def test_an_answer_is_taken_once(store: Store) -> None:
    store.keep_answer("a", "l1", "one", UNTIL)
    assert store.take_answer("b", NOON) is None
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: store.take_answer("a", NOON), range(4)))
    assert sorted(map(str, taken)) == ["None", "None", "None", "one"]
    assert count(store) == 0


def test_the_newest_counts(store: Store) -> None:
    store.keep_answer("a", "", "one", UNTIL)
    store.keep_answer("a", "", "two", UNTIL)
    assert store.take_answer("a", NOON) == "two"


def test_an_old_answer_is_none_and_goes(store: Store) -> None:
    for key in ("a", "b"):
        store.keep_answer(key, "l1", "one", UNTIL)
    assert store.take_answer("a", UNTIL) is None
    assert count(store) == 1
    purge = Purge(store.database, Keep(launches=30, history=0, answers=0))
    assert not list(purge.steps(UNTIL))
    assert count(store) == 1
    assert [step.rows for step in purge.steps(UNTIL + timedelta(seconds=1))] == [1]
    assert count(store) == 0
