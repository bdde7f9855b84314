"""LTI 1.3 tools that registered themselves with an invitation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from lti_bridge.store import rows
from lti_bridge.store.engine import Database

VERSION_SQL = "SELECT value FROM counters WHERE name = 'tools'"
VERSION = text(VERSION_SQL)
CHANGED = text(
    "INSERT INTO counters (name, value) VALUES ('tools', 1)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1"
)
ACTIVE = text("SELECT connection FROM tools WHERE state = 'active' ORDER BY name")
ADD = text(
    "INSERT INTO tools (name, client_id, connection, registered, state, created_at)"
    " VALUES (:name, :client_id, :connection, :registered, 'pending', :now) ON CONFLICT DO NOTHING"
)
ONE = text("SELECT connection FROM tools WHERE name = :name AND state = 'pending'")
APPROVE = text(
    "UPDATE tools SET state = 'active', connection = :connection, approved_at = :now"
    " WHERE name = :name AND state = 'pending'"
)
CHANGE = text(
    "UPDATE tools SET connection = :connection WHERE name = :name AND connection = :known"
    " AND state <> 'retired'"
)
RETIRE = text(
    "UPDATE tools SET state = 'retired', retired_at = :now"
    " WHERE name = :name AND state <> 'retired'"
)
ALL = text("SELECT * FROM tools ORDER BY name")


class ToolStore:
    """The registered tools of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int | None:
        """Rises with every change; None when the database does not answer, or has no schema."""
        try:
            with self._database.reading() as connection:
                return int(connection.execute(VERSION).scalar_one_or_none() or 0)
        except SQLAlchemyError:
            return None

    def active(self) -> list[Mapping[str, Any]]:
        """The connections of all approved tools, as the configuration file would have them."""
        with self._database.reading() as connection:
            return [json.loads(row.connection) for row in connection.execute(ACTIVE)]

    def add(
        self, connection: Mapping[str, Any], registered: Mapping[str, Any], now: datetime
    ) -> bool:
        """Keep a tool, which waits for approval; False when its name is taken."""
        values = {
            "name": connection["name"],
            "client_id": connection["client_id"],
            "connection": json.dumps(dict(connection)),
            "registered": json.dumps(dict(registered)),
            "now": rows.ms(now),
        }
        with self._database.writing() as link:
            return bool(link.execute(ADD, values).rowcount > 0)

    def approve(self, name: str, more: Mapping[str, Any], now: datetime) -> bool:
        """Let a waiting tool be used, with what an admin adds to its connection."""
        with self._database.writing() as link:
            found = link.execute(ONE, {"name": name}).scalar_one_or_none()
            if found is None:
                return False
            connection = json.dumps({**json.loads(found), **more})
            values = {"name": name, "connection": connection, "now": rows.ms(now)}
            changed = link.execute(APPROVE, values).rowcount > 0
            link.execute(CHANGED)
        return bool(changed)

    def change(self, name: str, known: Mapping[str, Any], connection: Mapping[str, Any]) -> bool:
        """Give a tool's connection other keys; False when it is not what is known any more."""
        texts = {"known": json.dumps(dict(known)), "connection": json.dumps(dict(connection))}
        with self._database.writing() as link:
            changed = link.execute(CHANGE, {"name": name, **texts}).rowcount > 0
            link.execute(CHANGED)
        return bool(changed)

    def retire(self, name: str, now: datetime) -> bool:
        """Trust a tool no longer; False when there is none of this name."""
        with self._database.writing() as link:
            changed = link.execute(RETIRE, {"name": name, "now": rows.ms(now)}).rowcount > 0
            link.execute(CHANGED)
        return bool(changed)

    def tools(self) -> list[dict[str, Any]]:
        """All tools as plain values."""
        with self._database.reading() as link:
            found = link.execute(ALL).fetchall()
        times = ("created_at", "approved_at", "retired_at")
        return [
            {
                "name": row.name,
                "client_id": row.client_id,
                "state": row.state,
                "connection": json.loads(row.connection),
                "registered": json.loads(row.registered),
                **{key: rows.moment(at) if (at := getattr(row, key)) else None for key in times},
            }
            for row in found
        ]
