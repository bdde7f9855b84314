"""Which courses were copied from which, as their LMS, a teacher or an admin said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.records import Course
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

BY_COMMAND = "command"  # `told_by` of what an admin says; a learner's id has 22 characters
OF_COURSE = (
    "registration = :registration AND deployment_id = :deployment_id AND context_id = :context_id"
)
# The LMS's own word is never a person's afterwards.
NOTE_COPY = text(
    "INSERT INTO course_copies (registration, deployment_id, context_id, origin_context_id,"
    " told_at, told_by) VALUES (:registration, :deployment_id, :context_id, :origin, :now,"
    " :told_by) ON CONFLICT (registration, deployment_id, context_id, origin_context_id)"
    " DO UPDATE SET told_at = excluded.told_at, told_by = CASE WHEN course_copies.told_by = ''"
    " THEN '' ELSE excluded.told_by END"
)
COPIED_FROM = text(
    f"SELECT origin_context_id FROM course_copies WHERE {OF_COURSE}"  # noqa: S608 - constants
    f" AND (:all = 1 OR told_by IN ('', '{BY_COMMAND}'))"
    " ORDER BY told_at DESC, origin_context_id LIMIT 20"
)
SAID = text(f"SELECT 1 FROM course_copies WHERE {OF_COURSE} AND told_by <> '' LIMIT 1")  # noqa: S608
FORGET = text(
    f"DELETE FROM course_copies WHERE {OF_COURSE} AND told_by <> ''"  # noqa: S608 - constants
)
UNTOUCHED = text(
    f"SELECT id FROM activities a WHERE {OF_COURSE} AND origin <> ''"  # noqa: S608 - constants
    " AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.activity_id = a.id)"
    " AND (SELECT count(*) FROM activity_versions v WHERE v.activity_id = a.id) < 2"
)
UNMAKE_VERSIONS = text("DELETE FROM activity_versions WHERE activity_id = :id")
UNMAKE = text("DELETE FROM activities WHERE id = :id")
PLACES = text(
    "SELECT DISTINCT deployment_id FROM activities WHERE registration = :registration"
    " AND context_id = :context_id ORDER BY deployment_id"
)
LISTED = text(
    "SELECT c.registration, c.deployment_id, c.context_id, c.origin_context_id, c.told_at,"
    " c.told_by, (SELECT count(*) FROM activities a WHERE a.registration = c.registration"
    " AND a.deployment_id = c.deployment_id AND a.context_id = c.context_id"
    " AND a.origin <> '') AS copies FROM course_copies c"
    " WHERE :registration = '' OR c.registration = :registration"
    " ORDER BY c.registration, c.told_at, c.context_id, c.origin_context_id"
)


@dataclass(frozen=True, slots=True)
class Copied:
    """One course and the one that it was copied from; `copies` of tests have been made since.

    `told_by` is "LMS", "teacher" or "command".
    """

    registration: str
    deployment_id: str
    course: str
    origin: str
    told_at: datetime
    told_by: str
    copies: int


class CopySteps(Statements):
    """The part of a transaction that is about copied courses."""

    def note_copy(
        self, course: Course, origins: Sequence[str], now: datetime, told_by: str = ""
    ) -> None:
        """Keep from which courses (their context ids) this one was copied, and who says so."""
        for origin in origins:
            values = {"origin": origin, "now": rows.ms(now), "told_by": told_by}
            self._changes(NOTE_COPY, **asdict(course), **values)

    def copied_from(self, course: Course, *, said_by_teachers: bool = True) -> list[str]:
        """The context ids of the courses that this one was copied from, the newest copy first."""
        found = self._rows(COPIED_FROM, all=int(said_by_teachers), **asdict(course))
        return [row[0] for row in found]

    def copies_said(self, course: Course) -> bool:
        """Whether a person said that this course is a copy, and no LMS."""
        return self._row(SAID, **asdict(course)) is not None

    def forget_copies(self, course: Course) -> None:
        """Take back what people said about where this course comes from."""
        self._changes(FORGET, **asdict(course))

    def unmake_copies(self, course: Course) -> int:
        """Delete the copies in a course that nobody has begun or changed; how many they were."""
        found = [row[0] for row in self._rows(UNTOUCHED, **asdict(course))]
        for one in found:
            self._changes(UNMAKE_VERSIONS, id=one)
            self._changes(UNMAKE, id=one)
        return len(found)


class Copies:
    """The copied courses of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def places(self, registration: str, context_id: str) -> list[Course]:
        """The courses of an LMS by this id in which tests were set up: one a deployment."""
        values = {"registration": registration, "context_id": context_id}
        with self._database.reading() as connection:
            found = connection.execute(PLACES, values).fetchall()
        return [Course(registration, row.deployment_id, context_id) for row in found]

    def listed(self, registration: str = "") -> list[Copied]:
        """All of them, or those of one LMS."""
        with self._database.reading() as connection:
            found = connection.execute(LISTED, {"registration": registration}).fetchall()
        return [
            Copied(
                registration=row.registration,
                deployment_id=row.deployment_id,
                course=row.context_id,
                origin=row.origin_context_id,
                told_at=rows.moment(row.told_at),
                told_by=_word(row.told_by),
                copies=row.copies,
            )
            for row in found
        ]


def _word(told_by: str) -> str:
    return {"": "LMS", BY_COMMAND: "command"}.get(told_by, "teacher")
