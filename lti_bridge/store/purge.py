"""Deleting what is too old, in steps so small that no launch waits for one of them.

Attempts, their scores, gradebook cells, what was bought and whose a candidate is stay for ever;
only `lti-bridge learners forget` takes from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import TextClause, text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

MOST, FIRST, FEWEST = 500, 100, 20  # rows of one step
LONG_S, SHORT_S = 0.02, 0.01  # a step that takes longer, or less: the next has fewer rows, or more
REST = 9  # times as long as a step took, until the next one: a tenth of the time, no more
LEAST_REST_S = 0.05


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days what is kept; 0: for ever. Of hops also how many."""

    launches: int
    history: int
    answers: int
    hops: int = 0
    most_hops: int = 0


@dataclass(frozen=True, slots=True)
class Old:
    """Rows of a table that may go: in words, from when on, and what is done to them.

    `days` names the field of `Keep` by which they are old; empty for what says itself until when it
    is kept. `change` is what is done instead of deleting. `most` names the field of `Keep` that
    says how many rows are kept, of a table whose `at` rises by one with each.
    """

    name: str
    table: str
    at: str
    days: str = ""
    change: str = ""
    where: str = ""
    most: str = ""

    @property
    def condition(self) -> str:
        """Which rows, by an index of the column `at`."""
        return f"{self.at} < :before{f' AND {self.where}' if self.where else ''}"

    def count(self) -> TextClause:
        """How many there are."""
        return text(f"SELECT count(*) FROM {self.table} WHERE {self.condition}")  # noqa: S608

    def step(self, *, is_sqlite: bool, skip_locked: str) -> TextClause:
        """Do it to the oldest ones, found by the index and then by their place in the table.

        As an array, for PostgreSQL would read the whole table to compare its rows with a list.
        """
        row = "rowid" if is_sqlite else "ctid"
        verb = "UPDATE" if self.change else "DELETE FROM"
        change = f"SET {self.change}" if self.change else ""
        oldest = (
            f"SELECT {row} FROM {self.table} WHERE {self.condition}"  # noqa: S608 - constants
            f" ORDER BY {self.at} LIMIT :limit {skip_locked}"
        )
        these = f"IN ({oldest})" if is_sqlite else f"= ANY(ARRAY({oldest}))"
        return text(f"{verb} {self.table} {change} WHERE {row} {these}")


NEWEST = text("SELECT max(id) FROM hops")
EVERYTHING = (
    Old("values used once", "used_once", "expires_at"),
    Old("launches that waited for a second click", "held_launches", "until"),
    Old("launches on their way to a tool", "tool_launches", "until"),
    Old("choices at a tool", "tool_choices", "until"),
    Old("late answers of providers", "call_answers", "until"),
    Old("links and sessions of admins", "admins", "until"),
    Old("clicks", "launches", "received_at", "launches"),
    Old("how attempts came to their states", "attempt_changes", "at", "history"),
    Old("hops of traces", "hops", "at", "hops"),
    Old("hops of traces", "hops", "id", most="most_hops"),
    Old(
        "words of providers",
        "results",
        "received_at",
        "answers",
        change="raw = '{}'",
        where="raw <> '{}'",  # as the index results_with_words has it
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """What was done in one transaction, and how long to leave the database to others."""

    what: Old
    rows: int
    rest_s: float


@dataclass
class Purge:
    """One purge of a database; any number of them may go on at the same time."""

    database: Database
    keep: Keep
    _most: int = field(default=FIRST, init=False)

    def counts(self, now: datetime) -> Mapping[Old, int]:
        """How many rows of each kind would go now."""
        with self.database.reading() as connection:
            return {
                old: int(connection.execute(old.count(), {"before": before}).scalar_one())
                for old, before in self._all(now)
            }

    def steps(self, now: datetime) -> Iterator[Step]:
        """Do it, step by step; whoever takes the next step waits for `rest_s` before."""
        for old, before in self._all(now):
            step = self._step(old, before)
            while step.rows:
                yield step
                step = self._step(old, before)

    def _all(self, now: datetime) -> Iterator[tuple[Old, int]]:
        for old in EVERYTHING:
            days = getattr(self.keep, old.days) if old.days else None
            if old.most:
                yield old, self._newest() - getattr(self.keep, old.most) + 1
            elif days != 0:
                yield old, rows.ms(now - timedelta(days=days or 0))

    def _newest(self) -> int:
        """The number of the newest hop; 0 where there is none."""
        with self.database.reading() as connection:
            return int(connection.execute(NEWEST).scalar() or 0)

    def _step(self, old: Old, before: int) -> Step:
        database = self.database
        statement = old.step(is_sqlite=database.is_sqlite, skip_locked=database.skip_locked)
        with database.writing() as connection:
            began = monotonic()  # by when nobody else writes any more
            gone = connection.execute(statement, {"before": before, "limit": self._most}).rowcount
        took = monotonic() - began
        if took > LONG_S:
            self._most = max(self._most // 2, FEWEST)
        elif took < SHORT_S:
            self._most = min(self._most * 2, MOST)
        return Step(old, gone, max(took * REST, LEAST_REST_S))
