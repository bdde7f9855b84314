"""What is too old goes in small steps, and nothing else goes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from lti_bridge.assembly.basics import now
from lti_bridge.bench.fill import fill, row_id
from lti_bridge.bench.parties import Parties
from lti_bridge.store.engine import Database
from lti_bridge.store.purge import FEWEST, FIRST, MOST, Keep, Purge

ROWS = 700
LATER = now() + timedelta(days=400)
KEEP = Keep(launches=180, history=0, answers=0)
STAYS = ("attempts", "grades", "learners", "links", "results")
WORDS = text('UPDATE results SET raw = \'{"status": "done"}\'')
HISTORY = text(
    "INSERT INTO attempt_changes (attempt_id, at, state, source, detail)"
    " SELECT id, created_at, 'graded', 'provider', '' FROM attempts"
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with rows of each table, made now, with history and words of providers."""
    made = Database(database_url)
    fill(made, 0, ROWS, "https://lms.example.org", print)
    with made.writing() as connection:
        connection.execute(WORDS)
        connection.execute(HISTORY)
    yield made
    made.close()


def count(database: Database, table: str) -> int:
    with database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def test_what_is_too_old_goes_step_by_step(database: Database) -> None:
    purge = Purge(database, KEEP)
    there = {old.table: rows for old, rows in purge.counts(LATER).items() if rows}
    assert there == {"used_once": ROWS, "launches": ROWS}
    steps = list(purge.steps(LATER))
    assert max(step.rows for step in steps) <= MOST
    assert min(step.rest_s for step in steps) >= 0.05
    assert sum(step.rows for step in steps) == 2 * ROWS
    assert {table: count(database, table) for table in there} == dict.fromkeys(there, 0)
    assert {table: count(database, table) for table in STAYS} == dict.fromkeys(STAYS, ROWS)
    assert count(database, "attempt_changes") == ROWS


def test_nothing_goes_before_its_time(database: Database) -> None:
    assert not list(Purge(database, KEEP).steps(now()))
    day = Purge(database, KEEP).counts(now() + timedelta(days=2))
    assert {old.table for old, rows in day.items() if rows} == {"used_once"}


def test_words_of_providers_go_and_what_was_said_stays(database: Database) -> None:
    keep = Keep(launches=9999, history=300, answers=300)
    gone = {step.what.table for step in Purge(database, keep).steps(LATER)}
    assert gone == {"used_once", "attempt_changes", "results"}
    assert count(database, "attempt_changes") == 0
    with database.reading() as connection:
        said = connection.execute(text("SELECT raw, event, attempt_id FROM results")).fetchall()
    assert {row.raw for row in said} == {"{}"}
    # by which the same message is known when it comes again
    assert {(row.event, row.attempt_id) for row in said} == {
        (row_id("event", number), row_id("attempt", number)) for number in range(ROWS)
    }
    assert not list(Purge(database, keep).steps(LATER))


def test_two_at_once_do_it_once(database: Database) -> None:
    def purge(_number: int) -> int:
        return sum(step.rows for step in Purge(database, KEEP).steps(LATER))

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(purge, range(2))) == 2 * ROWS


def test_steps_get_smaller_where_they_take_long(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/slow.sqlite3")
    database.migrate()
    fill(database, 0, 300, "https://lms.example.org", print)
    with database.writing() as connection:  # each row that goes costs a look at 90,000
        connection.exec_driver_sql(
            "CREATE TRIGGER slow AFTER DELETE ON used_once"
            " BEGIN SELECT count(*) FROM attempts a, attempts b WHERE a.state <> b.id; END"
        )
    rows = [step.rows for step in Purge(database, KEEP).steps(now() + timedelta(days=2))]
    database.close()
    assert rows[0] == FIRST
    assert rows[-2] == FEWEST


def test_a_worker_does_it_and_stops_in_the_middle_when_it_is_told(tmp_path: Path) -> None:
    parties = Parties(tmp_path, "", "WARNING")
    database = Database(f"sqlite:///{tmp_path}/bridge.sqlite3")
    database.migrate()
    fill(database, 0, 20_000, parties.lms_url, print)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE used_once SET expires_at = 1")
    command = [sys.executable, "-m", "lti_bridge", "worker", "--config", str(parties.config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        while count(database, "used_once") == 20_000:
            assert worker.poll() is None
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert 0 < count(database, "used_once") < 20_000
    assert count(database, "launches") == 20_000
    database.close()
