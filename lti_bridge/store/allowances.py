"""What a learner gets more of at an activity, and which notices they have read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.records import Adjustment
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

ADJUSTMENT = text(
    "SELECT extra_attempts, extra_time_percent FROM adjustments"
    " WHERE activity_id = :activity_id AND learner_id = :learner_id"
)
ADJUST = text(
    "INSERT INTO adjustments (activity_id, learner_id, extra_attempts, extra_time_percent)"
    " VALUES (:activity_id, :learner_id, :extra_attempts, :extra_time_percent)"
    " ON CONFLICT (activity_id, learner_id) DO UPDATE SET"
    " extra_attempts = excluded.extra_attempts, extra_time_percent = excluded.extra_time_percent"
)
ACKNOWLEDGE = text(
    "INSERT INTO notices_read (connection, learner_id, at) VALUES (:connection, :learner_id, :now)"
    " ON CONFLICT DO NOTHING"
)
ACKNOWLEDGED = text(
    "SELECT 1 FROM notices_read WHERE connection = :connection AND learner_id = :learner_id"
)


class AllowanceSteps(Statements):
    """The part of a transaction that is about allowances."""

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""
        row = self._row(ADJUSTMENT, activity_id=activity_id, learner_id=learner_id)
        return Adjustment(*row) if row else Adjustment()


class Allowances:
    """The part of the store that is about allowances; `Store` adds the rest."""

    database: Database

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""
        values = {"activity_id": activity_id, "learner_id": learner_id}
        with self.database.reading() as connection:
            row = connection.execute(ADJUSTMENT, values).first()
        return Adjustment(*row) if row else Adjustment()

    def adjust(self, activity_id: str, learner_id: str, adjustment: Adjustment) -> None:
        """Give a learner more attempts or time at an activity."""
        values = {
            "activity_id": activity_id,
            "learner_id": learner_id,
            "extra_attempts": adjustment.extra_attempts,
            "extra_time_percent": adjustment.extra_time_percent,
        }
        with self.database.writing() as connection:
            connection.execute(ADJUST, values)

    def acknowledge(self, connection: str, learner_id: str, now: datetime) -> None:
        """The learner has read the connection's notice."""
        values = {"connection": connection, "learner_id": learner_id, "now": rows.ms(now)}
        with self.database.writing() as writing:
            writing.execute(ACKNOWLEDGE, values)

    def acknowledged(self, connection: str, learner_id: str) -> bool:
        """Whether the learner has read the connection's notice."""
        values = {"connection": connection, "learner_id": learner_id}
        with self.database.reading() as reading:
            return reading.execute(ACKNOWLEDGED, values).first() is not None
