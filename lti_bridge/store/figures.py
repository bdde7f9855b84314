"""Figures for whoever watches a bridge: by indexes, however many grades there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.grade.deliveries import DEPARTED
from lti_bridge.core.grade.states import ONCE_MORE
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

MOST = 20_000  # pending grades that are looked at, by the index of what is due
PENDING = text(
    "SELECT registration, count(*), min(changed_at) FROM (SELECT registration, changed_at"
    " FROM grades WHERE due_at IS NOT NULL AND delivery = 'pending' AND last_error <> :departed"
    " LIMIT :most) p GROUP BY registration"
)
LATE = text(
    "SELECT registration, last_error, count(*), min(changed_at), sum(late) FROM (SELECT"
    " registration, last_error, changed_at, CASE WHEN due_at <= :overdue THEN 1 ELSE 0 END AS late"
    " FROM grades WHERE due_at IS NOT NULL AND delivery = 'pending'"
    " AND last_error NOT IN (:departed, :once_more)"
    " LIMIT :most) p GROUP BY registration, last_error ORDER BY registration, 3 DESC"
)
# The words of the condition are those of the index grades_for_people.
FOR_PEOPLE = text(
    "SELECT registration, delivery, count(*) FROM grades"
    " WHERE delivery IN ('refused', 'waiting') GROUP BY registration, delivery"
)

QUESTIONS = text(
    "SELECT connection, count(*) FROM (SELECT connection FROM attempts WHERE poll_at <= :now"
    " LIMIT :most) p GROUP BY connection"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Grades that are on their way to an LMS: how many, and since when the oldest one."""

    registration: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """Pending grades of an LMS that have this `reason` in common, or none: the first try is due.

    `since` is when the oldest of them was wanted; `overdue` of them are due for some time.
    """

    registration: str
    reason: str
    count: int
    since: datetime
    overdue: int


def late(database: Database, overdue: datetime) -> list[Late]:
    """By LMS, and by reason the most frequent first; of very many, not all are counted."""
    values = {"departed": DEPARTED, "once_more": ONCE_MORE, "most": MOST}
    values |= {"overdue": rows.ms(overdue)}
    with database.reading() as connection:
        found = connection.execute(LATE, values).fetchall()
    return [Late(row[0], row[1], row[2], rows.moment(row[3]), int(row[4])) for row in found]


def pending(database: Database) -> list[Pending]:
    """By LMS, without those of learners who have left; of very many, not all are counted."""
    with database.reading() as connection:
        found = connection.execute(PENDING, {"departed": DEPARTED, "most": MOST}).fetchall()
    return [Pending(row[0], row[1], rows.moment(row[2])) for row in found]


def for_people(database: Database) -> dict[tuple[str, str], int]:
    """How many grades were refused or wait for a person, by LMS and state."""
    with database.reading() as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(FOR_PEOPLE)}


def questions_due(database: Database, now: datetime) -> dict[str, int]:
    """How many attempts providers are to be asked about now, by connection."""
    with database.reading() as connection:
        found = connection.execute(QUESTIONS, {"now": rows.ms(now), "most": MOST})
        return {row[0]: row[1] for row in found}
