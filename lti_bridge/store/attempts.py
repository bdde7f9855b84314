"""Attempts at providers that are called: the right to start, references, polls, limits."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from lti_bridge.core.attempt.provider import Started
from lti_bridge.core.records import Adjustment, Attempt, Poll
from lti_bridge.store import rows
from lti_bridge.store.aliases import FIND_LEARNER
from lti_bridge.store.engine import Database
from lti_bridge.store.purchases import give_back
from lti_bridge.store.transaction import ATTEMPT_COLUMNS

CONFIRM_START = text(
    "UPDATE attempts SET state = 'started', changed_at = :now, reference = :reference,"
    " data = :data, poll_at = CAST(:poll_at AS BIGINT), polls = 0"
    " WHERE id = :id AND state IN ('unclear', 'created')"
)
RELEASE_START = text(
    "UPDATE attempts SET state = 'created', changed_at = :now WHERE id = :id AND state = 'unclear'"
)
ADD_CHANGE = text(
    "INSERT INTO attempt_changes (attempt_id, at, state, source, detail)"
    " VALUES (:id, :now, :state, :source, :detail)"
)
# what was refused changes no state, and is seen once however often it comes
REMARK = text(
    "INSERT INTO attempt_changes (attempt_id, at, state, source, detail)"
    " SELECT a.id, :now, a.state, 'refused', CAST(:detail AS TEXT) FROM attempts a"
    " WHERE a.id = :id AND NOT EXISTS (SELECT 1 FROM attempt_changes c"
    " WHERE c.attempt_id = :id AND c.source = 'refused' AND c.detail = CAST(:detail AS TEXT))"
)
ATTEMPT = f"SELECT {ATTEMPT_COLUMNS} FROM attempts a"  # noqa: S608 - constants
BY_ID = text(f"{ATTEMPT} WHERE a.id = :id")
BY_REFERENCE = text(
    f"{ATTEMPT} WHERE a.connection = :connection AND a.reference = :reference"
    " AND a.reference <> '' ORDER BY a.created_at DESC LIMIT 1"
)
POLL_AT = text("UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id")
NEXT_POLL_AT = text(
    "UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id AND poll_at = :claimed"
)
CLAIM_POLL = text("UPDATE attempts SET poll_at = :until, polls = polls + 1 WHERE id = :id")
ANY_POLL = text("SELECT min(poll_at) FROM attempts WHERE poll_at IS NOT NULL")
ACKNOWLEDGE = text(
    "INSERT INTO notices_read (connection, learner_id, at) VALUES (:connection, :learner_id, :now)"
    " ON CONFLICT DO NOTHING"
)
ACKNOWLEDGED = text(
    "SELECT 1 FROM notices_read WHERE connection = :connection AND learner_id = :learner_id"
)
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
NEXT_NUMBER = text(
    "INSERT INTO counters (name, value) VALUES (:name, 1)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value"
)
LAST_NUMBER = text("SELECT value FROM counters WHERE name = :name")
TAKE_SEAT = text(
    "INSERT INTO reservations (connection, slot, seat, learner_id, attempt_id)"
    " VALUES (:connection, :slot, :seat, :learner_id, :attempt_id) ON CONFLICT DO NOTHING"
)
SEATS = text(
    "SELECT seat, learner_id, attempt_id FROM reservations"
    " WHERE connection = :connection AND slot = :slot"
)
GIVE_SEATS_BACK = text(
    "DELETE FROM reservations WHERE connection = :connection AND attempt_id = :attempt_id"
)
SEAT_TRIES = 100  # each one lost means that somebody else has got a seat meanwhile
CHANGES = text(
    "SELECT at, state, source, detail FROM attempt_changes WHERE attempt_id = :id ORDER BY at"
)


class Attempts:
    """The part of the store that is about attempts; `Store` adds launches and grades."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._due_polls = text(
            f"SELECT {ATTEMPT_COLUMNS}, a.polls, a.created_at FROM attempts a"  # noqa: S608
            f" WHERE a.poll_at <= :now ORDER BY a.poll_at LIMIT :limit {database.skip_locked}"
        )

    def confirm_start(
        self, attempt_id: str, started: Started, now: datetime, poll_at: datetime | None
    ) -> None:
        """The provider has answered: the attempt is started."""
        values = {
            "id": attempt_id,
            "now": rows.ms(now),
            "reference": started.reference,
            "data": json.dumps(dict(started.data)),
            "poll_at": rows.ms(poll_at) if poll_at else None,
        }
        with self.database.writing() as connection:
            connection.execute(CONFIRM_START, values)
            note(connection, attempt_id, now, "started", "provider", "")

    def release_start(self, attempt_id: str, now: datetime, reason: str) -> None:
        """The provider certainly did nothing: nothing was bought, and it may be started later."""
        with self.database.writing() as connection:
            give_back(connection, attempt_id)
            connection.execute(RELEASE_START, {"id": attempt_id, "now": rows.ms(now)})
            note(connection, attempt_id, now, "created", "provider", reason)

    def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt as it stands now."""
        with self.database.reading() as connection:
            row = connection.execute(BY_ID, {"id": attempt_id}).first()
        return rows.attempt(row) if row else None

    def attempt_by_reference(self, connection: str, reference: str) -> Attempt | None:
        """The newest attempt that a provider calls by this reference."""
        values = {"connection": connection, "reference": reference}
        with self.database.reading() as reading:
            row = reading.execute(BY_REFERENCE, values).first()
        return rows.attempt(row) if row else None

    def remark(self, attempt_id: str, now: datetime, detail: str) -> None:
        """Let staff see, once, that something about this attempt was refused."""
        values = {"id": attempt_id, "now": rows.ms(now), "detail": detail[:500]}
        with self.database.writing() as connection:
            connection.execute(REMARK, values)

    def poll_at(
        self, attempt_id: str, moment: datetime | None, claimed: datetime | None = None
    ) -> None:
        """When to ask the provider about this attempt, None: not again.

        With `claimed` (a poll's `until`) nothing changes when a hint has come since the claim.
        """
        values = {"id": attempt_id, "at": rows.ms(moment) if moment else None}
        with self.database.writing() as connection:
            if claimed is None:
                connection.execute(POLL_AT, values)
            else:
                connection.execute(NEXT_POLL_AT, {**values, "claimed": rows.ms(claimed)})

    def claim_polls(self, now: datetime, lease_s: float, limit: int) -> list[Poll]:
        """Lease attempts whose provider is to be asked now; a lease is also the next due time."""
        until = now + timedelta(seconds=lease_s)
        at = rows.ms(now)
        with self.database.reading() as connection:
            soonest = connection.execute(ANY_POLL).scalar_one_or_none()
        if soonest is None or soonest > at:
            return []
        claimed = []
        with self.database.writing() as connection:
            due = connection.execute(self._due_polls, {"now": at, "limit": limit}).fetchall()
            for row in due:
                connection.execute(CLAIM_POLL, {"id": row.id, "until": rows.ms(until)})
                created_at = rows.moment(row.created_at)
                claimed.append(Poll(rows.attempt(row[:-2]), row.polls, created_at, until))
        return claimed

    def next_poll(self) -> datetime | None:
        """When a provider is to be asked next, or None."""
        with self.database.reading() as connection:
            value = connection.execute(ANY_POLL).scalar_one_or_none()
        return rows.moment(value) if value is not None else None

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

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""
        values = {"activity_id": activity_id, "learner_id": learner_id}
        with self.database.reading() as connection:
            row = connection.execute(ADJUSTMENT, values).first()
        return Adjustment(row.extra_attempts, row.extra_time_percent) if row else Adjustment()

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

    def next_number(self, name: str) -> int:
        """Count up durably, shared by all processes; the first number is 1."""
        with self.database.writing() as connection:
            return int(connection.execute(NEXT_NUMBER, {"name": name}).scalar_one())

    def last_number(self, name: str) -> int:
        """The number that `next_number` returned last, 0 before the first."""
        with self.database.reading() as connection:
            return connection.execute(LAST_NUMBER, {"name": name}).scalar_one_or_none() or 0

    def reserve(self, name: str, slot: str, learner_id: str, attempt_id: str, seats: int) -> bool:
        """Take a seat of a slot; again for the same attempt is fine. False when none is left."""
        values = {"connection": name, "slot": slot}
        who = {**values, "learner_id": learner_id, "attempt_id": attempt_id}
        with self.database.writing() as connection:
            for _ in range(SEAT_TRIES):
                taken = connection.execute(SEATS, values).fetchall()
                if any(row.learner_id == learner_id for row in taken):
                    return any(row.attempt_id == attempt_id for row in taken)
                numbers = {row.seat for row in taken}
                seat = next((one for one in range(1, seats + 1) if one not in numbers), None)
                if seat is None:
                    return False
                if connection.execute(TAKE_SEAT, {**who, "seat": seat}).rowcount:
                    return True
        return False

    def give_back(self, name: str, attempt_id: str) -> None:
        """Give back every seat that an attempt holds at a connection."""
        values = {"connection": name, "attempt_id": attempt_id}
        with self.database.writing() as connection:
            connection.execute(GIVE_SEATS_BACK, values)

    def changes(self, attempt_id: str) -> list[Any]:
        """How an attempt came to its state: rows of at, state, source, detail."""
        with self.database.reading() as connection:
            return list(connection.execute(CHANGES, {"id": attempt_id}))

    def learner_id(self, registration: str, user_id: str) -> str | None:
        """The learner of an LMS's user id."""
        values = {"registration": registration, "user_id": user_id}
        with self.database.reading() as connection:
            return connection.execute(FIND_LEARNER, values).scalar_one_or_none()


def note(
    connection: Connection, attempt_id: str, now: datetime, state: str, source: str, detail: str
) -> None:
    """Record how an attempt came to its state: `source` is who said so."""
    values = {
        "id": attempt_id,
        "now": rows.ms(now),
        "state": state,
        "source": source,
        "detail": detail[:500],
    }
    connection.execute(ADD_CHANGE, values)
