"""Which processes of this bridge run, and on which machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

EVERY_S = 15.0  # a process that runs says so
GONE_AFTER = timedelta(seconds=60)  # one that has said nothing for so long does not run
FORGET_AFTER = timedelta(days=1)

SAVE = text(
    "INSERT INTO processes (id, host, kind, version, keys, ahead_ms, started_at, seen_at)"
    " VALUES (:id, :host, :kind, :version, :keys, :ahead_ms, :started_at, :seen_at)"
    " ON CONFLICT (id) DO UPDATE SET ahead_ms = excluded.ahead_ms, seen_at = excluded.seen_at"
)
FORGET = text("DELETE FROM processes WHERE id = :id OR seen_at < :before")
ALL = text(
    "SELECT id, host, kind, version, keys, ahead_ms, started_at, seen_at FROM processes"
    " ORDER BY host, kind, started_at, id"
)


@dataclass(frozen=True, slots=True)
class Process:
    """A web process or a worker. `keys` is a digest of the secret in its keys_dir.

    `ahead` is how far its machine's clock is ahead of the database's; `seen_at` when it said last
    that it runs.
    """

    id: str
    host: str
    kind: str
    version: str
    keys: str
    ahead: timedelta
    started_at: datetime
    seen_at: datetime

    def runs(self, now: datetime) -> bool:
        """Whether it has said so not long ago."""
        return now - self.seen_at < GONE_AFTER


def say(database: Database, process: Process) -> None:
    """Write down that this process runs."""
    values = {
        "id": process.id,
        "host": process.host,
        "kind": process.kind,
        "version": process.version,
        "keys": process.keys,
        "ahead_ms": process.ahead // rows.MILLISECOND,
        "started_at": rows.ms(process.started_at),
        "seen_at": rows.ms(process.seen_at),
    }
    with database.writing() as connection:
        connection.execute(SAVE, values)


def leave(database: Database, process: Process) -> None:
    """Write down that this process ends, and forget those that are long gone."""
    before = rows.ms(process.seen_at - FORGET_AFTER)
    with database.writing() as connection:
        connection.execute(FORGET, {"id": process.id, "before": before})


def known(database: Database) -> list[Process]:
    """All that have said something in the last day or so, by machine, kind and age."""
    with database.reading() as connection:
        found = connection.execute(ALL).fetchall()
    return [
        Process(
            id=row.id,
            host=row.host,
            kind=row.kind,
            version=row.version,
            keys=row.keys,
            ahead=row.ahead_ms * rows.MILLISECOND,
            started_at=rows.moment(row.started_at),
            seen_at=rows.moment(row.seen_at),
        )
        for row in found
    ]
