"""What is remembered of gradebook columns that the bridge found or made: one row per link."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, TextClause, bindparam, text

from lti_bridge.core.grade.states import MOVES
from lti_bridge.core.records import Column
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import one_of

# A link that came from LTI 1.1 may have another id in the LMS that the grade goes to.
COLUMN = text(
    "SELECT l.id, COALESCE((SELECT n.resource_link_id FROM link_aliases n WHERE n.link_id = l.id"
    " AND n.registration = g.registration AND n.deployment_id = g.deployment_id"
    " AND l.registration <> g.registration ORDER BY n.resource_link_id LIMIT 1),"
    " l.resource_link_id) AS resource_link_id,"
    " l.activity_id, COALESCE(NULLIF(a.label, ''), a.title) AS title, a.maximum, i.url,"
    " i.lease, i.leased_until"
    " FROM grades g JOIN links l ON l.id = g.link_id"
    " LEFT JOIN activities a ON a.id = l.activity_id"
    " LEFT JOIN line_items i ON i.link_id = l.id WHERE g.id = :grade_id"
)
CLAIM = text(
    "INSERT INTO line_items (link_id, url, lease, leased_until)"
    " VALUES (:link_id, '', :lease, :until)"
    " ON CONFLICT (link_id) DO UPDATE SET lease = excluded.lease,"
    " leased_until = excluded.leased_until WHERE line_items.url = '' AND ("
    "line_items.lease IS NULL OR line_items.lease = excluded.lease"
    " OR line_items.leased_until <= :now)"
)
SETTLE = text(
    "UPDATE line_items SET url = :url, lease = NULL, leased_until = NULL"
    " WHERE link_id = :link_id AND lease = :lease"
)
# A new version: the LMS may refuse the old timestamp where it found the column again.
RENEW = text(
    f"UPDATE grades SET delivery = '{MOVES['column lost'].to}', due_at = :now, tries = 0,"  # noqa: S608 - constants
    f" version = version + 1 WHERE link_id = :link_id AND (:lost = '' OR line_item = :lost)"
    f" AND delivery IN {one_of(MOVES['column lost'].of)}"
)
FORGET = text("UPDATE line_items SET url = '' WHERE link_id = :link_id AND url = :url")
# How a lease begins that no worker has: nobody is to make a line item, and why.
UNUSED = "unused: "
PUT_AWAY = text(
    "UPDATE line_items SET url = '', lease = :lease, leased_until = :until"
    " WHERE link_id = :link_id AND url = :url AND NOT EXISTS (SELECT 1 FROM grades g"
    " WHERE g.link_id = line_items.link_id AND g.delivered_at IS NOT NULL)"
)
# Somebody wants these grades sent again: what the LMS answered before counts no more.
MADE_AGAIN = text(
    f"UPDATE line_items SET lease = NULL, leased_until = NULL WHERE lease LIKE '{UNUSED}%'"  # noqa: S608 - a constant
    " AND link_id IN (SELECT link_id FROM grades WHERE id IN :ids)"
).bindparams(bindparam("ids", expanding=True, type_=Text))


class Columns:
    """The `core.grade.gradebook.Columns` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def column(self, grade_id: str) -> Column:
        """The column that a grade belongs into."""
        with self._database.reading() as connection:
            row = connection.execute(COLUMN, {"grade_id": grade_id}).one()
        activity = (row.activity_id, row.title or "", row.maximum or "")
        found = Column(row.id, row.resource_link_id, *activity, row.url or "")
        if not (row.lease or "").startswith(UNUSED):
            return found
        until = rows.moment(row.leased_until)
        return replace(found, unused=row.lease.removeprefix(UNUSED), rests_until=until)

    def claim(self, link_id: str, lease: str, now: datetime, lease_s: float) -> bool:
        """Lease the search for a link's line item, or lease it longer.

        False when it is known already or another lease lasts.
        """
        until = rows.ms(now + timedelta(seconds=lease_s))
        return self._changes(CLAIM, link_id=link_id, lease=lease, now=rows.ms(now), until=until)

    def settle(
        self,
        link_id: str,
        lease: str,
        line_item: str,
        renewed_at: datetime | None = None,
        lost: str = "",
    ) -> None:
        """Remember what was found (nothing: an empty string) and give the lease back.

        `renewed_at`: it is an empty column in the place of another, so all grades that were
        delivered for this link are due again at that time; only those whose launch named `lost`,
        if that was the other one.
        """
        values = {"link_id": link_id, "lease": lease, "url": line_item}
        with self._database.writing() as connection:
            if connection.execute(SETTLE, values).rowcount and renewed_at:
                due = {"link_id": link_id, "now": rows.ms(renewed_at), "lost": lost}
                connection.execute(RENEW, due)

    def forget(self, link_id: str, line_item: str) -> None:
        """Forget this line item, which is gone, unless another one is remembered by now."""
        self._changes(FORGET, link_id=link_id, url=line_item)

    def put_away(self, link_id: str, line_item: str, said: str, until: datetime) -> bool:
        """Forget a line item that was made and took no score, and let none be made before `until`.

        `said` is what was answered to the scores. False, and nothing changes, when it is another
        one by now, or a grade of the link was delivered.
        """
        values = {"link_id": link_id, "url": line_item, "until": rows.ms(until)}
        return self._changes(PUT_AWAY, **values, lease=UNUSED + said)

    def _changes(self, statement: TextClause, **values: Any) -> bool:
        with self._database.writing() as connection:
            return connection.execute(statement, values).rowcount > 0
