"""When providers are asked about attempts, and by whom."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Text, TextClause, bindparam, text

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
BUT: BindParameter[Any] = bindparam("but", expanding=True, type_=Text)
ANY_POLL_BUT = text(
    "SELECT poll_at FROM attempts WHERE poll_at IS NOT NULL AND connection NOT IN :but"
    " ORDER BY poll_at LIMIT 1"
).bindparams(BUT)


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

    def claim_polls(
        self,
        now: datetime,
        lease_s: float,
        limit: int,
        *,
        but: Collection[str] = (),
        only: str = "",
    ) -> list[Poll]:
        """Lease attempts whose provider is to be asked now; a lease is also the next due time.

        None of the connections `but`, or those of the connection `only`.
        """
        until = now + timedelta(seconds=lease_s)
        at = rows.ms(now)
        soonest = self.next_poll(but=but)
        if soonest is None or soonest > now:
            return []
        claimed = []
        with self.database.writing() as connection:
            statement, names = _due_of(self.database.skip_locked, but, only)
            wanted = {"now": at, "limit": limit, **names}
            for row in connection.execute(statement, wanted).fetchall():
                connection.execute(CLAIM_POLL, {"id": row.id, "until": rows.ms(until)})
                created_at = rows.moment(row.created_at)
                claimed.append(Poll(rows.attempt(row[:-2]), row.polls, created_at, until))
        return claimed

    def next_poll(self, *, but: Collection[str] = ()) -> datetime | None:
        """When a provider is to be asked next, other than the connections `but`, or None."""
        with self.database.reading() as connection:
            if but:
                value = connection.execute(ANY_POLL_BUT, {"but": list(but)}).scalar_one_or_none()
            else:
                value = connection.execute(ANY_POLL).scalar_one_or_none()
        return rows.moment(value) if value is not None else None


def _due_of(skip_locked: str, but: Collection[str], only: str) -> tuple[TextClause, dict[str, Any]]:
    """What claims the attempts of those connections, and its values beside time and number."""
    if only:
        return _due(skip_locked, " AND a.connection = :only"), {"only": only}
    if but:
        return _due(skip_locked, " AND a.connection NOT IN :but"), {"but": list(but)}
    return _due(skip_locked, ""), {}


@cache
def _due(skip_locked: str, which: str) -> TextClause:
    made = text(
        f"SELECT {ATTEMPT_COLUMNS}, a.polls, a.created_at FROM attempts a"  # noqa: S608 - constants
        f" WHERE a.poll_at <= :now{which} ORDER BY a.poll_at LIMIT :limit {skip_locked}"
    )
    return made.bindparams(BUT) if ":but" in which else made
