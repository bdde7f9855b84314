"""Instructors who are at a provider's tool to choose, until its answer comes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from lti_bridge.core.launch.message import Once
from lti_bridge.core.tool.choices import ToolChoice
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.once import USE_ONCE

KEEP = text(
    "INSERT INTO tool_choices (data, browser, connection, token, chosen, multiple, until)"
    " VALUES (:data, :browser, :connection, :token, :chosen, :multiple, :until)"
)
# Whoever lacks the browser's cookie, or is another tool, cannot even use a choice up.
FIND = text(
    "SELECT connection FROM tool_choices WHERE data = :data AND browser = :browser AND until > :now"
)
TAKE = text(
    "DELETE FROM tool_choices WHERE data = :data AND browser = :browser"
    " RETURNING connection, token, chosen, multiple, until"
)


class StoredChoices:
    """The `core.tool_choices.ToolChoices` of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, choice: ToolChoice) -> None:
        """Keep a choice until its answer comes."""
        values = {name: getattr(choice, name) for name in ToolChoice.__dataclass_fields__}
        values.update(multiple=int(choice.multiple), until=rows.ms(choice.until))
        with self._database.writing() as connection:
            connection.execute(KEEP, values)

    def take(
        self, data: str, browser: str, connections: tuple[str, ...], once: Once, now: datetime
    ) -> ToolChoice | None:
        """Take a choice away, for its own browser and tool; None for everyone else."""
        key = {"data": data, "browser": browser}
        with self._database.writing() as connection:
            named = connection.execute(FIND, {**key, "now": rows.ms(now)}).scalar_one_or_none()
            if named not in connections:
                return None
            first = connection.execute(USE_ONCE, rows.once_columns(once)).rowcount > 0
            row = connection.execute(TAKE, key).first() if first else None
        if row is None:
            return None
        until = rows.moment(row.until)
        return ToolChoice(
            data, browser, row.connection, row.token, row.chosen, bool(row.multiple), until
        )
