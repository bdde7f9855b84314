"""What calls to providers brought after their click was answered, until the next click."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

KEEP = text(
    "INSERT INTO call_answers (id, learner_id, text, until) VALUES (:id, :learner_id, :text,"
    " :until) ON CONFLICT (id) DO UPDATE SET text = excluded.text, until = excluded.until"
)
LOOK = text("SELECT until FROM call_answers WHERE id = :id")
TAKE = text("DELETE FROM call_answers WHERE id = :id RETURNING text, until")


class Answers:
    """The part of the store that is about late answers; `Store` adds the rest."""

    database: Database

    def keep_answer(self, key: str, learner_id: str, text: str, until: datetime) -> None:
        """Keep the newest answer under this key."""
        values = {"id": key, "learner_id": learner_id or None, "text": text}
        with self.database.writing() as connection:
            connection.execute(KEEP, {**values, "until": rows.ms(until)})

    def take_answer(self, key: str, now: datetime) -> str | None:
        """The answer that is kept under this key, for one click; None when there is none."""
        with self.database.reading() as connection:
            if connection.execute(LOOK, {"id": key}).first() is None:
                return None
        with self.database.writing() as connection:
            row = connection.execute(TAKE, {"id": key}).first()
        return row.text if row is not None and row.until > rows.ms(now) else None
