"""When providers are asked about attempts, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import TextClause, text

from lti_bridge.core.records import Poll
from lti_bridge.store import lanes, rows
from lti_bridge.store.attempts import ATTEMPT_COLUMNS
from lti_bridge.store.engine import Database

POLL_AT = text("UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id")
NEXT_POLL_AT = text(
    "UPDATE attempts SET poll_at = CAST(:at AS BIGINT) WHERE id = :id AND poll_at = :claimed"
)
CLAIM_POLL = text("UPDATE attempts SET poll_at = :until, polls = polls + 1 WHERE id = :id")
POLLS_DUE = lanes.first_of_each("attempts", "connection", "poll_at")


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

    def polls_due(self) -> Mapping[str, datetime]:
        """The connections that are to be asked about attempts, and when each is first."""
        return lanes.read(self.database, POLLS_DUE)

    def claim_polls(
        self, connection_name: str, now: datetime, lease_s: float, limit: int
    ) -> list[Poll]:
        """Lease attempts of a connection that is to be asked about them now, at most `limit`.

        A lease is also the next due time.
        """
        until = now + timedelta(seconds=lease_s)
        wanted = {"party": connection_name, "now": rows.ms(now), "limit": limit}
        claimed = []
        with self.database.writing() as connection:
            for row in connection.execute(_due(self.database.skip_locked), wanted).fetchall():
                connection.execute(CLAIM_POLL, {"id": row.id, "until": rows.ms(until)})
                created_at = rows.moment(row.created_at)
                claimed.append(Poll(rows.attempt(row[:-2]), row.polls, created_at, until))
        return claimed


@cache
def _due(skip_locked: str) -> TextClause:
    return text(
        f"SELECT {ATTEMPT_COLUMNS}, a.polls, a.created_at FROM attempts a"  # noqa: S608 - constants
        " WHERE a.connection = :party AND a.poll_at <= :now"
        f" ORDER BY a.poll_at LIMIT :limit {skip_locked}"
    )
