"""The steps of one transaction, in SQL that SQLite and PostgreSQL both understand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from lti_bridge.core.grade.scores import Score, Scored
from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.records import Activity, Adjustment, Attempt, Begun, Incoming, Link
from lti_bridge.store import rows
from lti_bridge.store.activities import CourseActivities
from lti_bridge.store.aliases import FIND_LEARNER, FIND_LINK, Aliases, placement
from lti_bridge.store.engine import Database
from lti_bridge.store.owners import OwnerSteps
from lti_bridge.store.purchases import PurchaseSteps
from lti_bridge.store.rosters import DEPARTED, HAS_LEFT

ATTEMPT_COLUMNS = (
    "a.id, a.link_id, a.learner_id, a.number, a.activity_id, a.connection, a.grade_policy,"
    " a.state, a.reference, a.data, a.changed_at, a.given, a.maximum,"
    " a.held, a.held_given, a.held_maximum"
)
CLOSED = frozenset({"graded", "invalidated", "expired"})
DECIDES = frozenset({"person", "clock"})  # sources of results that are no word of the provider's

USE_ONCE = text(
    "INSERT INTO used_once (scope, value, expires_at, used_at, browser, message)"
    " VALUES (:scope, :value, :expires_at, :used_at, :browser, :message) ON CONFLICT DO NOTHING"
)
USED = text(
    "SELECT used_at, browser, message FROM used_once WHERE scope = :scope AND value = :value"
)
ADD_LEARNER = text(
    "INSERT INTO learners (id, registration, user_id, created_at)"
    " VALUES (:id, :registration, :user_id, :now) ON CONFLICT DO NOTHING"
)
SAVE_LINK = text(
    "INSERT INTO links (id, registration, deployment_id, context_id, resource_link_id,"
    " activity_id, created_at) VALUES (:id, :registration, :deployment_id, :context_id,"
    " :resource_link_id, :activity_id, :now)"
    " ON CONFLICT (registration, deployment_id, context_id, resource_link_id)"
    " DO UPDATE SET activity_id = excluded.activity_id RETURNING id, activity_id"
)
ADD_ACTIVITY = text(
    "INSERT INTO activities (id, title, connection, settings, grade, created_at)"
    " VALUES (:id, :title, :connection, :settings, :grade, :now) ON CONFLICT DO NOTHING"
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
    " AND (a.link_id = :link_id OR l.registration = :registration) ORDER BY a.number, a.created_at"
)
IN_USE_SINCE = text(
    "SELECT 1 FROM launches n JOIN links l ON l.id = n.link_id WHERE n.received_at >="
    " (SELECT min(o.created_at) FROM links o WHERE o.registration = :registration"
    " AND o.deployment_id = :deployment_id AND o.context_id = :context_id)"
    " AND l.registration = :registration AND l.deployment_id = :deployment_id"
    " AND l.context_id = :other LIMIT 1"
)
ADJUSTMENT = text(
    "SELECT extra_attempts, extra_time_percent FROM adjustments"
    " WHERE activity_id = :activity_id AND learner_id = :learner_id"
)
FINISHED_TEST = text(
    "SELECT reference FROM attempts WHERE activity_id = :activity_id AND learner_id = :learner_id"
    " AND connection = :connection AND state = 'graded' AND reference <> ''"
    " ORDER BY created_at DESC, number DESC LIMIT 1"
)
ADD_CHANGE = text(
    "INSERT INTO attempt_changes (attempt_id, at, state, source, detail)"
    " VALUES (:id, :now, :state, :source, '')"
)
ADD_ATTEMPT = text(
    "INSERT INTO attempts (id, link_id, learner_id, number, activity_id, connection, grade_policy,"
    " state, is_open, created_at, changed_at) VALUES (:id, :link_id, :learner_id, :number,"
    " :activity_id, :connection, :grade_policy, :state, 1, :now, :now) ON CONFLICT DO NOTHING"
)
CLAIM_START = text(
    "UPDATE attempts SET state = 'unclear', changed_at = :now WHERE id = :id"
    " AND (state = 'created' OR (state = 'unclear' AND changed_at < :before))"
)
CLOSE_ATTEMPT = text(
    "UPDATE attempts SET state = 'expired', is_open = 0, changed_at = :now"
    " WHERE id = :id AND is_open = 1"
)
ADD_LAUNCH = text(
    "INSERT INTO launches (id, registration, link_id, learner_id, attempt_id, return_url,"
    " received_at) VALUES (:id, :registration, :link_id, :learner_id, :attempt_id, :return_url,"
    " :now)"
)
# A grade that found no place, and is offered another one now, is sent again.
MOVED = (
    "CASE WHEN grades.delivery IN ('refused', 'waiting') AND grades.overridden = 0 AND "
    "(grades.outcome_url, grades.sourced_id, grades.line_item, grades.line_items, grades.scopes)"
    " <> (excluded.outcome_url, excluded.sourced_id, excluded.line_item, excluded.line_items,"
    " excluded.scopes)"
)
# A launch is the LMS's newest word on who is in the course: whoever it lets in after it listed them
# as Inactive or Deleted is graded again, and a grade that waited for that is due.
SAVE_TARGET = text(
    "INSERT INTO grades (id, link_id, learner_id, version, registration,"  # noqa: S608 - constants
    " deployment_id, user_id,"
    " outcome_url, sourced_id, line_item, line_items, scopes, delivery, tries, stamp,"
    " stamp_version, delivered_version, last_error, changed_at, family, launched_at)"
    " VALUES (:id, :link_id,"
    " :learner_id, 0, :registration, :deployment_id, :user_id, :outcome_url, :sourced_id,"
    " :line_item, :line_items, :scopes, 'none', 0, 0, 0, 0, '', :now, :family, :now)"
    " ON CONFLICT (link_id, learner_id) DO UPDATE SET registration = excluded.registration,"
    " deployment_id = excluded.deployment_id, user_id = excluded.user_id,"
    " outcome_url = excluded.outcome_url, sourced_id = excluded.sourced_id,"
    " line_item = excluded.line_item, line_items = excluded.line_items, scopes = excluded.scopes,"
    " family = excluded.family, launched_at = excluded.launched_at,"
    f" delivery = {MOVED} THEN 'pending' ELSE grades.delivery END,"
    f" due_at = {MOVED} OR (grades.delivery = 'pending' AND grades.lease IS NULL AND {DEPARTED})"
    " THEN :now ELSE grades.due_at END,"
    f" tries = {MOVED} THEN 0 ELSE grades.tries END"
)
SAVE_ROSTER = text(
    "INSERT INTO rosters (registration, deployment_id, context_id, url)"
    " VALUES (:registration, :deployment_id, :context_id, :url)"
    " ON CONFLICT (registration, deployment_id, context_id) DO UPDATE SET url = excluded.url"
    " WHERE rosters.url <> excluded.url"
)
ADD_RESULT = text(
    "INSERT INTO results (id, attempt_id, source, event, given, maximum, raw, received_at)"
    " VALUES (:id, :attempt_id, :source, :event, :given, :maximum, :raw, :now)"
    " ON CONFLICT DO NOTHING"
)
SAVE_SCORE = text(
    "UPDATE attempts SET state = :state, given = :given, maximum = :maximum,"
    " scored_at = :scored_at, changed_at = :now,"
    # what a person has decided about stays known, so that the same verdict is not held again
    " held = CASE WHEN CAST(:decided AS INTEGER) = 1 THEN held ELSE '' END,"
    " held_given = CASE WHEN CAST(:decided AS INTEGER) = 1 THEN held_given END,"
    " held_maximum = CASE WHEN CAST(:decided AS INTEGER) = 1 THEN held_maximum END,"
    # what is reported late must not open an attempt beside the learner's next one
    " is_open = CASE WHEN CAST(:is_open AS INTEGER) = 1 AND NOT EXISTS (SELECT 1 FROM attempts o"
    " WHERE o.link_id = attempts.link_id AND o.learner_id = attempts.learner_id"
    " AND o.is_open = 1 AND o.id <> attempts.id) THEN 1 ELSE 0 END WHERE id = :id"
)
HOLD_RESULT = text(
    "UPDATE attempts SET state = 'held', held = :held, held_given = :given,"
    " held_maximum = :maximum, changed_at = :now WHERE id = :id"
)
SCORES = text(
    "SELECT number, given, maximum, scored_at FROM attempts WHERE link_id = :link_id"
    " AND learner_id = :learner_id AND scored_at IS NOT NULL ORDER BY number"
)
# That marks are being made, for an LMS which hears it (AGS 2.0 §3.4.8; Basic Outcomes has no word
# for it), and only where it would clear no grade of ours.
AWAITING = (
    "CASE WHEN CAST(:given AS TEXT) IS NOT NULL OR grades.line_item || grades.line_items = ''"
    " OR replace(grades.scopes, '/lti-ags/scope/score', '') = grades.scopes"
    " OR (grades.line_item = '' AND grades.outcome_url <> '' AND grades.sourced_id <> '')"
    " OR NOT EXISTS (SELECT 1 FROM attempts a WHERE a.link_id = grades.link_id"
    " AND a.learner_id = grades.learner_id AND a.state IN ('awaiting-marks', 'held')) THEN ''"
    " WHEN CAST(:pending AS TEXT) <> '' THEN CAST(:pending AS TEXT)"
    " WHEN grades.awaiting <> '' THEN grades.awaiting ELSE 'Pending' END"
)
WANT_GRADE = text(
    "UPDATE grades SET given = :given, maximum = :maximum, version = version + 1, tries = 0,"  # noqa: S608
    f" awaiting = {AWAITING},"
    " delivery = 'pending', due_at = :now, last_error = '', changed_at = :now"
    " WHERE link_id = :link_id AND learner_id = :learner_id"
    f" AND (version > 0 OR CAST(:given AS TEXT) IS NOT NULL OR {AWAITING} <> '')"
    " AND (coalesce(given, '') <> coalesce(CAST(:given AS TEXT), '')"
    " OR coalesce(maximum, '') <> coalesce(CAST(:maximum AS TEXT), '')"
    f" OR awaiting <> {AWAITING})"
)


class Steps(CourseActivities, Aliases, PurchaseSteps, OwnerSteps):
    """The `core.store.Transaction` of one open transaction, by the driver's cursor."""

    def __init__(self, cursor: Any, database: Database) -> None:
        self._cursor = cursor
        self._native = database.native
        self._lock_attempt = _lock_attempt(database.for_update)

    def use_once(self, once: Once) -> bool:
        """Record the value; False when it was already recorded."""
        return self._changes(USE_ONCE, **rows.once_columns(once))

    def used(self, once: Once) -> Once:
        """The value as it was recorded, with the browser, the message and the time of then."""
        used_at, browser, message = self._row(USED, scope=once.scope, value=once.value)
        return replace(once, browser=browser, message=message, at=rows.moment(used_at))

    def learner(self, registration: str, user_id: str, new_id: str, now: datetime) -> str:
        """The id of this LMS user's learner, who is created on the first launch."""
        who = {"registration": registration, "user_id": user_id}
        row = self._row(FIND_LEARNER, **who)
        if row is None:
            if self._changes(ADD_LEARNER, id=new_id, now=rows.ms(now), **who):
                return new_id
            row = self._row(FIND_LEARNER, **who)
        return str(row[0])

    def find_link(self, launch: Launch) -> Link | None:
        """The link that this launch came by, if it was seen before."""
        row = self._row(FIND_LINK, **placement(launch))
        return Link(*row) if row else None

    def save_link(self, launch: Launch, activity_id: str, new_id: str) -> Link:
        """Create the link, or let it point to `activity_id`."""
        now = rows.ms(launch.received_at)
        row = self._row(SAVE_LINK, id=new_id, activity_id=activity_id, now=now, **placement(launch))
        return Link(*row)

    def save_activity(self, activity: Activity, custom: Mapping[str, str], now: datetime) -> None:
        """Keep an activity in the database, once."""
        self._changes(
            ADD_ACTIVITY,
            id=activity.id,
            title=activity.title,
            connection=activity.connection,
            settings=json.dumps(dict(custom)),
            grade=activity.grade,
            now=rows.ms(now),
        )

    def open_attempt(self, link_id: str, learner_id: str) -> Attempt | None:
        """The attempt that a next click continues."""
        row = self._row(OPEN_ATTEMPT, link_id=link_id, learner_id=learner_id)
        return rows.attempt(row) if row else None

    def last_attempt(self, link_id: str, learner_id: str) -> tuple[int, datetime | None]:
        """How many attempts this learner has made at this link, and when the last began."""
        row = self._row(LAST_ATTEMPT, link_id=link_id, learner_id=learner_id)
        return (row[0], rows.moment(row[1])) if row else (0, None)

    def begun(self, launch: Launch, link_id: str, learner_id: str) -> list[Begun]:
        """All attempts of this learner at this link, or in the LMS of a launch, by number."""
        who = {"link_id": link_id, "learner_id": learner_id}
        found = self._rows(BEGUN, registration=launch.registration, **who)
        return [
            Begun(Link(link, opens), learner, number, activity, rows.moment(at), *where)
            for link, opens, learner, number, activity, at, *where in found
        ]

    def in_use_since(self, launch: Launch, context_id: str) -> bool:
        """Whether that course of the LMS was clicked in since the course of a launch is known."""
        where = placement(launch)
        del where["resource_link_id"]
        return self._row(IN_USE_SINCE, other=context_id, **where) is not None

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""
        row = self._row(ADJUSTMENT, activity_id=activity_id, learner_id=learner_id)
        return Adjustment(*row) if row else Adjustment()

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
        self._changes(ADD_CHANGE, id=attempt_id, now=at, state="unclear", source="start")
        return True

    def close_attempt(self, attempt: Attempt, now: datetime) -> None:
        """Close an attempt that nobody will finish: its link opens another activity now."""
        self._changes(CLOSE_ATTEMPT, id=attempt.id, now=rows.ms(now))

    def save_launch(
        self, launch_id: str, launch: Launch, link_id: str, learner_id: str, attempt_id: str
    ) -> None:
        """Record the click."""
        self._changes(
            ADD_LAUNCH,
            id=launch_id,
            registration=launch.registration,
            link_id=link_id,
            learner_id=learner_id or None,
            attempt_id=attempt_id or None,
            return_url=launch.presentation.return_url,
            now=rows.ms(launch.received_at),
        )

    def save_target(self, grade_id: str, launch: Launch, link_id: str, learner_id: str) -> None:
        """Keep the newest place for this learner's grade."""
        self._changes(
            SAVE_TARGET,
            id=grade_id,
            link_id=link_id,
            learner_id=learner_id,
            registration=launch.registration,
            deployment_id=launch.deployment_id,
            user_id=launch.person.id,
            family=launch.platform.family,
            now=rows.ms(launch.received_at),
            **rows.target_columns(launch.grade_target),
        )

    def has_left(self, launch: Launch) -> bool:
        """Whether a list that was read after this launch says that its user left the course."""
        where = placement(launch)
        del where["resource_link_id"]
        who = {"user_id": launch.person.id, "at": rows.ms(launch.received_at)}
        return self._row(HAS_LEFT, **where, **who) is not None

    def save_memberships_url(self, launch: Launch, url: str) -> None:
        """Keep where the members of this launch's course are listed."""
        where = placement(launch)
        del where["resource_link_id"]
        self._changes(SAVE_ROSTER, url=url, **where)

    def lock_attempt(self, attempt_id: str, connection: str) -> Attempt | None:
        """The attempt if it belongs to that connection, its gradebook cell locked."""
        row = self._row(self._lock_attempt, id=attempt_id, connection=connection)
        return rows.attempt(row) if row else None

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

    def save_score(self, attempt: Attempt, incoming: Incoming, now: datetime) -> None:
        """Give the attempt its new state and score."""
        at = rows.ms(now)
        self._changes(
            SAVE_SCORE,
            id=attempt.id,
            state=incoming.state,
            is_open=0 if incoming.state in CLOSED else 1,
            scored_at=None if incoming.score is None else at,
            decided=int(incoming.source in DECIDES),
            now=at,
            **rows.score_columns(incoming.score),
        )
        if incoming.state != attempt.state:
            self._changes(
                ADD_CHANGE, id=attempt.id, now=at, state=incoming.state, source=incoming.source
            )

    def hold_result(self, attempt: Attempt, incoming: Incoming, now: datetime) -> None:
        """Keep the result aside for a person; what counted before goes on counting."""
        at = rows.ms(now)
        self._changes(
            HOLD_RESULT,
            id=attempt.id,
            held=incoming.held,
            now=at,
            **rows.score_columns(incoming.score),
        )
        if attempt.state != "held":
            self._changes(ADD_CHANGE, id=attempt.id, now=at, state="held", source=incoming.source)

    def scores(self, link_id: str, learner_id: str) -> list[Scored]:
        """The scores of all attempts of this cell."""
        self._run(SCORES, {"link_id": link_id, "learner_id": learner_id})
        return [
            Scored(rows.score(given, maximum), rows.moment(scored_at), number)
            for number, given, maximum, scored_at in self._cursor.fetchall()
        ]

    def want_grade(
        self, link_id: str, learner_id: str, score: Score | None, pending: str, now: datetime
    ) -> bool:
        """Let the gradebook cell want this score; False when it already does.

        Without a score, an LMS that can hear it is told that marks are being made, if an attempt
        awaits them; in the word `pending`, or in the one that was used before, or Pending.
        """
        return self._changes(
            WANT_GRADE,
            link_id=link_id,
            learner_id=learner_id,
            pending=pending,
            now=rows.ms(now),
            **rows.score_columns(score),
        )

    def _row(self, statement: TextClause, **values: Any) -> Any:
        return self._run(statement, values).fetchone()

    def _rows(self, statement: TextClause, **values: Any) -> Any:
        return self._run(statement, values).fetchall()

    def _changes(self, statement: TextClause, **values: Any) -> bool:
        return bool(self._run(statement, values).rowcount > 0)

    def _run(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        return self._cursor.execute(self._native(statement), values)


@cache
def _lock_attempt(for_update: str) -> TextClause:
    # Both rows are locked: two attempts of one cell share the grade, and only a locked row is read
    # as the one before us left it.
    return text(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts a JOIN grades g"  # noqa: S608 - constants
        " ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
        f" WHERE a.id = :id AND a.connection = :connection {for_update}"
    )
