"""Who has a candidate or a test at a provider: one row each, decided by who inserts it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

BIND = text(
    "INSERT INTO owners (id, what, connection, learner_id, created_at)"
    " VALUES (:id, :what, :connection, :learner_id, :now)"
    " ON CONFLICT (id) DO UPDATE SET learner_id = owners.learner_id RETURNING learner_id"
)
OWNER = text("SELECT learner_id FROM owners WHERE id = :id")
UNBIND = text("DELETE FROM owners WHERE id = :id")
MOVE = text("UPDATE owners SET learner_id = :learner_id WHERE id = :id")
FOUND = text(
    "SELECT b.id, b.what, b.connection, b.created_at, l.registration, l.user_id FROM owners b"
    " JOIN learners l ON l.id = b.learner_id WHERE (:id = '' OR b.id = :id)"
    " AND (:connection = '' OR b.connection = :connection)"
    " AND (:learner_id = '' OR b.learner_id = :learner_id)"
    " ORDER BY b.created_at DESC, b.id LIMIT :limit"
)


class OwnerSteps(Statements):
    """The part of a transaction that is about owners."""

    def bind(
        self, owned_id: str, what: str, connection: str, learner_id: str, now: datetime
    ) -> str:
        """The learner who has it from now on: this one, or whoever was first."""
        values = {"id": owned_id, "what": what, "connection": connection}
        row = self._row(BIND, learner_id=learner_id, now=rows.ms(now), **values)
        return str(row[0])

    def bound_to(self, owned_id: str) -> str:
        """The learner who has it, or the empty string."""
        row = self._row(OWNER, id=owned_id)
        return str(row[0]) if row else ""

    def unbind(self, owned_id: str) -> bool:
        """Let nobody have it; False when nobody had."""
        return self._changes(UNBIND, id=owned_id)

    def move_owned(self, owned_id: str, learner_id: str) -> bool:
        """Let this learner have it; False when nobody had."""
        return self._changes(MOVE, id=owned_id, learner_id=learner_id)


class ListedOwners:
    """The part of the store that shows owners to people; `Store` adds the rest."""

    database: Database

    def list_owners(
        self, *, owned_id: str = "", connection: str = "", learner_id: str = "", limit: int = 50
    ) -> list[dict[str, Any]]:
        """Owners as plain values, the newest first; empty texts do not limit."""
        asked: Mapping[str, Any] = {
            "id": owned_id,
            "connection": connection,
            "learner_id": learner_id,
            "limit": limit,
        }
        with self.database.reading() as reading:
            found = reading.execute(FOUND, asked).fetchall()
        return [
            {
                "id": row.id,
                "what": row.what,
                "connection": row.connection,
                "registration": row.registration,
                "user": row.user_id,
                "since": rows.moment(row.created_at).isoformat(timespec="seconds"),
            }
            for row in found
        ]
