"""Courses and their learners: where the LMS lists them, who has left, and their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Text, TextClause, bindparam, text

from lti_bridge.core.course.learners import Cell
from lti_bridge.core.grade.deliveries import DEPARTED as WAITS_FOR_LEARNER
from lti_bridge.core.launch.message import Launch
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.links import placement
from lti_bridge.store.statements import Statements

COURSE = (
    "registration = :registration AND deployment_id = :deployment_id AND context_id = :context_id"
)
# Whether a list that was read after the learner's last launch of the link says that they left.
# It is the list of the LMS that the grade goes to: of the link's names the one that is used there,
# or the course that this launch came from, where that has another id now (decision 0018).
DEPARTED = (
    "EXISTS (SELECT 1 FROM departures d WHERE d.registration = grades.registration"
    " AND d.deployment_id = grades.deployment_id AND d.user_id = grades.user_id"
    " AND d.seen_at > grades.launched_at AND d.context_id IN (SELECT l.context_id FROM links l"
    " WHERE l.id = grades.link_id AND l.registration = grades.registration"
    " AND l.deployment_id = grades.deployment_id UNION ALL SELECT n.context_id"
    " FROM link_aliases n WHERE n.link_id = grades.link_id"
    " AND n.registration = grades.registration AND n.deployment_id = grades.deployment_id"
    " UNION ALL SELECT c.context_id FROM launches o JOIN links c ON c.id = o.link_id"
    " WHERE o.received_at = grades.launched_at AND o.learner_id = grades.learner_id"
    " AND c.registration = grades.registration AND c.deployment_id = grades.deployment_id))"
)
URL = text(f"SELECT url FROM rosters WHERE {COURSE}")  # noqa: S608 - constants
HAS_LEFT = text(
    f"SELECT 1 FROM departures WHERE {COURSE} AND user_id = :user_id AND seen_at > :at"  # noqa: S608
)
KEPT = text(f"SELECT user_id, seen_at FROM departures WHERE {COURSE}")  # noqa: S608 - constants
CELLS_OF = (
    "SELECT id, user_id, launched_at, delivery FROM grades"
    " WHERE registration = :registration AND deployment_id = :deployment_id AND link_id IN"
)
# The cells of a course: of its links, and of links by the same id in other courses, where the
# learner's last launch came from this one.
GRADED = text(
    f"{CELLS_OF} (SELECT id FROM links WHERE {COURSE}"  # noqa: S608 - constants
    f" UNION ALL SELECT link_id FROM link_aliases WHERE {COURSE})"
    f" UNION {CELLS_OF} (SELECT b.id FROM links b JOIN links c"
    " ON c.registration = b.registration AND c.deployment_id = b.deployment_id"
    " AND c.resource_link_id = b.resource_link_id WHERE c.registration = :registration"
    " AND c.deployment_id = :deployment_id AND c.context_id = :context_id)"
    " AND EXISTS (SELECT 1 FROM launches o WHERE o.received_at = grades.launched_at"
    " AND o.learner_id = grades.learner_id"
    f" AND o.link_id IN (SELECT id FROM links WHERE {COURSE}))"
    " ORDER BY id"  # so that two at once do not wait for each other
)
LEFT = text(
    "INSERT INTO departures (registration, deployment_id, context_id, user_id, seen_at)"
    " SELECT g.registration, g.deployment_id, CAST(:context_id AS TEXT), g.user_id,"
    " CAST(:at AS BIGINT) FROM grades g WHERE g.id = :id"  # who was forgotten meanwhile has none
    " ON CONFLICT (registration, deployment_id, context_id, user_id)"
    " DO UPDATE SET seen_at = excluded.seen_at WHERE departures.seen_at < excluded.seen_at"
)
BACK = text(
    f"DELETE FROM departures WHERE {COURSE} AND user_id = :user_id AND seen_at < :at"  # noqa: S608
)
SEND = text(
    "UPDATE grades SET due_at = :at WHERE id = :id AND delivery = 'pending' AND lease IS NULL"
)
# Where the learner of a grade, or of an attempt, is a member; by the id of either.
PLACE = (
    "registration, deployment_id, user_id, COALESCE((SELECT n.context_id FROM link_aliases n"  # noqa: S608 - constants
    " WHERE n.link_id = grades.link_id AND n.registration = grades.registration"
    " AND n.deployment_id = grades.deployment_id ORDER BY n.context_id LIMIT 1),"
    f" (SELECT l.context_id FROM links l WHERE l.id = grades.link_id)) AS context_id, {DEPARTED}"
    " AS has_left"
)
PLACES = text(
    f"SELECT id, {PLACE} FROM grades WHERE id IN :ids UNION ALL SELECT a.id, {PLACE}"  # noqa: S608 - constants
    " FROM attempts a JOIN grades ON grades.link_id = a.link_id"
    " AND grades.learner_id = a.learner_id WHERE a.id IN :ids"
).bindparams(bindparam("ids", expanding=True, type_=Text))
SAVE_ROSTER = text(
    "INSERT INTO rosters (registration, deployment_id, context_id, url)"
    " VALUES (:registration, :deployment_id, :context_id, :url)"
    " ON CONFLICT (registration, deployment_id, context_id) DO UPDATE SET url = excluded.url"
    " WHERE rosters.url <> excluded.url"
)
# every learner who has opened the link, with the last attempt and the gradebook cell
CELLS = text(
    "SELECT p.user_id, a.state, g.given, g.maximum, g.version, g.delivery, g.shown, g.overridden,"
    " g.last_error"
    " FROM attempts a JOIN learners p ON p.id = a.learner_id"
    " LEFT JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
    " WHERE a.link_id = :link_id AND a.number = (SELECT max(o.number) FROM attempts o"
    " WHERE o.link_id = a.link_id AND o.learner_id = a.learner_id) ORDER BY p.user_id"
)
TROUBLES = text(
    "SELECT last_error, count(*) FROM grades WHERE link_id = :link_id AND last_error <> ''"
    " AND delivery IN ('pending', 'refused', 'waiting') AND last_error <> :departed"
    " GROUP BY last_error ORDER BY 2 DESC, 1 LIMIT 3"
)
SERVICES = text(
    "SELECT registration, line_item FROM grades WHERE line_item <> ''"
    " UNION SELECT registration, line_items FROM grades WHERE line_items <> ''"
    " UNION SELECT registration, url FROM rosters WHERE url <> '' ORDER BY 1, 2"
)


def services(database: Database) -> list[tuple[str, str]]:
    """Every address of grades and of members that an LMS has given: its name, and the address."""
    with database.reading() as connection:
        return [(name, url) for name, url in connection.execute(SERVICES)]


class RosterSteps(Statements):
    """The part of a transaction that is about courses and who is in them."""

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


class Place(NamedTuple):
    """Whose a grade or an attempt is, in which course; `left`: a list has said that they left."""

    course: tuple[str, str, str]
    user_id: str
    left: bool


class Rosters:
    """What is known of courses and their learners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def memberships_url(self, registration: str, deployment_id: str, context_id: str) -> str:
        """The address that the LMS last gave for this course's members; may be empty."""
        course = _course(registration, deployment_id, context_id)
        with self._database.reading() as connection:
            return connection.execute(URL, course).scalar_one_or_none() or ""

    def note_members(
        self,
        registration: str,
        deployment_id: str,
        context_id: str,
        active: Mapping[str, bool],
        read_at: datetime,
    ) -> None:
        """Keep who of those with a grade here has left the course, by user id, as its LMS says.

        Who is not in the list stays what they were: lists may be filtered. The grades that waited
        for somebody to be active again are due.
        """
        course = _course(registration, deployment_id, context_id)
        with self._database.reading() as connection:
            kept = {row.user_id: row.seen_at for row in connection.execute(KEPT, course)}
            graded = connection.execute(GRADED, course).fetchall()
        news = _news(course, active, kept, graded, rows.ms(read_at))
        if news:
            with self._database.writing() as connection:
                for statement, values in news:
                    connection.execute(statement, values)

    def troubles(self, link_id: str) -> list[tuple[str, int]]:
        """Why grades of this link are not in the gradebook, and how many: three reasons at most."""
        values = {"link_id": link_id, "departed": WAITS_FOR_LEARNER}
        with self._database.reading() as connection:
            return [(str(why), int(n)) for why, n in connection.execute(TROUBLES, values)]

    def places(self, ids: Sequence[str]) -> dict[str, Place]:
        """The places of grades and attempts by their ids; of one without a grade there is none."""
        with self._database.reading() as connection:
            found = connection.execute(PLACES, {"ids": list(ids)}).fetchall() if ids else []
        return {
            row.id: Place(
                (row.registration, row.deployment_id, row.context_id),
                row.user_id,
                bool(row.has_left),
            )
            for row in found
        }

    def cells(self, link_id: str) -> list[Cell]:
        """What is known of each learner who has opened this link."""
        with self._database.reading() as connection:
            found = connection.execute(CELLS, {"link_id": link_id}).fetchall()
        return [
            Cell(
                user_id=row.user_id,
                state=row.state,
                score=rows.score(row.given, row.maximum),
                delivery=row.delivery or "none",
                shown=row.shown or "",
                overridden=bool(row.overridden),
                reason=row.last_error or "",
            )
            for row in found
        ]


def _course(registration: str, deployment_id: str, context_id: str) -> dict[str, str]:
    return {
        "registration": registration,
        "deployment_id": deployment_id,
        "context_id": context_id,
    }


def _news(
    course: Mapping[str, str],
    active: Mapping[str, bool],
    kept: Mapping[str, int],
    graded: Sequence[Any],
    at: int,
) -> list[tuple[TextClause, list[dict[str, Any]]]]:
    """What a list read `at` this time changes: `kept` has left before, the cells are `graded`."""
    back = {user for user in kept if active.get(user)}
    waiting = [one.id for one in graded if one.user_id in back and one.delivery == "pending"]
    # what is known already is written again only after a launch, which made it old
    left = [
        one.id
        for one in graded
        if active.get(one.user_id) is False and kept.get(one.user_id, 0) <= one.launched_at
    ]
    steps: list[tuple[TextClause, list[dict[str, Any]]]] = [
        (BACK, [{**course, "user_id": user, "at": at} for user in sorted(back)]),
        (SEND, [{"id": grade, "at": at} for grade in waiting]),
        (LEFT, [{"context_id": course["context_id"], "id": grade, "at": at} for grade in left]),
    ]
    return [(statement, values) for statement, values in steps if values]
