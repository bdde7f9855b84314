"""Learners, under all the names that LMSs have for them, and forgetting them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from lti_bridge.core.attempt.states import MOVES
from lti_bridge.core.launch import held_launch
from lti_bridge.store import rows
from lti_bridge.store.attempts import note
from lti_bridge.store.engine import Database
from lti_bridge.store.links import NOT_PARTED
from lti_bridge.store.statements import Statements, one_of

# One statement each, because every click runs them: an alias comes before a row of its own.
FIND_LEARNER = text(
    "SELECT l.id FROM learners l WHERE l.registration = :registration AND l.user_id = :user_id"
    " AND NOT EXISTS (SELECT 1 FROM learner_aliases n WHERE n.registration = :registration"
    " AND n.user_id = :user_id) UNION ALL SELECT a.learner_id FROM learner_aliases a"
    " WHERE a.registration = :registration AND a.user_id = :user_id"
)
ALIAS_LEARNER = text(
    "INSERT INTO learner_aliases (registration, user_id, learner_id)"  # noqa: S608 - constants
    " SELECT CAST(:registration AS TEXT), CAST(:user_id AS TEXT), o.id FROM learners o"
    f" WHERE o.id = :learner_id AND {NOT_PARTED} ON CONFLICT DO NOTHING"
)
ADD_LEARNER = text(
    "INSERT INTO learners (id, registration, user_id, created_at)"
    " VALUES (:id, :registration, :user_id, :now) ON CONFLICT DO NOTHING"
)
NAMES = text(
    "SELECT registration, user_id FROM learners WHERE id = :id"
    " UNION ALL SELECT registration, user_id FROM learner_aliases WHERE learner_id = :id"
)
HELD = text("SELECT token, text FROM held_launches")
RELEASE_HELD = text("DELETE FROM held_launches WHERE token = :token")
OPEN = text("SELECT id FROM attempts WHERE learner_id = :id AND is_open = 1")
CLOSE = text(
    f"UPDATE attempts SET state = '{MOVES['forgotten'].to}', is_open = 0, changed_at = :now"  # noqa: S608 - constants
    f" WHERE learner_id = :id AND is_open = 1 AND state IN {one_of(MOVES['forgotten'].of)}"
)
FORGET = {
    # by indexes: a click has an attempt, or is of somebody who only looks
    "launches": "DELETE FROM launches WHERE learner_id = :id AND attempt_id IN"
    " (SELECT id FROM attempts WHERE learner_id = :id)",
    "launches of who looks": "DELETE FROM launches WHERE learner_id = :id AND attempt_id IS NULL",
    "traces": "DELETE FROM hops WHERE learner_id = :id",
    # without its cell no later result of an attempt is accepted, and nothing is delivered
    "grades": "DELETE FROM grades WHERE learner_id = :id",
    "tool launches": "DELETE FROM tool_launches WHERE EXISTS (SELECT 1 FROM tool_users u"
    " WHERE u.connection = tool_launches.connection AND u.learner_id = :id"
    " AND tool_launches.claims LIKE '%' || u.user_id || '%')",
    "call answers": "DELETE FROM call_answers WHERE learner_id = :id",
    "tool scores": "DELETE FROM tool_scores WHERE learner_id = :id",
    "tool members": "DELETE FROM tool_members WHERE learner_id = :id",
    "tool users": "DELETE FROM tool_users WHERE learner_id = :id",
    "notices read": "DELETE FROM notices_read WHERE learner_id = :id",
    "adjustments": "DELETE FROM adjustments WHERE learner_id = :id",
    "attempts": "UPDATE attempts SET reference = '', data = '{}', poll_at = NULL"
    " WHERE learner_id = :id",
    "departures": "DELETE FROM departures WHERE EXISTS (SELECT 1 FROM learners l WHERE l.id = :id"
    " AND l.registration = departures.registration AND l.user_id = departures.user_id) OR EXISTS"
    " (SELECT 1 FROM learner_aliases a WHERE a.learner_id = :id"
    " AND a.registration = departures.registration AND a.user_id = departures.user_id)",
    # an alias may hide a row of its own name
    "learners": "UPDATE learners SET user_id = 'forgotten:' || id WHERE id = :id OR EXISTS"
    " (SELECT 1 FROM learner_aliases a WHERE a.learner_id = :id"
    " AND a.registration = learners.registration AND a.user_id = learners.user_id)",
    "further names": "DELETE FROM learner_aliases WHERE learner_id = :id",
}


class LearnerSteps(Statements):
    """The part of a transaction that is about learners."""

    def learner(self, registration: str, user_id: str, new_id: str, now: datetime) -> str:
        """The id of this LMS user's learner, who is created on the first launch."""
        who = {"registration": registration, "user_id": user_id}
        row = self._row(FIND_LEARNER, **who)
        if row is None:
            if self._changes(ADD_LEARNER, id=new_id, now=rows.ms(now), **who):
                return new_id
            row = self._row(FIND_LEARNER, **who)
        return str(row[0])

    def known_learner(self, registration: str, user_id: str) -> str:
        """The id of this LMS user's learner; empty for one who was never here."""
        row = self._row(FIND_LEARNER, registration=registration, user_id=user_id)
        return str(row[0]) if row else ""

    def alias_learner(self, registration: str, user_id: str, learner_id: str) -> None:
        """Let this LMS user be that learner."""
        who = {"registration": registration, "user_id": user_id}
        self._changes(ALIAS_LEARNER, learner_id=learner_id, **who)


class Learners:
    """The part of the store that is about learners; `Store` adds the rest."""

    database: Database

    def learner_id(self, registration: str, user_id: str) -> str | None:
        """The learner of an LMS's user id."""
        values = {"registration": registration, "user_id": user_id}
        with self.database.reading() as connection:
            return connection.execute(FIND_LEARNER, values).scalar_one_or_none()

    def forget_learner(self, learner_id: str, now: datetime) -> dict[str, int]:
        """Delete who a learner is, and all that leads there; how many rows of what.

        The attempts stay, of nobody. Open ones are closed, and no later result is accepted.
        """
        values = {"id": learner_id, "now": rows.ms(now)}
        with self.database.writing() as connection:
            names = {tuple(row) for row in connection.execute(NAMES, values)}
            held = _release_held(connection, names)
            for (attempt_id,) in connection.execute(OPEN, values).fetchall():
                note(connection, attempt_id, now, MOVES["forgotten"].to, "person", "forgotten")
            connection.execute(CLOSE, values)
            counts = {
                what: connection.execute(text(FORGET[what]), values).rowcount for what in FORGET
            }
        return {**counts, "held launches": held}


def _release_held(connection: Connection, names: set[tuple[str, ...]]) -> int:
    """Delete the launches that wait for a second click of one of these users."""
    tokens = []
    for token, held in connection.execute(HELD).fetchall():
        launch = held_launch.from_json(held)
        if (launch.registration, launch.person.id) in names:
            tokens.append({"token": token})
    if tokens:
        connection.execute(RELEASE_HELD, tokens)
    return len(tokens)
