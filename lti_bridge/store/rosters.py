"""What the page about a course's learners needs: where the LMS lists them, and their cells."""

from __future__ import annotations

from sqlalchemy import text

from lti_bridge.core.people import Cell
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

URL = text(
    "SELECT url FROM rosters WHERE registration = :registration"
    " AND deployment_id = :deployment_id AND context_id = :context_id"
)
# every learner who has opened the link, with the last attempt and the gradebook cell
CELLS = text(
    "SELECT p.user_id, a.state, g.given, g.maximum, g.version, g.delivery, g.shown, g.overridden"
    " FROM attempts a JOIN learners p ON p.id = a.learner_id"
    " LEFT JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id"
    " WHERE a.link_id = :link_id AND a.number = (SELECT max(o.number) FROM attempts o"
    " WHERE o.link_id = a.link_id AND o.learner_id = a.learner_id) ORDER BY p.user_id"
)


class Rosters:
    """Reads what is known of courses and their learners. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def memberships_url(self, registration: str, deployment_id: str, context_id: str) -> str:
        """The address that the LMS last gave for this course's members; may be empty."""
        course = {
            "registration": registration,
            "deployment_id": deployment_id,
            "context_id": context_id,
        }
        with self._database.reading() as connection:
            return connection.execute(URL, course).scalar_one_or_none() or ""

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
            )
            for row in found
        ]
