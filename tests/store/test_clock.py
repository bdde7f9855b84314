"""Between machines the database's time decides, whatever theirs says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.engine import Database

pytestmark = pytest.mark.postgres
NEAR = timedelta(seconds=1)
OFF = timedelta(seconds=120)


@pytest.fixture
def database(postgres_database: str) -> Iterator[Database]:
    made = Database(postgres_database)
    yield made
    made.close()


def told(database: Database) -> datetime:
    with database.reading() as connection:
        at = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert isinstance(at, datetime)
    return at


@pytest.mark.parametrize("off", [OFF, -OFF], ids=["ahead", "behind"])
def test_a_machine_with_a_wrong_time_goes_by_the_database(
    database: Database, off: timedelta
) -> None:
    clock = DatabaseClock(database, lambda: datetime.now(UTC) + off)
    seen = [clock() for _ in range(100)]
    clock.close()
    assert seen == sorted(seen)
    assert abs(seen[-1] - told(database)) < NEAR
    assert abs(clock.ahead() - off) < NEAR


def test_a_machine_that_is_set_anew_meanwhile_changes_nothing(database: Database) -> None:
    times = [datetime.now(UTC), datetime(2099, 1, 1, tzinfo=UTC)]
    clock = DatabaseClock(database, lambda: times.pop())
    seen = [clock(), clock()]
    clock.close()
    assert seen[1] - seen[0] < NEAR
    assert len(times) == 2


def test_while_the_database_was_never_heard_of_the_machine_s_time_is_used() -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    clock = DatabaseClock(nowhere, lambda: datetime(2026, 1, 5, tzinfo=UTC))
    assert clock() == datetime(2026, 1, 5, tzinfo=UTC)
    clock.close()
