"""Attempts: which there are, how each came to its state, and what was said of it."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, text

from lti_bridge.core.attempt.provider import Started
from lti_bridge.core.attempt.states import CLOSED, MOVES, UNDER_WAY, Event
from lti_bridge.core.grade.scores import Scored
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Attempt, AttemptState, Begun, GradeCell, Incoming, Link, Locked
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.purchases import give_back
from lti_bridge.store.statements import Statements, one_of

ATTEMPT_COLUMNS = (
    "a.id, a.link_id, a.learner_id, a.number, a.activity_id, a.connection, a.grade_policy,"
    " a.state, a.reference, a.data, a.changed_at, a.given, a.maximum,"
    " a.held, a.held_given, a.held_maximum"
)

OPEN_ATTEMPT = text(
    f"SELECT {ATTEMPT_COLUMNS} FROM attempts a WHERE a.link_id = :link_id"  # noqa: S608 - constant
    " AND a.learner_id = :learner_id AND a.is_open = 1"
)
LAST_ATTEMPT = text(
    "SELECT number, created_at FROM attempts"
    " WHERE link_id = :link_id AND learner_id = :learner_id ORDER BY number DESC LIMIT 1"
)
BEGUN = text(
    "SELECT a.link_id, l.activity_id, a.learner_id, a.number, a.activity_id, a.created_at,"
    " l.deployment_id, l.context_id, l.resource_link_id, a.state FROM attempts a"
    " JOIN links l ON l.id = a.link_id WHERE a.learner_id = :learner_id"
    " AND (a.link_id = :link_id OR l.registration = :registration) AND a.number > 0"
    " ORDER BY a.number, a.created_at"
)
FINISHED_TEST = text(
    "SELECT reference FROM attempts WHERE activity_id = :activity_id AND learner_id = :learner_id"
    " AND connection = :connection AND state = 'graded' AND reference <> ''"
    " ORDER BY created_at DESC, number DESC LIMIT 1"
)
ADD_ATTEMPT = text(
    "INSERT INTO attempts (id, link_id, learner_id, number, activity_id, connection, grade_policy,"
    " state, is_open, created_at, changed_at) VALUES (:id, :link_id, :learner_id, :number,"
    " :activity_id, :connection, :grade_policy, :state, :is_open, :now, :now)"
    " ON CONFLICT DO NOTHING"
)
CLAIM_START = text(
    f"UPDATE attempts SET state = '{MOVES['start'].to}', changed_at = :now WHERE id = :id"  # noqa: S608 - constants
    f" AND (state IN {one_of(MOVES['start'].of)}"
    f" OR (state IN {one_of(MOVES['start again'].of)} AND changed_at < :before))"
)
CLOSE_ATTEMPT = text(
    f"UPDATE attempts SET state = '{MOVES['left'].to}', is_open = 0, changed_at = :now"  # noqa: S608 - constants
    f" WHERE id = :id AND is_open = 1 AND state IN {one_of(MOVES['left'].of)}"
)
ADD_RESULT = text(
    "INSERT INTO results (id, attempt_id, source, event, given, maximum, raw, received_at)"
    " VALUES (:id, :attempt_id, :source, :event, :given, :maximum, :raw, :now)"
    " ON CONFLICT DO NOTHING"
)
CELL_COLUMNS = (
    "g.link_id, g.learner_id, g.version, g.given, g.maximum, g.awaiting, g.outcome_url,"
    " g.sourced_id, g.line_item, g.line_items, g.scopes,"
    f" {ATTEMPT_COLUMNS}, a.scored_at, a.is_open"
)
OF_CELL = "a.link_id = g.link_id AND a.learner_id = g.learner_id"
CELL = text(
    f"SELECT {CELL_COLUMNS} FROM grades g LEFT JOIN attempts a ON {OF_CELL}"  # noqa: S608 - constants
    " WHERE g.link_id = :link_id AND g.learner_id = :learner_id ORDER BY a.number"
)
CELL_OF_ATTEMPT = text(
    f"SELECT {CELL_COLUMNS} FROM attempts o JOIN grades g ON g.link_id = o.link_id"  # noqa: S608 - constants
    f" AND g.learner_id = o.learner_id JOIN attempts a ON {OF_CELL}"
    " WHERE o.id = :id AND o.connection = :connection ORDER BY a.number"
)
SAVE_ATTEMPT = text(
    "UPDATE attempts SET state = :state, given = :given, maximum = :maximum,"
    " scored_at = :scored_at, is_open = :is_open, held = :held, held_given = :held_given,"
    " held_maximum = :held_maximum, changed_at = :now WHERE id = :id"
)
SCORES = text(
    "SELECT number, given, maximum, scored_at FROM attempts WHERE link_id = :link_id"
    " AND learner_id = :learner_id AND scored_at IS NOT NULL ORDER BY number"
)
LEARNER_BEGAN = text("SELECT 1 FROM attempts WHERE learner_id = :id LIMIT 1")
LINK_BEGAN = text("SELECT 1 FROM attempts WHERE link_id = :id LIMIT 1")
CONFIRM_START = text(
    f"UPDATE attempts SET state = '{MOVES['started'].to}', changed_at = :now,"  # noqa: S608 - constants
    " reference = :reference, data = :data, poll_at = CAST(:poll_at AS BIGINT), polls = 0"
    f" WHERE id = :id AND state IN {one_of(MOVES['started'].of)}"
)
RELEASE_START = text(
    f"UPDATE attempts SET state = '{MOVES['not started'].to}', changed_at = :now"  # noqa: S608 - constants
    f" WHERE id = :id AND state IN {one_of(MOVES['not started'].of)}"
)
RESOLVE: dict[Event, TextClause] = {
    event: text(
        f"UPDATE attempts SET state = '{move.to}', is_open = :is_open, reference = :reference,"  # noqa: S608 - constants
        " data = :data, poll_at = CAST(:poll_at AS BIGINT), polls = 0, changed_at = :now"
        f" WHERE id = :id AND state IN {one_of(move.of)} AND changed_at <= :before"
    )
    for event, move in MOVES.items()
    if event in ("found", "freed", "ended")
}
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
CHANGES = text(
    "SELECT at, state, source, detail FROM attempt_changes WHERE attempt_id = :id ORDER BY at"
)
ATTEMPT = f"SELECT {ATTEMPT_COLUMNS} FROM attempts a"  # noqa: S608 - constants
BY_ID = text(f"{ATTEMPT} WHERE a.id = :id")
BY_REFERENCE = text(
    f"{ATTEMPT} WHERE a.connection = :connection AND a.reference = :reference"
    " AND a.reference <> '' ORDER BY a.created_at DESC LIMIT 1"
)


class AttemptSteps(Statements):
    """The part of a transaction that is about attempts."""

    def open_attempt(self, link_id: str, learner_id: str) -> Attempt | None:
        """The attempt that a next click continues."""
        row = self._row(OPEN_ATTEMPT, link_id=link_id, learner_id=learner_id)
        return rows.attempt(row) if row else None

    def last_attempt(self, link_id: str, learner_id: str) -> tuple[int, datetime | None]:
        """How many attempts this learner has made at this link, and when the last began."""
        row = self._row(LAST_ATTEMPT, link_id=link_id, learner_id=learner_id)
        return (row[0], rows.moment(row[1])) if row else (0, None)

    def begun(self, launch: Launch, link_id: str, learner_id: str) -> list[Begun]:
        """All that this learner has begun at this link, or in the LMS of a launch, by number."""
        who = {"link_id": link_id, "learner_id": learner_id}
        found = self._rows(BEGUN, registration=launch.registration, **who)
        return [
            Begun(Link(link, opens), learner, number, activity, rows.moment(at), *where)
            for link, opens, learner, number, activity, at, *where in found
        ]

    def finished_test(self, activity_id: str, learner_id: str, connection: str) -> str:
        """The reference of this learner's newest finished test at an activity, or nothing."""
        where = {"activity_id": activity_id, "learner_id": learner_id, "connection": connection}
        row = self._row(FINISHED_TEST, **where)
        return str(row[0]) if row else ""

    def create_attempt(self, attempt: Attempt, now: datetime) -> Attempt:
        """Create the attempt; if another worker was faster, return the one it created."""
        created = self._changes(
            ADD_ATTEMPT,
            id=attempt.id,
            link_id=attempt.link_id,
            learner_id=attempt.learner_id,
            number=attempt.number,
            activity_id=attempt.activity_id,
            connection=attempt.connection,
            grade_policy=attempt.grade_policy,
            state=attempt.state,
            is_open=int(attempt.number > 0),
            now=rows.ms(now),
        )
        if created:
            return attempt
        return self.open_attempt(attempt.link_id, attempt.learner_id) or attempt

    def claim_start(self, attempt_id: str, now: datetime, unclear_before: datetime | None) -> bool:
        """Take the right to start an attempt; it is `unclear` until the provider has answered."""
        at, before = rows.ms(now), rows.ms(unclear_before) if unclear_before else 0
        if not self._changes(CLAIM_START, id=attempt_id, now=at, before=before):
            return False
        self._note(attempt_id, at, MOVES["start"].to, "start")
        return True

    def close_attempt(self, attempt: Attempt, now: datetime) -> None:
        """Close an attempt that nobody will finish: its link opens another activity now."""
        self._changes(CLOSE_ATTEMPT, id=attempt.id, now=rows.ms(now))

    def lock_attempt(self, attempt_id: str, connection: str) -> Locked | None:
        """The attempt if it belongs to that connection, with its gradebook cell, locked."""
        key = {"id": attempt_id, "connection": connection}
        self._lock(_locking(self._for_update), **key)
        found = self._rows(CELL_OF_ATTEMPT, **key)
        if not found:
            return None
        cell, attempts = rows.cell(found)
        return Locked(next(one for one in attempts if one.id == attempt_id), cell)

    def save_result(
        self, result_id: str, attempt: Attempt, incoming: Incoming, now: datetime
    ) -> bool:
        """Record what the provider said; False when this event was already recorded."""
        return self._changes(
            ADD_RESULT,
            id=result_id,
            attempt_id=attempt.id,
            source=incoming.source,
            event=incoming.event,
            raw=json.dumps(dict(incoming.raw)),
            now=rows.ms(now),
            **rows.score_columns(incoming.score),
        )

    def cell(self, link_id: str, learner_id: str) -> GradeCell:
        """A gradebook cell, which has to be locked, with all its attempts."""
        found = self._rows(CELL, link_id=link_id, learner_id=learner_id)
        return rows.cell(found)[0]

    def save_attempt(self, attempt: Attempt, cell: GradeCell, source: str, now: datetime) -> None:
        """Let an attempt be as it is in this cell; `source` has changed its state, if any has."""
        at = rows.ms(now)
        (stands,) = (one for one in cell.attempts if one.attempt_id == attempt.id)
        self._changes(
            SAVE_ATTEMPT,
            id=attempt.id,
            state=stands.state,
            scored_at=rows.ms(stands.scored_at) if stands.scored_at else None,
            is_open=int(stands.is_open),
            held=attempt.held,
            now=at,
            **rows.score_columns(stands.score),
            **rows.score_columns(attempt.held_score, "held_"),
        )
        if source:
            self._note(attempt.id, at, stands.state, source)

    def scores(self, link_id: str, learner_id: str) -> list[Scored]:
        """The scores of all attempts of this cell."""
        self._run(SCORES, {"link_id": link_id, "learner_id": learner_id})
        return [
            Scored(rows.score(given, maximum), rows.moment(scored_at), number)
            for number, given, maximum, scored_at in self._cursor.fetchall()
        ]

    def has_begun(self, *, learner_id: str = "", link_id: str = "") -> bool:
        """Whether there is an attempt of this learner, or at this link."""
        statement = LEARNER_BEGAN if learner_id else LINK_BEGAN
        return self._row(statement, id=learner_id or link_id) is not None

    def _note(self, attempt_id: str, at: int, state: AttemptState, source: str) -> None:
        self._changes(ADD_CHANGE, id=attempt_id, now=at, state=state, source=source, detail="")


class Attempts:
    """The part of the store that is about attempts; `Store` adds the rest."""

    database: Database

    def confirm_start(
        self, attempt_id: str, started: Started, now: datetime, poll_at: datetime | None
    ) -> None:
        """The provider has answered: the attempt is started, unless it was settled meanwhile."""
        values = {
            "id": attempt_id,
            "now": rows.ms(now),
            "reference": started.reference,
            "data": json.dumps(dict(started.data)),
            "poll_at": rows.ms(poll_at) if poll_at else None,
        }
        with self.database.writing() as connection:
            if connection.execute(CONFIRM_START, values).rowcount:
                note(connection, attempt_id, now, MOVES["started"].to, "provider", "")

    def release_start(self, attempt_id: str, now: datetime, reason: str) -> None:
        """The provider certainly did nothing: nothing was bought, and it may be started later.

        Where it was settled meanwhile, nothing changes: what somebody found there stays bought.
        """
        with self.database.writing() as connection:
            if connection.execute(RELEASE_START, {"id": attempt_id, "now": rows.ms(now)}).rowcount:
                give_back(connection, attempt_id)
                note(connection, attempt_id, now, MOVES["not started"].to, "provider", reason)

    def resolve(
        self,
        attempt: Attempt,
        event: Event,
        now: datetime,
        *,
        poll_at: datetime | None = None,
    ) -> bool:
        """Let a person's word settle an unclear attempt, with the reference and data found.

        False when it is no longer unclear, or a click is starting it just now.
        """
        state = MOVES[event].to
        values = {
            "id": attempt.id,
            "is_open": 0 if state in CLOSED else 1,
            "reference": attempt.reference,
            "data": json.dumps(dict(attempt.data)),
            "poll_at": rows.ms(poll_at) if poll_at else None,
            "now": rows.ms(now),
            "before": rows.ms(now - UNDER_WAY),
        }
        with self.database.writing() as connection:
            if connection.execute(RESOLVE[event], values).rowcount == 0:
                return False
            if state == "created":
                give_back(connection, attempt.id)
            note(connection, attempt.id, now, state, "person", "")
        return True

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

    def changes(self, attempt_id: str) -> list[Any]:
        """How an attempt came to its state: rows of at, state, source, detail."""
        with self.database.reading() as connection:
            return list(connection.execute(CHANGES, {"id": attempt_id}))


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


@cache
def _locking(for_update: str) -> TextClause:
    # Both rows are locked: two attempts of one cell share the grade.
    return text(
        f"SELECT 1 FROM attempts a JOIN grades g ON {OF_CELL}"  # noqa: S608 - constants
        f" WHERE a.id = :id AND a.connection = :connection {for_update}"
    )
