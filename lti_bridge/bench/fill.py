"""Filling the database before a measurement, as that many first clicks would have done."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any

from lti_bridge.store.engine import Database

LMS11, LMS13, CONNECTION, ACTIVITY = "campus11", "campus13", "tosa", "test"
CONNECTION13, ACTIVITY13 = "quiz", "test13"  # of an LTI 1.3 tool
BATCH = 20_000
DAY_MS = 86_400_000
FILLING = ("cache_size=-1000000", "synchronous=OFF", "foreign_keys=OFF")

Row = dict[str, Any]


@lru_cache(8 * BATCH)
def row_id(kind: str, number: int) -> str:
    """The id of a filled row: as long and as scattered as a real one."""
    digest = hashlib.blake2b(f"{kind} {number}".encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def link_of(number: int) -> tuple[str, str]:
    """Context id and resource link id of a filled link."""
    return f"course-{number}", f"link-{number}"


def user_of(number: int) -> str:
    """The LMS's user id of a filled learner."""
    return f"user-{number}"


def opens_tool13(number: int) -> bool:
    """Whether a filled link opens the LTI 1.3 tool: two of four do, one of each kind of LMS."""
    return number % 4 > 1


def activity_of(number: int) -> str:
    """The activity of a filled link."""
    return ACTIVITY13 if opens_tool13(number) else ACTIVITY


def fill(
    database: Database, first: int, last: int, lms_url: str, tell: Callable[[str], None]
) -> None:
    """Add rows `first` to `last - 1` of everything; even ones belong to LTI 1.1, odd to 1.3."""
    add = _sqlite_rows if database.is_sqlite else _postgres_rows
    now = int(time.time() * 1000)
    for start in range(first, last, BATCH):
        numbers = range(start, min(start + BATCH, last))
        add(database, _tables(numbers, lms_url, now))
        if (start - first) // BATCH % 10 == 9:
            tell(f"{numbers.stop} rows of each table")
    if not database.is_sqlite:
        with database.reading() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _sqlite_rows(database: Database, tables: Iterable[tuple[str, list[Row]]]) -> None:
    """On a connection of their own, for what makes this quick is not what a bridge should have."""
    with closing(sqlite3.connect(database.engine.url.database or "")) as connection:
        for pragma in FILLING:
            connection.execute(f"PRAGMA {pragma}")
        with connection:
            for table, rows in tables:
                names = ", ".join(rows[0])
                values = ", ".join(f":{name}" for name in rows[0])
                connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", rows)  # noqa: S608


def _postgres_rows(database: Database, tables: Iterable[tuple[str, list[Row]]]) -> None:
    with database.cursor() as cursor:
        for table, rows in tables:
            with cursor.copy(f"COPY {table} ({', '.join(rows[0])}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(list(row.values()))


def _tables(numbers: range, lms_url: str, now: int) -> Iterator[tuple[str, list[Row]]]:
    for table, row in (
        ("learners", _learner),
        ("links", _link),
        ("attempts", _attempt),
        ("grades", _grade),
        ("launches", _launch),
        ("results", _result),
        ("used_once", _once),
    ):
        yield table, [row(number, lms_url, now) for number in numbers]


def _registration(number: int) -> str:
    return LMS13 if number % 2 else LMS11


def _deployment(number: int) -> str:
    return "1" if number % 2 else ""


def _cell(number: int) -> Row:
    return {"link_id": row_id("link", number), "learner_id": row_id("learner", number)}


def _learner(number: int, lms_url: str, now: int) -> Row:
    return {
        "id": row_id("learner", number),
        "registration": _registration(number),
        "user_id": user_of(number),
        "created_at": now,
    }


def _link(number: int, lms_url: str, now: int) -> Row:
    course, link = link_of(number)
    return {
        "id": row_id("link", number),
        "registration": _registration(number),
        "deployment_id": _deployment(number),
        "context_id": course,
        "resource_link_id": link,
        "activity_id": activity_of(number),
        "created_at": now,
    }


def _attempt(number: int, lms_url: str, now: int) -> Row:
    return {
        "id": row_id("attempt", number),
        **_cell(number),
        "number": 1,
        "activity_id": activity_of(number),
        "connection": CONNECTION13 if opens_tool13(number) else CONNECTION,
        "grade_policy": "best",
        "state": "created",
        "is_open": 1,
        "created_at": now,
        "changed_at": now,
    }


def _grade(number: int, lms_url: str, now: int) -> Row:
    return {
        "id": row_id("grade", number),
        **_cell(number),
        "version": 0,
        "registration": _registration(number),
        "deployment_id": _deployment(number),
        "user_id": user_of(number),
        "outcome_url": f"{lms_url}/outcomes",
        "sourced_id": f'{{"data":{{"instanceid":"7","userid":"{number}"}}}}',
        "line_item": "",
        "line_items": "",
        "scopes": "",
        "delivery": "none",
        "tries": 0,
        "stamp": 0,
        "stamp_version": 0,
        "delivered_version": 0,
        "last_error": "",
        "changed_at": now,
    }


def _launch(number: int, lms_url: str, now: int) -> Row:
    return {
        "id": row_id("launch", number),
        "registration": _registration(number),
        **_cell(number),
        "attempt_id": row_id("attempt", number),
        "return_url": f"{lms_url}/mod/lti/return.php?course=2",
        "received_at": now,
    }


def _result(number: int, lms_url: str, now: int) -> Row:
    return {
        "id": row_id("result", number),
        "attempt_id": row_id("attempt", number),
        "source": "outcome",
        "event": row_id("event", number),
        "raw": "{}",
        "received_at": now,
    }


def _once(number: int, lms_url: str, now: int) -> Row:
    return {
        "scope": f"lti11:{LMS11}",
        "value": row_id("once", number),
        "expires_at": now + DAY_MS,
    }
