"""Whether the database can be written: full, read-only, locked, hanging, and what a look costs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from lti_bridge.store.engine import Database, reachable
from lti_bridge.store.health import (
    AGAIN_S,
    AWAY,
    BROKEN,
    FULL,
    LOCKED,
    NO_SCHEMA,
    READ_ONLY_SERVER,
    SLOW,
    Health,
    trouble,
)

ROOT = Path(__file__).parents[2]
COUNT = text("SELECT count(*) FROM write_probe")
NOBODY = 65_534
# Its disk takes no more: no file of this process may grow beyond a size.
FULL_DISK = """
import resource, sys
from lti_bridge.store.engine import Database, reachable
from lti_bridge.store.health import trouble

database = Database(sys.argv[1])
print(trouble(database))
size = database.files[0].stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
said = None
for number in range(size // 65536 + 2):
    said = said or trouble(database)
print(said.said, said.remedy, said.readable, reachable(database), sep="; ")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(trouble(database))
"""
# Nobody in particular, who may read the file and nothing more.
READER = """
import os, sys
from lti_bridge.store.engine import Database, reachable
from lti_bridge.store.health import trouble

database = Database(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
print(reachable(database))
print(trouble(database))
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def probes(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(COUNT).scalar_one())


def write(database: Database) -> None:
    with database.cursor() as cursor:
        cursor.execute(database.native(text("DELETE FROM write_probe WHERE id = ''")))


def script(source: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", source, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_looks_leave_one_row_however_many_there_are(database: Database) -> None:
    assert [trouble(database) for _ in range(3)] == [None] * 3
    assert probes(database) == 1


def test_nothing_is_written_where_a_write_has_just_succeeded(database: Database) -> None:
    health = Health(database)
    write(database)
    assert health.trouble() is None
    assert probes(database) == 0
    with pytest.raises(database.driver_error), database.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    assert health.trouble() is None  # what has failed is a reason to look
    assert probes(database) == 1


def test_a_database_without_schema_is_not_ready(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    assert trouble(database) == NO_SCHEMA
    assert not NO_SCHEMA.readable
    database.close()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    made = Database(url)
    made.migrate()
    made.close()
    before, full, after = script(FULL_DISK, url)
    assert (before, after) == ("None", "None")
    said, remedy, readable, answers = full.split("; ")[0], full, "True" in full, full[-4:]
    assert said in (FULL.said, BROKEN.said)
    assert "Free space" in remedy
    assert readable
    assert answers == "True"  # which is why asking whether it answers was not enough


def test_no_more_pages_are_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/bridge.sqlite3")
    database.migrate()
    with database.cursor() as cursor:  # the connection that the next writer has too
        cursor.execute("PRAGMA max_page_count = 1")
    assert trouble(database) == FULL
    database.close()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"bridge-readable-{os.getpid()}"  # others may not enter pytest's
    folder.mkdir()
    path = folder / "bridge.sqlite3"
    try:
        made = Database(f"sqlite:///{path}")
        made.migrate()
        made.close()
        path.chmod(0o444)
        folder.chmod(0o777)
        answers, said = script(READER, f"sqlite:///{path}", str(NOBODY))
    finally:
        for one in folder.iterdir():
            one.unlink()
        folder.rmdir()
    assert answers == "True"
    assert "the database is read-only" in said
    assert "the right to write the database's file" in said


@pytest.mark.postgres
def test_a_server_that_takes_no_writes_is_told(postgres_database: str) -> None:
    engine = create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    engine.dispose()
    database = Database(postgres_database)
    assert reachable(database)
    assert trouble(database) == READ_ONLY_SERVER
    database.close()


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_told() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    assert trouble(database) == AWAY
    database.close()


@contextmanager
def held(url: str) -> Iterator[None]:
    """The database while another program has a transaction open."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("BEGIN" if "postgres" in url else "BEGIN IMMEDIATE"))
        if "postgres" in url:
            connection.execute(text("LOCK TABLE write_probe"))
        yield
        connection.execute(text("ROLLBACK"))
    engine.dispose()


def timed(act: Callable[[], object]) -> tuple[object, float]:
    begun = time.monotonic()
    return act(), time.monotonic() - begun


def test_a_locked_database_keeps_nobody_waiting_long(database: Database, database_url: str) -> None:
    health = Health(database)
    before = threading.active_count()
    with held(database_url):
        said, seconds = timed(lambda: health.trouble(0.5))
        assert said == SLOW
        assert seconds < 2
        for _ in range(5):
            said, seconds = timed(lambda: health.trouble(0.5))
            assert said == SLOW
            assert seconds < 0.4  # they do not wait again for the same look
        assert threading.active_count() <= before + 1
        assert health.trouble(30) == LOCKED
        assert LOCKED.readable
    time.sleep(AGAIN_S)
    assert health.trouble(30) is None
