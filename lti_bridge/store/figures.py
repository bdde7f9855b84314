"""Figures for whoever watches a bridge: by indexes, however many grades there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.grade.deliveries import DEPARTED
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

MOST = 20_000  # pending grades that are looked at, by the index of what is due
PENDING = text(
    "SELECT registration, count(*), min(changed_at) FROM (SELECT registration, changed_at"
    " FROM grades WHERE due_at IS NOT NULL AND delivery = 'pending' AND last_error <> :departed"
    " LIMIT :most) p GROUP BY registration"
)
# The words of the condition are those of the index grades_for_people.
FOR_PEOPLE = text(
    "SELECT registration, delivery, count(*) FROM grades"
    " WHERE delivery IN ('refused', 'waiting') GROUP BY registration, delivery"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Grades that are on their way to an LMS: how many, and since when the oldest one."""

    registration: str
    count: int
    since: datetime


def pending(database: Database) -> list[Pending]:
    """By LMS, without those of learners who have left; of very many, not all are counted."""
    with database.reading() as connection:
        found = connection.execute(PENDING, {"departed": DEPARTED, "most": MOST}).fetchall()
    return [Pending(row[0], row[1], rows.moment(row[2])) for row in found]


def for_people(database: Database) -> dict[tuple[str, str], int]:
    """How many grades were refused or wait for a person, by LMS and state."""
    with database.reading() as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(FOR_PEOPLE)}
