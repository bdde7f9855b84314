"""Statements of one open transaction, by the driver's own cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import TextClause

from lti_bridge.store.engine import Database


def one_of(states: Iterable[str]) -> str:
    """States of the core as a list for IN."""
    return f"({', '.join(repr(state) for state in sorted(states))})"


class Statements:
    """What the steps of all aggregates run their statements with."""

    def __init__(self, cursor: Any, database: Database) -> None:
        self._cursor = cursor
        self._native = database.native
        self._for_update = database.for_update

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of the transaction that may fail alone: then nothing of it is kept."""
        self._cursor.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._cursor.execute("ROLLBACK TO SAVEPOINT part")
            raise
        self._cursor.execute("RELEASE SAVEPOINT part")

    def _lock(self, statement: TextClause, **values: Any) -> None:
        """Wait for whoever has these rows; SQLite has one writer at a time, who has them all.

        What is read afterwards is as the one before left it: the rows that are locked, and others.
        """
        if self._for_update:
            self._run(statement, values)

    def _row(self, statement: TextClause, **values: Any) -> Any:
        return self._run(statement, values).fetchone()

    def _rows(self, statement: TextClause, **values: Any) -> Any:
        return self._run(statement, values).fetchall()

    def _changes(self, statement: TextClause, **values: Any) -> bool:
        return bool(self._run(statement, values).rowcount > 0)

    def _run(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        return self._cursor.execute(self._native(statement), values)
