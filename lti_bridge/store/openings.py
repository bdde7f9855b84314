"""Which activities open soon, and from which LMSs their students will come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, bindparam, text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

SOON = text("SELECT id, opens_at FROM activities WHERE opens_at > :now AND opens_at <= :until")
PLACES = text(
    "SELECT DISTINCT registration, deployment_id FROM links WHERE activity_id IN :ids"
    " ORDER BY registration, deployment_id"
).bindparams(bindparam("ids", expanding=True, type_=Text))


@dataclass(frozen=True, slots=True)
class Opening:
    """An activity, and when it opens."""

    activity_id: str
    at: datetime


def soon(database: Database, now: datetime, until: datetime) -> list[Opening]:
    """Activities that instructors made and that open in this time."""
    with database.reading() as connection:
        found = connection.execute(SOON, {"now": rows.ms(now), "until": rows.ms(until)}).fetchall()
    return [Opening(row[0], rows.moment(row[1])) for row in found]


def places(database: Database, activity_ids: Sequence[str]) -> list[tuple[str, str]]:
    """The registrations and deployments whose links open these activities."""
    with database.reading() as connection:
        found = connection.execute(PLACES, {"ids": list(activity_ids)}).fetchall()
    return [(row[0], row[1]) for row in found]
