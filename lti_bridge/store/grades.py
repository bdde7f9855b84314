"""Grades for people who look after them: listing them, and sending them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

# The words of an index (attempts_for_people) stand in the condition.
HELD = (
    "SELECT a.link_id, a.learner_id, max(a.held) AS held FROM attempts a"
    " WHERE a.state IN ('unclear', 'held') AND a.state = 'held' GROUP BY a.link_id, a.learner_id"
)
LIST = text(
    "SELECT g.id, g.registration, g.user_id, g.given, g.maximum, g.delivery, g.last_error, g.tries,"  # noqa: S608 - constants
    " g.changed_at, g.shown, g.shown_at, g.overridden, g.awaiting, g.version,"
    f" coalesce(h.held, '') AS held FROM grades g LEFT JOIN ({HELD}) h"
    " ON h.link_id = g.link_id AND h.learner_id = g.learner_id"
    " WHERE (g.version > 0 OR h.held IS NOT NULL)"
    " AND (:stuck = 0 OR g.delivery IN ('refused', 'waiting') OR h.held IS NOT NULL)"
    " ORDER BY g.changed_at DESC LIMIT :limit"
)
# A new version: an LMS may refuse the timestamp of a score that it was told before.
RESEND = text(
    "UPDATE grades SET delivery = 'pending', due_at = :now, tries = 0, version = version + 1,"
    " forced_version = CASE WHEN :force = 1 THEN version + 1 ELSE forced_version END"
    " WHERE version > 0 AND (id IN :ids"
    " OR (:stuck = 1 AND delivery IN ('refused', 'waiting')))"
).bindparams(bindparam("ids", expanding=True, type_=Text))


def list_grades(database: Database, *, stuck: bool, limit: int) -> list[dict[str, Any]]:
    """Grades as plain values, the newest first."""
    with database.reading() as connection:
        found = connection.execute(LIST, {"stuck": int(stuck), "limit": limit}).fetchall()
    return [
        {
            "id": row.id,
            "registration": row.registration,
            "user": row.user_id,
            "grade": rows.wanted(row.given, row.maximum, row.awaiting) if row.version else "",
            "delivery": row.delivery,
            "reason": row.last_error,
            "tries": row.tries,
            "changed_at": rows.moment(row.changed_at).isoformat(timespec="seconds"),
            "shown": row.shown,
            "shown_at": _time(row.shown_at),
            "overridden": bool(row.overridden),
            "held": row.held,
        }
        for row in found
    ]


def resend(
    database: Database, ids: Sequence[str], *, stuck: bool, now: datetime, force: bool = False
) -> int:
    """Let grades be delivered again; returns how many.

    `force` replaces also what a teacher has entered instead.
    """
    values = {"ids": list(ids), "stuck": int(stuck), "now": rows.ms(now), "force": int(force)}
    with database.writing() as connection:
        return connection.execute(RESEND, values).rowcount


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return rows.moment(milliseconds).isoformat(timespec="seconds")
