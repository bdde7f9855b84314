"""The ledger of purchases: once an attempt, at most so many a day for one LMS, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.records import Bought, Purchase
from lti_bridge.store.engine import Database
from lti_bridge.store.purchases import bought_on, give_back
from lti_bridge.store.store import Store

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-29", "2026-11-30"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated store."""
    database = Database(database_url)
    yield Store(database, lambda: NOON)
    database.close()


def buy(store: Store, attempt: str, limit: int = 0, lms: str = "campus", hours: int = 0) -> object:
    """Buy, and give the transaction up at the limit."""
    at = NOON + timedelta(hours=hours)
    try:
        with store.transaction() as tx:
            count = tx.buy(Purchase(attempt, "tosa", lms, "1", "course", at, limit))
            if count is None:
                raise LookupError
    except LookupError:
        return None
    return count


def test_an_attempt_counts_once(store: Store) -> None:
    assert [buy(store, "a"), buy(store, "a"), buy(store, "b")] == [1, 0, 2]
    assert bought_on(store.database, TODAY) == [Bought("tosa", "campus", TODAY, 2)]


def test_the_limit_is_one_lms_s_and_one_day_s(store: Store) -> None:
    assert [buy(store, name, limit=2) for name in "abc"] == [1, 2, None]
    assert buy(store, "a", limit=2) == 0  # bought before: goes on
    assert buy(store, "d", limit=2, lms="twin") == 1
    assert buy(store, "c", limit=2, hours=12) == 1
    assert bought_on(store.database, TOMORROW) == [Bought("tosa", "campus", TOMORROW, 1)]


def test_what_was_given_back_counts_no_more_and_may_be_bought_again(store: Store) -> None:
    assert [buy(store, name, limit=1) for name in "ab"] == [1, None]
    for _ in range(2):
        with store.database.writing() as connection:
            give_back(connection, "a")
    assert bought_on(store.database, TODAY) == []
    assert [buy(store, name, limit=1) for name in "ba"] == [1, None]
    assert buy(store, "a", limit=1, hours=12) == 1
    assert bought_on(store.database, TODAY) == [Bought("tosa", "campus", TODAY, 1)]


def test_a_race_buys_no_more_than_the_limit(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda number: buy(store, f"a{number}", limit=5), range(40)))
    assert sorted(count for count in counts if count is not None) == [1, 2, 3, 4, 5]
    assert bought_on(store.database, TODAY) == [Bought("tosa", "campus", TODAY, 5)]
