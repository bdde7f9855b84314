"""What a start with a current schema costs."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from lti_bridge.errors import BadRequest
from lti_bridge.store.checkpoints import EVERY
from lti_bridge.store.engine import Database

ROOT = Path(__file__).parents[2]
START = """
import sys
import time
from lti_bridge.store.engine import Database, reachable

database = Database(sys.argv[1])
database.migrate()
print(reachable(database), "alembic" in sys.modules)
database.close()
"""


def start(url: str) -> str:
    """Whether there is a schema after a start, and whether it took the tool for migrations."""
    command = [sys.executable, "-c", START, url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_only_a_schema_that_is_not_current_is_migrated(empty_database_url: str) -> None:
    assert start(empty_database_url).split() == ["True", "True"]
    assert start(empty_database_url).split() == ["True", "False"]


def test_what_no_database_can_hold_is_a_bad_request(database_url: str) -> None:
    database = Database(database_url)
    says = text("SELECT CAST(:said AS TEXT)")
    for said in ("half \ud83d", *(() if database.is_sqlite else ("NUL \0",))):
        with pytest.raises(BadRequest), database.reading() as connection:
            connection.execute(says, {"said": said})
        with pytest.raises(BadRequest), database.writing() as connection:
            connection.execute(says, {"said": said})
        with pytest.raises(BadRequest), database.cursor() as cursor:
            cursor.execute(database.native(says), {"said": said})
    with database.cursor() as cursor:  # and nothing is left locked
        assert cursor.execute(database.native(says), {"said": "ü😀"}).fetchone()[0] == "ü😀"
    database.close()


def test_a_transaction_within_a_transaction_is_part_of_it(database_url: str) -> None:
    database = Database(database_url)
    add, count = text("INSERT INTO joined VALUES (1)"), text("SELECT count(*) FROM joined")
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE joined (one INTEGER)")
    for wanted in (0, 2):
        with suppress(ZeroDivisionError), database.cursor() as outer:
            outer.execute(database.native(add))
            with database.cursor() as inner:
                inner.execute(database.native(add))
            if not wanted:
                raise ZeroDivisionError
        with database.reading() as connection:
            assert connection.execute(count).scalar_one() == wanted
    with database.cursor() as cursor:
        cursor.execute("DROP TABLE joined")
    database.close()


def test_the_log_of_sqlite_is_brought_in_beside_those_who_write(tmp_path: Path) -> None:
    file = tmp_path / "bridge.sqlite3"
    database = Database(f"sqlite:///{file}")
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (note TEXT)")
    add = text("INSERT INTO notes VALUES (:note)")
    with database.cursor() as cursor:
        cursor.execute(database.native(add), {"note": "the first of many"})
    assert b"the first of many" not in file.read_bytes()  # but in the log
    for number in range(EVERY):
        with database.cursor() as cursor:
            cursor.execute(database.native(add), {"note": str(number)})
    until = time.monotonic() + 20
    while b"the first of many" not in file.read_bytes():
        assert time.monotonic() < until
        time.sleep(0.05)
    database.close()
    with database.cursor() as cursor:  # and it may be used again
        cursor.execute(database.native(add), {"note": "later"})
    database.close()
