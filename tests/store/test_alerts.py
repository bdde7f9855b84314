"""Each matter is told once by each way, whoever of several processes does, and so is its end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.matters import Matter, Notice
from lti_bridge.store import alerts
from lti_bridge.store.engine import Database

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
CALM = timedelta(seconds=120)
AWAY, LATE = (Matter(key, f"{key}!", "Look.", NOW) for key in ("away", "late"))
WAYS = ("log", "mail")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def told(database: Database, way: str, after_s: float) -> list[Notice]:
    """What one process tells by a way at a time."""
    now = NOW + timedelta(seconds=after_s)
    notices = alerts.claim(database, way, now, CALM)
    alerts.told(database, way, notices, now)
    return notices


def test_a_matter_is_told_once_by_each_way_and_so_is_its_end(database: Database) -> None:
    alerts.keep(database, [AWAY, LATE], WAYS, NOW)
    assert told(database, "mail", 1) == [Notice(AWAY), Notice(LATE)]
    assert told(database, "mail", 2) == []
    assert alerts.open_matters(database) == [(AWAY, False), (LATE, False)]
    assert told(database, "log", 3) == [Notice(AWAY), Notice(LATE)]
    assert alerts.open_matters(database) == [(AWAY, True), (LATE, True)]
    alerts.keep(database, [AWAY, LATE], WAYS, NOW + timedelta(seconds=60))
    assert told(database, "mail", 61) == []
    over = NOW + timedelta(seconds=100)
    alerts.keep(database, [LATE], WAYS, over)
    assert told(database, "mail", 219) == []  # it may come back
    assert told(database, "mail", 221) == [Notice(AWAY, over)]
    assert told(database, "mail", 222) == []


def test_one_that_comes_back_soon_goes_on_and_one_that_nobody_heard_of_goes(
    database: Database,
) -> None:
    alerts.keep(database, [AWAY], WAYS, NOW)
    told(database, "mail", 1)
    alerts.keep(database, [], WAYS, NOW + timedelta(seconds=60))
    alerts.keep(database, [AWAY], WAYS, NOW + timedelta(seconds=100))
    assert told(database, "mail", 300) == []
    assert told(database, "log", 300) == [Notice(AWAY)]  # its row went, and came back


def test_several_processes_tell_it_once(database: Database) -> None:
    alerts.keep(database, [AWAY], WAYS, NOW)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: alerts.claim(database, "mail", NOW, CALM), range(8)))
    assert sum(map(len, found)) == 1


def test_who_dies_while_telling_leaves_it_to_another(database: Database) -> None:
    alerts.keep(database, [AWAY], WAYS, NOW)
    assert alerts.claim(database, "mail", NOW, CALM) == [Notice(AWAY)]
    assert told(database, "mail", 59) == []
    assert told(database, "mail", 61) == [Notice(AWAY)]


def test_a_way_that_is_not_set_any_more_is_forgotten(database: Database) -> None:
    alerts.keep(database, [AWAY], WAYS, NOW)
    alerts.keep(database, [AWAY], ("log",), NOW)
    told(database, "log", 1)
    assert alerts.open_matters(database) == [(AWAY, True)]
