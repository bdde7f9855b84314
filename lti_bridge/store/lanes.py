"""Whose work is due, and when its first: as many short looks at an index as there are parties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import TextClause, text

from lti_bridge.store import rows
from lti_bridge.store.engine import Database


def first_of_each(table: str, party: str, at: str) -> TextClause:
    """A query for each party with work in `table`, and when its first is due by the column `at`.

    It steps from party to party in an index of both columns, however much there is of each: to
    group the rows would read all that waits for an LMS that is away.
    """
    return text(
        f"WITH RECURSIVE parties(name) AS ("  # noqa: S608 - constants
        f" SELECT min({party}) FROM {table} WHERE {at} IS NOT NULL"
        f" UNION ALL SELECT (SELECT min(n.{party}) FROM {table} n"
        f" WHERE n.{party} > parties.name AND n.{at} IS NOT NULL)"
        " FROM parties WHERE parties.name IS NOT NULL)"
        f" SELECT name, (SELECT min(f.{at}) FROM {table} f"
        f" WHERE f.{party} = parties.name AND f.{at} IS NOT NULL)"
        " FROM parties WHERE name IS NOT NULL"
    )


def read(database: Database, query: TextClause) -> Mapping[str, datetime]:
    """What such a query says."""
    with database.reading() as connection:
        found = connection.execute(query).fetchall()
    # between its two looks at a party the last piece may have gone
    return {name: rows.moment(at) for name, at in found if at is not None}
