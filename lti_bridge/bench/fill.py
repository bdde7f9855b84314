"""Filling the database before a measurement, as that many first clicks would have done.

Every row is a function of its number, which the database itself computes: a million rows of each of
seven tables take a minute or two, where rows that Python makes take ten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import Connection, event, text

from lti_bridge.store.engine import Database

LMS11, LMS13, CONNECTION, ACTIVITY = "campus11", "campus13", "tosa", "test"
CONNECTION13, ACTIVITY13 = "quiz", "test13"  # of an LTI 1.3 tool
BATCH = 50_000
FILLING = ("cache_size=-1000000", "synchronous=OFF", "foreign_keys=OFF")

FIRST, SPREAD, RANGE = 1_000_000_000, 2_654_435_761, 4_294_967_296  # so that all have ten digits
NUMBER = f"CAST({FIRST} + i AS TEXT)"
SCATTERED = f"CAST({FIRST} + i * {SPREAD} % {RANGE} AS TEXT)"
NUMBERS = (
    "WITH RECURSIVE numbers(i) AS (SELECT CAST(:first AS BIGINT)"
    " UNION ALL SELECT i + 1 FROM numbers WHERE i < :last - 1)"
)


def row_id(kind: str, number: int) -> str:
    """The id of a filled row: as long as a real one, and in the order of the rows as real ones."""
    return f"{kind[:2]}{FIRST + number}{FIRST + number * SPREAD % RANGE}"


def _id(kind: str) -> str:
    """The same in SQL."""
    return f"'{kind[:2]}' || {NUMBER} || {SCATTERED}"


REGISTRATION = f"CASE i % 2 WHEN 1 THEN '{LMS13}' ELSE '{LMS11}' END"
DEPLOYMENT = "CASE i % 2 WHEN 1 THEN '1' ELSE '' END"
ACTIVITY_OF = f"CASE WHEN i % 4 > 1 THEN '{ACTIVITY13}' ELSE '{ACTIVITY}' END"
CONNECTION_OF = f"CASE WHEN i % 4 > 1 THEN '{CONNECTION13}' ELSE '{CONNECTION}' END"
CELL = {"link_id": _id("link"), "learner_id": _id("learner")}
TABLES: dict[str, dict[str, str]] = {
    "learners": {
        "id": _id("learner"),
        "registration": REGISTRATION,
        "user_id": "'user-' || i",
        "created_at": ":now",
    },
    "links": {
        "id": _id("link"),
        "registration": REGISTRATION,
        "deployment_id": DEPLOYMENT,
        "context_id": "'course-' || i",
        "resource_link_id": "'link-' || i",
        "activity_id": ACTIVITY_OF,
        "created_at": ":now",
    },
    "attempts": {
        "id": _id("attempt"),
        **CELL,
        "number": "1",
        "activity_id": ACTIVITY_OF,
        "connection": CONNECTION_OF,
        "grade_policy": "'best'",
        "state": "'created'",
        "is_open": "1",
        "created_at": ":now",
        "changed_at": ":now",
    },
    "grades": {
        "id": _id("grade"),
        **CELL,
        "version": "0",
        "registration": REGISTRATION,
        "deployment_id": DEPLOYMENT,
        "user_id": "'user-' || i",
        "outcome_url": "CAST(:lms AS TEXT) || '/outcomes'",
        "sourced_id": """'{"data":{"instanceid"' || ':"7","userid"' || ':"' || i || '"}}'""",
        "line_item": "''",
        "line_items": "''",
        "scopes": "''",
        "delivery": "'none'",
        "tries": "0",
        "stamp": "0",
        "stamp_version": "0",
        "delivered_version": "0",
        "last_error": "''",
        "changed_at": ":now",
    },
    "launches": {
        "id": _id("launch"),
        "registration": REGISTRATION,
        **CELL,
        "attempt_id": _id("attempt"),
        "return_url": "CAST(:lms AS TEXT) || '/mod/lti/return.php?course=2'",
        # one after the other, or a database plans for many clicks of the very same moment
        "received_at": "CAST(:now AS BIGINT) - i",
    },
    "results": {
        "id": _id("result"),
        "attempt_id": _id("attempt"),
        "source": "'outcome'",
        "event": _id("event"),
        "raw": "'{}'",
        "received_at": ":now",
    },
    # what others chose is in no order
    "used_once": {
        "scope": f"'lti11:{LMS11}'",
        "value": f"'once' || {SCATTERED} || {NUMBER}",
        "expires_at": "CAST(:now AS BIGINT) + 86400000",
    },
}


def link_of(number: int) -> tuple[str, str]:
    """Context id and resource link id of a filled link."""
    return f"course-{number}", f"link-{number}"


def user_of(number: int) -> str:
    """The LMS's user id of a filled learner."""
    return f"user-{number}"


def activity_of(number: int) -> str:
    """The activity of a filled link: two of four open the LTI 1.3 tool, one of each kind of LMS."""
    return ACTIVITY13 if number % 4 > 1 else ACTIVITY


def fill(
    database: Database, first: int, last: int, lms_url: str, tell: Callable[[str], None]
) -> None:
    """Add rows `first` to `last - 1` of everything; even ones belong to LTI 1.1, odd to 1.3."""
    now = int(time.time() * 1000)
    engine = database.plain_engine()  # not as a bridge has it: no other one is there yet
    if database.is_sqlite:
        event.listen(engine, "connect", _prepare)
    with closing(engine.connect()) as connection:
        for start in range(first, last, BATCH):
            stop = min(start + BATCH, last)
            _add(connection, {"first": start, "last": stop, "now": now, "lms": lms_url})
            if stop % (10 * BATCH) == 0:
                tell(f"{stop} rows of each table")
    engine.dispose()
    if not database.is_sqlite:
        with database.reading() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _add(connection: Connection, values: dict[str, int | str]) -> None:
    for table, columns in TABLES.items():
        names, chosen = ", ".join(columns), ", ".join(columns.values())
        statement = f"INSERT INTO {table} ({names}) {NUMBERS} SELECT {chosen} FROM numbers"  # noqa: S608
        connection.execute(text(statement), values)
    connection.commit()


def _prepare(connection: object, _record: object) -> None:
    for pragma in FILLING:
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]
