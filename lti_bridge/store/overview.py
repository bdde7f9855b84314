"""Attempts for people who look after the bridge: lists, and which of them need somebody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Text, bindparam, text

from lti_bridge.core.attempt.polls import SEVERAL
from lti_bridge.core.attempt.states import GIVE_UP_AFTER, NO_GRADE_AFTER, SILENT_AFTER, UNDER_WAY
from lti_bridge.core.records import Attempt, Unheard
from lti_bridge.store import rows
from lti_bridge.store.attempts import ATTEMPT_COLUMNS, CHANGES
from lti_bridge.store.engine import Database

# core.attempt.states.stuck in SQL; tests/store/test_states.py holds the two together.
STUCK = (
    "CASE WHEN a.state = 'unclear' AND a.changed_at <= :under_way THEN 'unclear'"
    " WHEN a.state = 'held' THEN 'held'"
    " WHEN a.state = 'created' AND a.connection IN :pushing AND a.created_at <= :no_grade"
    " AND (g.line_item <> '' OR g.line_items <> '' OR (g.outcome_url <> '' AND g.sourced_id <> ''))"
    " THEN 'no-grade'"
    " WHEN a.state IN ('started', 'finished', 'awaiting-marks') AND a.poll_at IS NOT NULL"
    " AND a.created_at <= :silent THEN 'silent' ELSE '' END"
)
# By indexes, however many attempts there are.
LOOKED_AT = 5000
STUCK_IDS = (
    "SELECT id FROM attempts WHERE state IN ('unclear', 'held')"  # noqa: S608 - constants
    " UNION ALL SELECT id FROM attempts WHERE poll_at IS NOT NULL AND created_at <= :silent"
    " UNION ALL SELECT id FROM (SELECT id FROM attempts WHERE state = 'created'"
    " AND connection IN :pushing AND created_at <= :no_grade AND created_at > :long_ago"
    f" ORDER BY created_at DESC LIMIT {LOOKED_AT}) q"
)
OVERVIEW = (
    "SELECT a.id, a.state, a.connection, a.activity_id, a.number, a.reference, a.given, a.maximum,"  # noqa: S608 - constants
    " a.held, a.held_given, a.held_maximum,"
    f" a.created_at, a.changed_at, a.poll_at, l.registration, l.user_id, {STUCK} AS stuck,"
    " g.id AS grade_id, g.given AS grade_given, g.maximum AS grade_maximum, g.version, g.delivery,"
    " g.delivered_at, g.last_error, g.tries, g.awaiting"
    " FROM attempts a JOIN learners l ON l.id = a.learner_id"
    " LEFT JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
)
PUSHING: BindParameter[Any] = bindparam("pushing", expanding=True, type_=Text)
ASKED = (
    " WHERE (:state = '' OR a.state = :state) AND (:connection = '' OR a.connection = :connection)"
)
NEWEST = " ORDER BY a.changed_at DESC LIMIT :limit"
LIST = text(f"{OVERVIEW}{ASKED}{NEWEST}").bindparams(PUSHING)
LIST_STUCK = text(
    f"{OVERVIEW}{ASKED} AND a.id IN ({STUCK_IDS}) AND {STUCK} <> ''{NEWEST}"
).bindparams(PUSHING)
UNCLEAR = text(
    "SELECT id FROM attempts WHERE state = 'unclear' AND changed_at <= :under_way"
    " AND connection = :connection AND (:activity = '' OR activity_id = :activity)"
    " ORDER BY changed_at, id"
)
ONE = text(f"{OVERVIEW} WHERE a.id = :id").bindparams(PUSHING)
RESULTS = text(
    "SELECT received_at, source, given, maximum, raw FROM results WHERE attempt_id = :id"
    " ORDER BY received_at"
)
COUNT_STUCK = text(
    f"SELECT stuck, count(*) FROM (SELECT {STUCK} AS stuck FROM attempts a"  # noqa: S608 - constants
    " LEFT JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
    f" WHERE a.id IN ({STUCK_IDS})) s WHERE stuck <> '' GROUP BY stuck"
).bindparams(PUSHING)
# Activities with several such attempts of which no attempt ever had a word.
NEVER = text(
    "SELECT activity_id, connection, count(*), min(created_at) FROM (SELECT a.activity_id,"  # noqa: S608
    f" a.connection, a.created_at, {STUCK} AS stuck FROM attempts a"
    " LEFT JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
    f" WHERE a.id IN ({STUCK_IDS})) s WHERE stuck = 'no-grade' AND NOT EXISTS (SELECT 1"
    " FROM attempts o WHERE o.activity_id = s.activity_id AND o.connection = s.connection"
    " AND o.state <> 'created') GROUP BY activity_id, connection HAVING count(*) >= :several"
    " ORDER BY 1, 2"
).bindparams(PUSHING)
DATED = f"SELECT {ATTEMPT_COLUMNS}, a.created_at FROM attempts a"  # noqa: S608 - constants
DATED_ONE = text(f"{DATED} WHERE a.id = :id")
DATED_OF_CONNECTION = text(
    f"{DATED} WHERE a.connection = :connection AND a.data <> '{{}}' ORDER BY a.created_at"
)
DATED_OF_LEARNER = text(f"{DATED} WHERE a.learner_id = :learner_id ORDER BY a.created_at")


class Overview:
    """The part of the store for people who look after it; `Store` adds the rest."""

    database: Database

    def list_attempts(
        self,
        now: datetime,
        *,
        state: str,
        connection: str,
        stuck: bool,
        limit: int,
        pushing: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Attempts as plain values, the newest change first; empty texts do not limit.

        `pushing` are the connections that say nothing of an attempt before its grade.
        """
        asked = {"state": state, "connection": connection, "limit": limit}
        query = LIST_STUCK if stuck else LIST
        with self.database.reading() as reading:
            found = reading.execute(query, {**asked, **_ages(now, pushing)}).fetchall()
        return [_overview(row) for row in found]

    def unclear_attempts(self, now: datetime, connection: str, activity: str = "") -> list[str]:
        """The ids of attempts at a connection that nobody knows to be started, oldest first."""
        asked = {"connection": connection, "activity": activity}
        before = {"under_way": rows.ms(now - UNDER_WAY)}
        with self.database.reading() as reading:
            return [row.id for row in reading.execute(UNCLEAR, {**asked, **before})]

    def attempt_overview(
        self, attempt_id: str, now: datetime, pushing: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        """One attempt as plain values, with its results and its grade's delivery."""
        with self.database.reading() as reading:
            row = reading.execute(ONE, {"id": attempt_id, **_ages(now, pushing)}).first()
            results = reading.execute(RESULTS, {"id": attempt_id}).fetchall()
        if row is None:
            return None
        return {
            **_overview(row),
            "next_question_at": _time(row.poll_at),
            "results": [
                {
                    "at": _time(result.received_at),
                    "source": result.source,
                    "score": _score(result.given, result.maximum),
                    "said": json.loads(result.raw),
                }
                for result in results
            ],
            "grade": _grade(row) if row.grade_id and row.version else None,
        }

    def attempt_changes(self, attempt_id: str) -> list[dict[str, Any]]:
        """How an attempt came to its state, as plain values, oldest first."""
        with self.database.reading() as reading:
            found = reading.execute(CHANGES, {"id": attempt_id}).fetchall()
        return [{**row._mapping, "at": _time(row.at)} for row in found]

    def stuck_attempts(self, now: datetime, pushing: Sequence[str] = ()) -> dict[str, int]:
        """How many attempts need a person, by why; none: no key."""
        with self.database.reading() as reading:
            found = reading.execute(COUNT_STUCK, _ages(now, pushing))
            return {row[0]: row[1] for row in found}

    def never_graded(self, now: datetime, pushing: Sequence[str]) -> list[Unheard]:
        """Activities of these connections of which no grade has ever come, after several tries."""
        asked = {**_ages(now, pushing), "several": SEVERAL}
        with self.database.reading() as reading:
            found = reading.execute(NEVER, asked).fetchall()
        return [Unheard(row[0], row[1], row[2], rows.moment(row[3])) for row in found]

    def dated_attempt(self, attempt_id: str) -> tuple[Attempt, datetime] | None:
        """An attempt, and when it was created."""
        found = self._dated(DATED_ONE, {"id": attempt_id})
        return found[0] if found else None

    def attempts_at(self, connection: str) -> list[tuple[Attempt, datetime]]:
        """All attempts that were started at a connection, and when each was created."""
        return self._dated(DATED_OF_CONNECTION, {"connection": connection})

    def attempts_of(self, learner_id: str) -> list[tuple[Attempt, datetime]]:
        """All attempts of a learner, and when each was created."""
        return self._dated(DATED_OF_LEARNER, {"learner_id": learner_id})

    def _dated(self, statement: Any, values: Mapping[str, Any]) -> list[tuple[Attempt, datetime]]:
        with self.database.reading() as reading:
            found = reading.execute(statement, values).fetchall()
        return [(rows.attempt(row[:-1]), rows.moment(row[-1])) for row in found]


def _ages(now: datetime, pushing: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "under_way": rows.ms(now - UNDER_WAY),
        "silent": rows.ms(now - SILENT_AFTER),
        "no_grade": rows.ms(now - NO_GRADE_AFTER),
        "long_ago": rows.ms(now - GIVE_UP_AFTER),
        "pushing": list(pushing),
    }


def _overview(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "stuck": row.stuck,
        "connection": row.connection,
        "activity": row.activity_id,
        "registration": row.registration,
        "user": row.user_id,
        "number": row.number,
        "reference": row.reference,
        "score": _score(row.given, row.maximum),
        "held": row.held if row.state == "held" else "",
        "held_score": _score(row.held_given, row.held_maximum) if row.state == "held" else "",
        "created_at": _time(row.created_at),
        "changed_at": _time(row.changed_at),
    }


def _grade(row: Any) -> dict[str, Any]:
    return {
        "id": row.grade_id,
        "grade": rows.wanted(row.grade_given, row.grade_maximum, row.awaiting),
        "delivery": row.delivery,
        "delivered_at": _time(row.delivered_at),
        "tries": row.tries,
        "reason": row.last_error,
    }


def _score(given: str | None, maximum: str | None) -> str:
    return "" if given is None else f"{given}/{maximum}"


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return rows.moment(milliseconds).isoformat(timespec="seconds")
