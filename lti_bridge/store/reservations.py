"""Seats of slots at providers, and numbers that all processes count up together."""

from __future__ import annotations

from sqlalchemy import text

from lti_bridge.store.engine import Database

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


class Reservations:
    """The part of the store that is about seats and numbers; `Store` adds the rest."""

    database: Database

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

    def next_number(self, name: str) -> int:
        """Count up durably, shared by all processes; the first number is 1."""
        with self.database.writing() as connection:
            return int(connection.execute(NEXT_NUMBER, {"name": name}).scalar_one())

    def last_number(self, name: str) -> int:
        """The number that `next_number` returned last, 0 before the first."""
        with self.database.reading() as connection:
            return connection.execute(LAST_NUMBER, {"name": name}).scalar_one_or_none() or 0
