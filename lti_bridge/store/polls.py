"""When providers are asked about attempts, and by whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import TextClause, text

from lti_bridge.core.records import Poll
from lti_bridge.store import rows
from lti_bridge.store.attempts import ATTEMPT_COLUMNS
from lti_bridge.store.engine import Database

POLL_AT = text("UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id")
NEXT_POLL_AT = text(
    "UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id AND poll_at = :claimed"
)
CLAIM_POLL = text("UPDATE attempts SET poll_at = :until, polls = polls + 1 WHERE id = :id")
ANY_POLL = text("SELECT min(poll_at) FROM attempts WHERE poll_at IS NOT NULL")


class Polls:
    """The part of the store that is about polls; `Store` adds the rest."""

    database: Database

    def poll_at(
        self, attempt_id: str, moment: datetime | None, claimed: datetime | None = None
    ) -> None:
        """When to ask the provider about this attempt, None: not again.

        With `claimed` (a poll's `until`) nothing changes when a hint has come since the claim.
        """
        values = {"id": attempt_id, "at": rows.ms(moment) if moment else None}
        with self.database.writing() as connection:
            if claimed is None:
                connection.execute(POLL_AT, values)
            else:
                connection.execute(NEXT_POLL_AT, {**values, "claimed": rows.ms(claimed)})

    def claim_polls(self, now: datetime, lease_s: float, limit: int) -> list[Poll]:
        """Lease attempts whose provider is to be asked now; a lease is also the next due time."""
        until = now + timedelta(seconds=lease_s)
        at = rows.ms(now)
        with self.database.reading() as connection:
            soonest = connection.execute(ANY_POLL).scalar_one_or_none()
        if soonest is None or soonest > at:
            return []
        claimed = []
        with self.database.writing() as connection:
            due = connection.execute(
                _due(self.database.skip_locked), {"now": at, "limit": limit}
            ).fetchall()
            for row in due:
                connection.execute(CLAIM_POLL, {"id": row.id, "until": rows.ms(until)})
                created_at = rows.moment(row.created_at)
                claimed.append(Poll(rows.attempt(row[:-2]), row.polls, created_at, until))
        return claimed

    def next_poll(self) -> datetime | None:
        """When a provider is to be asked next, or None."""
        with self.database.reading() as connection:
            value = connection.execute(ANY_POLL).scalar_one_or_none()
        return rows.moment(value) if value is not None else None


@cache
def _due(skip_locked: str) -> TextClause:
    return text(
        f"SELECT {ATTEMPT_COLUMNS}, a.polls, a.created_at FROM attempts a"  # noqa: S608 - constants
        f" WHERE a.poll_at <= :now ORDER BY a.poll_at LIMIT :limit {skip_locked}"
    )
