"""What a reviewer sees of one learner's attempts at one link."""

from __future__ import annotations

from sqlalchemy import text

from lti_bridge.core.grade.submission_review import Change, Done
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

DONE = text(
    "SELECT id, number, state, given, maximum, created_at FROM attempts"
    " WHERE link_id = :link_id AND learner_id = :learner_id ORDER BY number"
)
CHANGES = text(
    "SELECT at, state FROM attempt_changes WHERE attempt_id = :id AND source <> 'refused'"
    " ORDER BY at"
)


class Reviews:
    """The part of the store for submission reviews; `Store` adds the rest."""

    database: Database

    def done(self, link_id: str, learner_id: str) -> list[Done]:
        """All attempts of a learner at a link, in order."""
        who = {"link_id": link_id, "learner_id": learner_id}
        with self.database.reading() as connection:
            return [
                Done(
                    row.number,
                    row.state,
                    rows.score(row.given, row.maximum),
                    rows.moment(row.created_at),
                    tuple(
                        Change(rows.moment(change.at), change.state)
                        for change in connection.execute(CHANGES, {"id": row.id})
                    ),
                )
                for row in connection.execute(DONE, who).fetchall()
            ]
