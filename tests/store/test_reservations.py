"""Seats and counters on both databases: each seat once, each number once, all given back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    database = Database(database_url)
    database.migrate()
    yield Store(database, lambda: datetime.now(UTC))
    database.close()


def test_every_seat_is_taken_once_and_none_is_left_empty(store: Store) -> None:
    def take(number: int) -> bool:
        return store.reserve("hall", "ten", f"learner-{number}", f"attempt-{number}", 8)

    with ThreadPoolExecutor(12) as pool:
        got = list(pool.map(take, range(24)))
    assert got.count(True) == 8
    first = got.index(True)
    assert take(first)  # again, for the same attempt
    assert not store.reserve("hall", "ten", f"learner-{first}", "another-attempt", 100)
    assert store.reserve("hall", "eleven", f"learner-{first}", "another-attempt", 1)
    assert store.reserve("other", "ten", "learner-x", "attempt-x", 1)


def test_what_is_given_back_is_free(store: Store) -> None:
    assert store.reserve("hall", "ten", "ann", "a", 1)
    assert store.reserve("hall", "eleven", "ann", "a", 1)
    store.give_back("other", "a")
    assert not store.reserve("hall", "ten", "bob", "b", 1)
    store.give_back("hall", "a")
    assert store.reserve("hall", "ten", "bob", "b", 1)
    assert store.reserve("hall", "eleven", "bob", "b", 1)


def test_numbers(store: Store) -> None:
    assert store.last_number("n") == 0
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda _: store.next_number("n"), range(12)))
    assert sorted(numbers) == list(range(1, 13))
    assert (store.last_number("n"), store.last_number("m")) == (12, 0)
