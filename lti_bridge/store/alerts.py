"""Matters that operators are told of: by each way once, and once more at the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, bindparam, text

from lti_bridge.core.matters import Matter, Notice
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

TELLING = timedelta(seconds=60)  # for which a process has the right to tell, before another one
# One that comes back before its end was told goes on, and nobody hears of it.
SAVE = text(
    "INSERT INTO alerts (matter, way, said, remedy, since, claimed_until)"
    " VALUES (:matter, :way, :said, :remedy, :since, 0) ON CONFLICT (matter, way)"
    " DO UPDATE SET said = excluded.said, remedy = excluded.remedy, over_at = NULL"
)
LIVING = bindparam("living", expanding=True, type_=Text)
OVER = text(
    "UPDATE alerts SET over_at = :now WHERE over_at IS NULL AND matter NOT IN :living"
).bindparams(LIVING)
FORMER = text("DELETE FROM alerts WHERE way NOT IN :ways").bindparams(
    bindparam("ways", expanding=True, type_=Text)
)
UNHEARD = text("DELETE FROM alerts WHERE over_at IS NOT NULL AND told_at IS NULL")
CLAIM = text(
    "UPDATE alerts SET claimed_until = :until WHERE way = :way AND claimed_until <= :now"
    " AND ((told_at IS NULL AND over_at IS NULL) OR (told_at IS NOT NULL AND over_at <= :calm))"
    " RETURNING matter, said, remedy, since, over_at"
)
TOLD = text(
    "UPDATE alerts SET told_at = :now, claimed_until = 0 WHERE matter = :matter AND way = :way"
)
ENDED = text("DELETE FROM alerts WHERE matter = :matter AND way = :way AND over_at IS NOT NULL")
OPEN = text(
    "SELECT matter, min(said), min(remedy), min(since), max(CASE WHEN told_at IS NULL THEN 1 ELSE 0"
    " END) FROM alerts WHERE over_at IS NULL GROUP BY matter ORDER BY 4, 1"
)


def keep(database: Database, matters: Sequence[Matter], ways: Sequence[str], now: datetime) -> None:
    """Let these be all matters that there are, to be told by these ways."""
    values = [
        {
            "matter": one.key,
            "way": way,
            "said": one.said,
            "remedy": one.remedy,
            "since": rows.ms(one.since),
        }
        for one in matters
        for way in ways
    ]
    with database.writing() as connection:
        connection.execute(FORMER, {"ways": list(ways)})
        if values:
            connection.execute(SAVE, values)
        living = [one.key for one in matters]
        connection.execute(OVER, {"now": rows.ms(now), "living": living})
        connection.execute(UNHEARD)


def claim(database: Database, way: str, now: datetime, calm: timedelta) -> list[Notice]:
    """Take what is to be told by a way now; an end only when it has lasted for `calm`."""
    values = {
        "way": way,
        "now": rows.ms(now),
        "until": rows.ms(now + TELLING),
        "calm": rows.ms(now - calm),
    }
    with database.writing() as connection:
        found = connection.execute(CLAIM, values).fetchall()
    return [Notice(_matter(row), rows.moment(row[4]) if row[4] else None) for row in sorted(found)]


def told(database: Database, way: str, notices: Sequence[Notice], now: datetime) -> None:
    """These have been told."""
    with database.writing() as connection:
        for one in notices:
            which = {"matter": one.matter.key, "way": way}
            if one.over:
                connection.execute(ENDED, which)
            else:
                connection.execute(TOLD, {**which, "now": rows.ms(now)})


def open_matters(database: Database) -> list[tuple[Matter, bool]]:
    """What lasts, the oldest first, and whether it has been told by all ways."""
    with database.reading() as connection:
        found = connection.execute(OPEN).fetchall()
    return [(_matter(row), not row[4]) for row in found]


def _matter(row: Any) -> Matter:
    return Matter(row[0], row[1], row[2], rows.moment(row[3]))
