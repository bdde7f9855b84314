"""The journal's rows: written in batches beside everything else, and searched by indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Text, TextClause, bindparam, text

from lti_bridge.core.journal.record import Recorded, recorded
from lti_bridge.core.journal.traces import Cell, Question, Whose
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.learners import FIND_LEARNER, NAMES

# Whose and where it is, as far as the hop does not say, is found here, beside the requests. One who
# was forgotten since is nobody's, and a launch that was refused has made nobody.
OF_CLICK = "FROM launches n WHERE n.id = :click"
OF_GRADE = "FROM grades g JOIN links k ON k.id = g.link_id WHERE g.id = :grade_id"
ADD = text(
    "INSERT INTO hops (ref, at, ms, kind, code, detail, proved, registration, context_id, link_id,"  # noqa: S608 - constants
    " activity_id, connection, learner_id, person, attempt_id, grade_id, checks, more)"
    " VALUES (:ref, :at, :ms, :kind, :code, :detail, :proved, COALESCE(NULLIF(:registration, ''),"
    " (SELECT l.registration FROM learners l WHERE l.id = :learner_id),"
    f" (SELECT n.registration {OF_CLICK}), ''),"
    " COALESCE(:context_id, (SELECT k.context_id FROM links k WHERE k.id = :link_id),"
    f" (SELECT k.context_id {OF_GRADE})), :link_id, :activity_id, :connection,"
    " COALESCE((SELECT l.id FROM learners l WHERE l.id = :learner_id"
    " AND l.user_id <> 'forgotten:' || l.id), (SELECT l.id FROM learners l WHERE :user_id <> ''"
    " AND l.registration = :registration AND l.user_id = :user_id),"
    f" (SELECT g.learner_id {OF_GRADE}), (SELECT n.learner_id {OF_CLICK})), :person,"
    f" COALESCE(:attempt_id, (SELECT n.attempt_id {OF_CLICK})), :grade_id, :checks, :more)"
)
COLUMNS = (
    "h.id, h.ref, h.at, h.ms, h.kind, h.code, h.detail, h.proved, h.registration, h.context_id,"
    " h.link_id, h.activity_id, h.connection, h.learner_id, h.attempt_id, h.grade_id, h.checks,"
    " h.more, l.user_id"
)
FROM = "FROM hops h LEFT JOIN learners l ON l.id = h.learner_id"
OF_TRACE = text(f"SELECT {COLUMNS} {FROM} WHERE h.ref = :ref ORDER BY h.at, h.id")
ABOUT = text(
    f"SELECT {COLUMNS} {FROM} WHERE h.attempt_id IN :attempts"
    f" UNION SELECT {COLUMNS} {FROM} WHERE h.grade_id IN :grades ORDER BY 3, 1"
).bindparams(
    bindparam("attempts", expanding=True, type_=Text),
    bindparam("grades", expanding=True, type_=Text),
)
GRADES_OF = text(
    "SELECT g.id FROM attempts a JOIN grades g ON g.link_id = a.link_id"
    " AND g.learner_id = a.learner_id WHERE a.id IN :attempts"
).bindparams(bindparam("attempts", expanding=True, type_=Text))
ATTEMPTS_OF = text(
    "SELECT a.id FROM grades g JOIN attempts a ON a.link_id = g.link_id"
    " AND a.learner_id = g.learner_id WHERE g.id IN :grades"
).bindparams(bindparam("grades", expanding=True, type_=Text))
USERS = text(
    "SELECT id FROM learners WHERE registration IN :registrations AND user_id = :user_id"
    " UNION SELECT learner_id FROM learner_aliases WHERE registration IN :registrations"
    " AND user_id = :user_id"
).bindparams(bindparam("registrations", expanding=True, type_=Text))
FORGET_PERSON = text("DELETE FROM hops WHERE person IN :persons").bindparams(
    bindparam("persons", expanding=True, type_=Text)
)
QUIET = "(h.kind <> 'login' OR h.code IS NOT NULL)"  # a launch follows, and says more

CELLS = text(
    "SELECT id, registration, user_id, given, maximum, awaiting, version, delivery, tries,"
    " delivered_at, last_error, shown, shown_at, overridden FROM grades WHERE id IN :grades"
    " ORDER BY id"
).bindparams(bindparam("grades", expanding=True, type_=Text))


class Hops:
    """The `core.journal.traces.Hops` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Keep these rows, in one transaction of their own."""
        with self._database.cursor() as cursor:
            cursor.executemany(self._database.native(ADD), values)

    def search(self, question: Question, whose: Whose | None) -> list[Recorded]:
        """The newest hops that were asked for, the newest first."""
        values: dict[str, Any] = {"limit": question.limit}
        conditions = [*_conditions(question, values)]
        # each part by an index of its own: with OR it would be one search through everything
        parts = [_part([*conditions, *one]) for one in _whose(whose, values)]
        statement = " UNION ".join(f"SELECT * FROM ({part}) p" for part in parts)  # noqa: S608
        query = text(f"{statement} ORDER BY 3 DESC, 1 DESC LIMIT :limit")
        lists = [name for name, value in values.items() if isinstance(value, list)]
        query = query.bindparams(*(bindparam(name, expanding=True, type_=Text) for name in lists))
        return self._read(query, values)

    def of_trace(self, ref: str) -> list[Recorded]:
        """The hops of a reference, oldest first."""
        return self._read(OF_TRACE, {"ref": ref})

    def about(self, attempts: Iterable[str], grades: Iterable[str]) -> list[Recorded]:
        """All hops of these attempts and grades, whatever their references, oldest first."""
        return self._read(ABOUT, {"attempts": sorted(attempts), "grades": sorted(grades)})

    def grades_of(self, attempts: Iterable[str]) -> list[str]:
        """The gradebook cells of these attempts."""
        return self._ids(GRADES_OF, {"attempts": sorted(attempts)})

    def attempts_of(self, grades: Iterable[str]) -> list[str]:
        """The attempts of these gradebook cells."""
        return self._ids(ATTEMPTS_OF, {"grades": sorted(grades)})

    def cells(self, grades: Iterable[str]) -> list[Cell]:
        """These gradebook cells as they are now."""
        with self._database.reading() as connection:
            found = connection.execute(CELLS, {"grades": sorted(grades)}).fetchall()
        return [_cell(row) for row in found]

    def learners_of(self, registrations: Sequence[str], user_id: str) -> list[str]:
        """The learners whom these LMSs call so."""
        return self._ids(USERS, {"registrations": list(registrations), "user_id": user_id})

    def names(self, registration: str, user_id: str) -> list[tuple[str, str]]:
        """All names, by LMS, of the learner of this one; none where there is no learner."""
        with self._database.reading() as connection:
            who = {"registration": registration, "user_id": user_id}
            found = {"id": connection.execute(FIND_LEARNER, who).scalar()}
            return [(row[0], row[1]) for row in connection.execute(NAMES, found)]

    def forget_persons(self, persons: Sequence[str]) -> int:
        """Delete what is kept of users who were refused without a learner; how many rows."""
        with self._database.writing() as connection:
            return int(connection.execute(FORGET_PERSON, {"persons": list(persons)}).rowcount)

    def _read(self, statement: TextClause, values: Mapping[str, Any]) -> list[Recorded]:
        with self._database.reading() as connection:
            return [recorded(dict(row._mapping)) for row in connection.execute(statement, values)]

    def _ids(self, statement: TextClause, values: Mapping[str, Any]) -> list[str]:
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(statement, values)]


def _cell(row: Any) -> Cell:
    return Cell(
        id=row.id,
        registration=row.registration,
        user=row.user_id,
        grade=rows.wanted(row.given, row.maximum, row.awaiting) if row.version else "",
        delivery=row.delivery,
        tries=row.tries,
        delivered_at=rows.moment(row.delivered_at) if row.delivered_at else None,
        reason=row.last_error,
        shown=row.shown,
        shown_at=rows.moment(row.shown_at) if row.shown_at else None,
        overridden=bool(row.overridden),
    )


def _conditions(question: Question, values: dict[str, Any]) -> Iterable[str]:
    for name, value in (
        ("activity_id", question.activity),
        ("context_id", question.course),
        ("registration", question.lms),
        ("code", question.code),
    ):
        if value:
            values[name] = value
            yield f"h.{name} = :{name}"
    if question.since:
        values["since"] = rows.ms(question.since)
        yield "h.at >= :since"
    if question.until:
        values["until"] = rows.ms(question.until)
        yield "h.at < :until"
    if question.failed:
        yield "h.code IS NOT NULL"
    if question.kinds:
        values["kinds"] = list(question.kinds)
        yield "h.kind IN :kinds"
    if not question.logins:
        yield QUIET


def _whose(whose: Whose | None, values: dict[str, Any]) -> Iterable[Sequence[str]]:
    if whose is None:
        yield ()
        return
    values |= {"learners": list(whose.learners), "persons": list(whose.persons)}
    yield ("h.learner_id IN :learners",)
    yield ("h.person IN :persons",)


def _part(conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {COLUMNS} {FROM}{where} ORDER BY h.at DESC, h.id DESC LIMIT :limit"
