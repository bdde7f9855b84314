"""Cells after a backup was restored: what they want, and what turned out to be whose."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.grade.reconcile import Cell
from lti_bridge.store import rows
from lti_bridge.store.deliveries import GRADE_COLUMNS
from lti_bridge.store.engine import Database

CELLS = text(
    f"SELECT {GRADE_COLUMNS}, link_id, learner_id, delivery, delivered_version, overridden"  # noqa: S608 - constants
    " FROM grades WHERE registration = :lms AND version > 0 AND id > :after"
    " ORDER BY id LIMIT :limit"
)
COUNT = text("SELECT count(*) FROM grades WHERE registration = :lms AND version > 0")
# Not while a worker has it: what that one finds is newer.
ADOPT = text(
    "UPDATE grades SET told = :told, shown = :shown, shown_at = :now, overridden = 0, delivery ="
    " CASE WHEN :send = 1 THEN 'pending' ELSE delivery END, due_at = CASE WHEN :send = 1 THEN :now"
    " ELSE due_at END, tries = CASE WHEN :send = 1 THEN 0 ELSE tries END"
    " WHERE id = :id AND lease IS NULL"
)
LEAVE = text(
    "UPDATE grades SET shown = :shown, shown_at = :now, overridden = 1, delivery = CASE WHEN"
    " delivery = 'pending' THEN 'waiting' ELSE delivery END, due_at = CASE WHEN"
    " delivery = 'pending' THEN NULL ELSE due_at END, last_error = CASE WHEN delivery = 'pending'"
    " THEN :why ELSE last_error END WHERE id = :id AND lease IS NULL"
)
WHY = "the LMS shows a grade that nothing here accounts for: resend with --force, or wait"


class Cells:
    """The part of the store that is about cells after a backup was restored."""

    database: Database

    def cells_of(self, registration: str, after: str, limit: int) -> list[Cell]:
        """Cells of an LMS that ever wanted something, by their ids, from the one `after` this."""
        values = {"lms": registration, "after": after, "limit": limit}
        with self.database.reading() as connection:
            found = connection.execute(CELLS, values).fetchall()
        return [
            Cell(
                delivery=rows.delivery(row, "", row.stamp, rows.told(row, wanted=True)),
                link_id=row.link_id,
                learner_id=row.learner_id,
                newer=row.version > row.delivered_version,
                waits=row.delivery == "waiting" and bool(row.overridden),
            )
            for row in found
        ]

    def count_cells(self, registration: str) -> int:
        """How many there are."""
        with self.database.reading() as connection:
            return int(connection.execute(COUNT, {"lms": registration}).scalar_one())

    def adopt(self, cell: Cell, shown: str, now: datetime, *, send: bool) -> bool:
        """What is shown is ours; `send`: what is wanted goes over it. False: it has changed."""
        told = dict.fromkeys([shown, *cell.delivery.told])
        key = {"id": cell.delivery.grade_id, "now": rows.ms(now)}
        values = {**key, "told": " ".join(told), "shown": shown, "send": int(send)}
        with self.database.writing() as connection:
            return bool(connection.execute(ADOPT, values).rowcount)

    def leave(self, cell: Cell, shown: str, now: datetime) -> bool:
        """What is shown is not ours, so what is wanted waits. False: it has changed."""
        values = {"id": cell.delivery.grade_id, "shown": shown, "now": rows.ms(now), "why": WHY}
        with self.database.writing() as connection:
            return bool(connection.execute(LEAVE, values).rowcount)
