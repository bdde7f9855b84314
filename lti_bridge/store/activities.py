"""Activities that instructors made: whose they are, their versions, and their copies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import text

from lti_bridge.core.records import Activity, Course
from lti_bridge.store import rows
from lti_bridge.store.statements import Statements

COLUMNS = (
    "id, title, connection, settings, grade, attempts, days_between, opens_at, closes_at,"
    " registration, deployment_id, context_id, maximum, label,"
    " ungraded, origin, retired_at"
)
IN_COURSE = (
    "registration = :registration AND deployment_id = :deployment_id AND context_id = :context_id"
)
FIND = text(f"SELECT {COLUMNS} FROM activities WHERE id = :id")  # noqa: S608 - constants
OF_COURSE = text(
    f"SELECT {COLUMNS} FROM activities WHERE {IN_COURSE}"  # noqa: S608 - constants
    " AND retired_at IS NULL ORDER BY created_at, id LIMIT 200"
)
FAMILY = text(
    f"SELECT {COLUMNS} FROM activities WHERE registration = :registration"  # noqa: S608 - constants
    " AND retired_at IS NULL AND (id = :root OR origin = :root) ORDER BY created_at, id"
)
SET_UP_BY = text(
    f"SELECT {COLUMNS} FROM activities a WHERE registration = :registration"  # noqa: S608 - constants
    " AND context_id <> '' AND retired_at IS NULL AND (changed_by = :who OR EXISTS (SELECT 1"
    " FROM activity_versions v WHERE v.activity_id = a.id AND v.changed_by = :who))"
    " ORDER BY created_at, id"
)
HAS_TAUGHT = text(
    f"SELECT 1 FROM activities a WHERE {IN_COURSE} AND (changed_by = :who"  # noqa: S608 - constants
    " OR EXISTS (SELECT 1 FROM activity_versions v WHERE v.activity_id = a.id"
    " AND v.changed_by = :who)) UNION ALL SELECT 1 FROM course_copies"
    f" WHERE {IN_COURSE} AND told_by = :who LIMIT 1"
)
UNPLACED = text(
    f"SELECT {COLUMNS} FROM activities a WHERE {IN_COURSE} AND retired_at IS NULL"  # noqa: S608
    " AND NOT EXISTS (SELECT 1 FROM links l WHERE l.registration = a.registration"
    " AND l.deployment_id = a.deployment_id AND l.context_id = a.context_id"
    " AND l.activity_id = a.id)"
    " AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.activity_id = a.id)"
    " ORDER BY created_at, id LIMIT 200"
)
COUNT_SHARING = text(
    f"SELECT count(*) FROM links WHERE {IN_COURSE}"  # noqa: S608 - constants
    " AND activity_id = :activity_id AND id <> :link_id"
)
# Only the course that an activity belongs to changes it; the row count says whether it was.
SAVE = text(
    "INSERT INTO activities (id, title, connection, settings, grade, attempts, days_between,"
    " opens_at, closes_at, registration, deployment_id, context_id, maximum, label, ungraded,"
    " origin, created_at, changed_at, changed_by) VALUES (:id, :title, :connection, :settings,"
    " :grade, :attempts, :days_between, CAST(:opens_at AS BIGINT), CAST(:closes_at AS BIGINT),"
    " :registration, :deployment_id, :context_id, :maximum, :label, :ungraded, :origin, :now,"
    " :now, :changed_by)"
    " ON CONFLICT (id) DO UPDATE SET title = excluded.title, connection = excluded.connection,"
    " settings = excluded.settings, grade = excluded.grade, attempts = excluded.attempts,"
    " days_between = excluded.days_between, opens_at = excluded.opens_at,"
    " closes_at = excluded.closes_at, maximum = excluded.maximum, label = excluded.label,"
    " ungraded = excluded.ungraded, changed_at = excluded.changed_at,"
    " changed_by = excluded.changed_by"
    " WHERE activities.registration = excluded.registration"
    " AND activities.deployment_id = excluded.deployment_id"
    " AND activities.context_id = excluded.context_id AND activities.retired_at IS NULL"
)
ADD_VERSION = text(
    "INSERT INTO activity_versions (activity_id, number, at, changed_by, settings)"
    " SELECT :id, count(*) + 1, CAST(:now AS BIGINT), CAST(:changed_by AS TEXT),"
    " CAST(:settings AS TEXT) FROM activity_versions WHERE activity_id = :id"
)
VERSION = text(
    "SELECT v.settings FROM activity_versions v JOIN attempts a ON a.activity_id = v.activity_id"
    " WHERE a.id = :attempt_id ORDER BY CASE WHEN v.at <= a.created_at THEN 0 ELSE 1 END,"
    " CASE WHEN v.at <= a.created_at THEN -v.number ELSE v.number END LIMIT 1"
)
ADD_ACTIVITY = text(
    "INSERT INTO activities (id, title, connection, settings, grade, created_at)"
    " VALUES (:id, :title, :connection, :settings, :grade, :now) ON CONFLICT DO NOTHING"
)
RETIRE = text(
    "UPDATE activities SET retired_at = :now, changed_at = :now,"  # noqa: S608 - constants
    f" changed_by = :changed_by WHERE id = :id AND {IN_COURSE} AND retired_at IS NULL"
)
COUNT = text("SELECT count(*) FROM attempts WHERE activity_id = :id")


class ActivitySteps(Statements):
    """The part of a transaction that is about activities."""

    def stored_activity(self, activity_id: str) -> Activity | None:
        """An activity that lives in the database; its settings are what was typed."""
        row = self._row(FIND, id=activity_id)
        return _activity(row) if row else None

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

    def activities_of(self, course: Course) -> list[Activity]:
        """The activities of a course that are not retired, the oldest first, at most 200."""
        return [_activity(row) for row in self._rows(OF_COURSE, **asdict(course))]

    def family(self, registration: str, root: str) -> list[Activity]:
        """An activity and all its copies in other courses of the LMS that are not retired."""
        return [_activity(row) for row in self._rows(FAMILY, registration=registration, root=root)]

    def save_course_activity(self, activity: Activity, changed_by: str, now: datetime) -> bool:
        """Create or change an activity; False when it belongs elsewhere or is retired."""
        if activity.course is None:
            return False
        settings = json.dumps(dict(activity.settings))
        saved = self._changes(
            SAVE,
            id=activity.id,
            title=activity.title,
            connection=activity.connection,
            settings=settings,
            grade=activity.grade,
            attempts=activity.attempts,
            days_between=activity.days_between,
            opens_at=rows.ms(activity.opens_at) if activity.opens_at else None,
            closes_at=rows.ms(activity.closes_at) if activity.closes_at else None,
            maximum=activity.maximum,
            label=activity.label,
            ungraded=int(activity.ungraded),
            origin=activity.origin,
            changed_by=changed_by,
            now=rows.ms(now),
            **asdict(activity.course),
        )
        if saved:
            version = {"settings": settings, "changed_by": changed_by}
            self._changes(ADD_VERSION, id=activity.id, now=rows.ms(now), **version)
        return saved

    def retire_activity(
        self, activity_id: str, course: Course, changed_by: str, now: datetime
    ) -> bool:
        """Let no new attempt begin; False when it belongs elsewhere or is retired already."""
        values = {"id": activity_id, "changed_by": changed_by, "now": rows.ms(now)}
        return self._changes(RETIRE, **values, **asdict(course))

    def settings_at_start(self, attempt_id: str) -> Mapping[str, Any] | None:
        """What was set when this attempt was created; None for an activity without versions."""
        row = self._row(VERSION, attempt_id=attempt_id)
        return json.loads(row[0]) if row else None

    def has_taught(self, learner_id: str, course: Course) -> bool:
        """Whether somebody has set up or changed a test there, or said where the course is from."""
        return bool(learner_id and self._row(HAS_TAUGHT, who=learner_id, **asdict(course)))

    def set_up_by(self, registration: str, learner_id: str) -> list[Activity]:
        """The activities of an LMS that somebody has set up or changed, the oldest first."""
        found = self._rows(SET_UP_BY, registration=registration, who=learner_id)
        return [_activity(row) for row in found]

    def count_sharing(self, activity: Activity, link_id: str) -> int:
        """How many other links of its course open an activity."""
        if activity.course is None:
            return 0
        course = asdict(activity.course)
        row = self._row(COUNT_SHARING, activity_id=activity.id, link_id=link_id, **course)
        return int(row[0])

    def unplaced(self, course: Course) -> list[Activity]:
        """The activities of a course that no link has opened yet and nobody has begun."""
        return [_activity(row) for row in self._rows(UNPLACED, **asdict(course))]

    def count_attempts(self, activity_id: str) -> int:
        """How many attempts were made at an activity."""
        return int(self._row(COUNT, id=activity_id)[0])


def _activity(row: Any) -> Activity:
    (id_, title, connection, settings, grade, attempts, days, opens, closes, *more) = row
    registration, deployment_id, context_id, maximum, label, ungraded, *last = more
    origin, retired_at = last
    return Activity(
        id=id_,
        title=title,
        connection=connection,
        settings=json.loads(settings),
        grade=grade,
        attempts=attempts,
        days_between=days,
        opens_at=rows.moment(opens) if opens is not None else None,
        closes_at=rows.moment(closes) if closes is not None else None,
        course=Course(registration, deployment_id, context_id) if registration else None,
        maximum=maximum,
        label=label,
        ungraded=bool(ungraded),
        origin=origin,
        retired=retired_at is not None,
    )
