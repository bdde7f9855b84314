"""Grades for people who look after them: listing them, and sending them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

LIST = text(
    "SELECT id, registration, user_id, given, maximum, delivery, last_error, tries, changed_at,"
    " shown, shown_at, overridden, awaiting"
    " FROM grades WHERE version > 0 AND (:stuck = 0 OR delivery IN ('refused', 'waiting'))"
    " ORDER BY changed_at DESC LIMIT :limit"
)
# A new version: an LMS may refuse the timestamp of a score that it was told before.
RESEND = text(
    "UPDATE grades SET delivery = 'pending', due_at = :now, tries = 0, version = version + 1,"
    " forced_version = CASE WHEN :force = 1 THEN version + 1 ELSE forced_version END"
    " WHERE version > 0 AND (id IN :ids"
    " OR (:stuck = 1 AND delivery IN ('refused', 'waiting')))"
).bindparams(bindparam("ids", expanding=True))


def list_grades(database: Database, *, stuck: bool, limit: int) -> list[dict[str, Any]]:
    """Grades as plain values, the newest first."""
    with database.reading() as connection:
        found = connection.execute(LIST, {"stuck": int(stuck), "limit": limit}).fetchall()
    return [
        {
            "id": row.id,
            "registration": row.registration,
            "user": row.user_id,
            "grade": rows.wanted(row.given, row.maximum, row.awaiting),
            "delivery": row.delivery,
            "reason": row.last_error,
            "tries": row.tries,
            "changed_at": rows.moment(row.changed_at).isoformat(timespec="seconds"),
            "shown": row.shown,
            "shown_at": _time(row.shown_at),
            "overridden": bool(row.overridden),
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
