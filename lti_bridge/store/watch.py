"""What each process sees of the parties, so that all of them, and people, can know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

STALE = timedelta(seconds=60)  # what nobody has seen for so long is not so any more
SAVE = text(
    "INSERT INTO observations (process, what, about, said, since, seen_at)"
    " VALUES (:process, :what, :about, :said, :since, :seen_at) ON CONFLICT (process, what, about)"
    " DO UPDATE SET said = excluded.said, since = excluded.since, seen_at = excluded.seen_at"
)
FORGET = text("DELETE FROM observations WHERE process = :process OR seen_at < :before")
ALL = text(
    "SELECT what, about, said, min(since) FROM observations WHERE seen_at >= :fresh"
    " GROUP BY what, about, said ORDER BY what, about, said"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen of a party: `what` kind of work with it, or what of it, and how that stands."""

    what: str
    about: str
    said: str
    since: datetime


def observe(database: Database, process: str, seen: Iterable[Observation], now: datetime) -> None:
    """Let these be all that a process sees now."""
    values = [
        {
            "process": process,
            "what": one.what,
            "about": one.about,
            "said": one.said,
            "since": rows.ms(one.since),
            "seen_at": rows.ms(now),
        }
        for one in seen
    ]
    with database.writing() as connection:
        connection.execute(FORGET, {"process": process, "before": rows.ms(now - 2 * STALE)})
        if values:
            connection.execute(SAVE, values)


def observed(database: Database, now: datetime) -> list[Observation]:
    """What any process sees now, and since when the first of them has."""
    with database.reading() as connection:
        found = connection.execute(ALL, {"fresh": rows.ms(now - STALE)}).fetchall()
    return [Observation(row[0], row[1], row[2], rows.moment(row[3])) for row in found]
