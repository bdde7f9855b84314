"""Launches on their way to LTI 1.3 tools, and what the ids stand for that such a tool is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from lti_bridge.core.tool.launches import DeclaredItem, TakenLaunch, ToolLaunch
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

AGS_ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"

KEEP = text(
    "INSERT INTO tool_launches (hint, connection, login_hint, browser, claims, until)"
    " VALUES (:hint, :connection, :login_hint, :browser, :claims, :until)"
)
# Whoever lacks the browser's cookie cannot even use a launch up.
TAKE = text(
    "DELETE FROM tool_launches WHERE hint = :hint AND browser = :browser"
    " RETURNING connection, login_hint, claims, until"
)
ADD_USER = text(
    "INSERT INTO tool_users (connection, user_id, learner_id)"
    " VALUES (:connection, :user_id, :learner_id) ON CONFLICT DO NOTHING"
)
ADD_CONTEXT = text(
    "INSERT INTO tool_contexts (id, connection, registration, deployment_id, context_id,"
    " created_at) VALUES (:id, :connection, :registration, :deployment_id, :context_id, :now)"
    " ON CONFLICT DO NOTHING"
)
LINE_ITEMS = text(
    "SELECT id FROM tool_line_items WHERE context_id = :context_id AND link_id = :link_id"
)
ADD_LINE_ITEM = text(
    "INSERT INTO tool_line_items (id, context_id, link_id, label, maximum, resource_id, tag, more,"
    " by_tool, created_at) VALUES (:id, :context_id, :link_id, :label, :maximum, :resource_id,"
    " :tag, '{}', 0, :now) ON CONFLICT DO NOTHING"
)


class Tools13:
    """The launches of LTI 1.3 tools in one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, launch: ToolLaunch, now: datetime) -> None:
        """Keep a launch until its tool comes for it, with what its ids stand for."""
        with self._database.cursor() as cursor:
            steps = _Steps(cursor, self._database, rows.ms(now))
            alone = steps.remember(launch)
            steps.keep(launch, launch.claims if alone else without_line_item(launch.claims))

    def take(self, hint: str, browser: str) -> TakenLaunch | None:
        """Take a launch away, for the browser that it was made for; None for everyone else."""
        with self._database.cursor() as cursor:
            statement = self._database.native(TAKE)
            row = cursor.execute(statement, {"hint": hint, "browser": browser}).fetchone()
        if row is None:
            return None
        connection, login_hint, claims, until = row
        return TakenLaunch(connection, login_hint, json.loads(claims), rows.moment(until))


def without_line_item(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a launch whose link has several line items: none of them is named."""
    endpoint = {**claims.get(AGS_ENDPOINT, {})}
    endpoint.pop("lineitem", None)
    return {**claims, AGS_ENDPOINT: endpoint}


class _Steps(Statements):
    """The steps of one launch; a relaunch finds everything and adds only itself."""

    def __init__(self, cursor: Any, database: Database, now: int) -> None:
        super().__init__(cursor, database)
        self._now = now

    def keep(self, launch: ToolLaunch, claims: Mapping[str, Any]) -> None:
        """Keep the launch itself."""
        self._changes(
            KEEP,
            hint=launch.hint,
            connection=launch.connection,
            login_hint=launch.login_hint,
            browser=launch.browser,
            claims=json.dumps(dict(claims)),
            until=rows.ms(launch.until),
        )

    def remember(self, launch: ToolLaunch) -> bool:
        """Whether the link has no line item but the declared one (AGS section 3.1)."""
        origin, connection = launch.origin, launch.connection
        if launch.user_id:
            who = {"user_id": launch.user_id, "learner_id": origin.learner_id}
            self._changes(ADD_USER, connection=connection, **who)
        self._changes(
            ADD_CONTEXT,
            id=origin.course,
            connection=connection,
            registration=origin.registration,
            deployment_id=origin.deployment_id,
            context_id=origin.context_id,
            now=self._now,
        )
        item = launch.line_item
        if item is None:
            return True
        where = {"context_id": origin.course, "link_id": item.link_id}
        known = {row[0] for row in self._rows(LINE_ITEMS, **where)}
        if item.id not in known:
            self._declare(item, origin.course)
        return known <= {item.id}

    def _declare(self, item: DeclaredItem, course: str) -> None:
        self._changes(
            ADD_LINE_ITEM,
            id=item.id,
            context_id=course,
            link_id=item.link_id,
            label=item.label,
            maximum=item.maximum,
            resource_id=item.resource_id,
            tag=item.tag,
            now=self._now,
        )
