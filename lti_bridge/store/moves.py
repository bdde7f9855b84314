"""Courses that an admin says are the same: the links of one are found by the names of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from lti_bridge.store.engine import Database

LINKS = text(
    "SELECT l.id, l.deployment_id, l.context_id, l.resource_link_id,"
    " (SELECT count(*) FROM attempts a WHERE a.link_id = l.id) AS attempts FROM links l"
    " WHERE l.registration = :registration ORDER BY l.context_id, l.resource_link_id, l.id"
)
JOIN = text(
    "INSERT INTO link_aliases (registration, deployment_id, context_id, resource_link_id, link_id)"
    " VALUES (:registration, :deployment_id, :context_id, :resource_link_id, :link_id)"
    " ON CONFLICT DO NOTHING"
)
PART = text(
    "DELETE FROM link_aliases WHERE registration = :registration"
    " AND deployment_id = :deployment_id AND context_id = :context_id"
    " AND resource_link_id = :resource_link_id AND link_id = :link_id"
)


@dataclass(frozen=True, slots=True)
class Move:
    """A link, what its LMS calls it from now on, and how many attempts there are at it."""

    link_id: str
    registration: str
    deployment_id: str
    former: tuple[str, str]
    context_id: str
    resource_link_id: str
    attempts: int


class Moves:
    """The moves of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, registration: str, old: str, new: str, *, part: bool) -> list[Move]:
        """The links of the course `old`, as those of `new`; with `part`, wherever the text is.

        With `part` every course id that holds the text `old` is another one with `new` in its
        place, and so are the ids of its links.
        """
        with self._database.reading() as connection:
            rows = connection.execute(LINKS, {"registration": registration}).fetchall()
        found = []
        for row in rows:
            if part and old in row.context_id:
                names = (row.context_id.replace(old, new), row.resource_link_id.replace(old, new))
            elif not part and row.context_id == old:
                names = (new, row.resource_link_id)
            else:
                continue
            former = (row.context_id, row.resource_link_id)
            found.append(
                Move(row.id, registration, row.deployment_id, former, *names, row.attempts)
            )
        return found

    def join(self, moves: Sequence[Move]) -> int:
        """Let the links be found by their new names too; how many were not yet."""
        return self._run(JOIN, moves)

    def part(self, moves: Sequence[Move]) -> int:
        """Take that back; how many were."""
        return self._run(PART, moves)

    def _run(self, statement: object, moves: Sequence[Move]) -> int:
        with self._database.writing() as connection:
            return sum(
                connection.execute(
                    statement,  # type: ignore[call-overload]
                    {
                        "registration": one.registration,
                        "deployment_id": one.deployment_id,
                        "context_id": one.context_id,
                        "resource_link_id": one.resource_link_id,
                        "link_id": one.link_id,
                    },
                ).rowcount
                for one in moves
            )
