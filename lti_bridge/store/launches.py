"""Clicks, and launches that wait for a second one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from lti_bridge.core.launch.message import Launch
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.links import placement
from lti_bridge.store.statements import Statements

ADD_LAUNCH = text(
    "INSERT INTO launches (id, registration, link_id, learner_id, attempt_id, return_url,"
    " framed, received_at) VALUES (:id, :registration, :link_id, :learner_id, :attempt_id,"
    " :return_url, :framed, :now)"
)
IN_USE_SINCE = text(
    "SELECT 1 FROM launches n JOIN links l ON l.id = n.link_id WHERE n.received_at >="
    " (SELECT min(o.created_at) FROM links o WHERE o.registration = :registration"
    " AND o.deployment_id = :deployment_id AND o.context_id = :context_id)"
    " AND l.registration = :registration AND l.deployment_id = :deployment_id"
    " AND l.context_id = :other LIMIT 1"
)
HOLD = text(
    "INSERT INTO held_launches (token, text, until) VALUES (:token, :text, :until)"
    " ON CONFLICT DO NOTHING"
)
HELD = text("SELECT text FROM held_launches WHERE token = :token AND until > :now")
LAUNCH = text(
    "SELECT l.return_url, l.framed, l.received_at, l.registration, a.state FROM launches l"
    " LEFT JOIN attempts a ON a.id = l.attempt_id WHERE l.id = :id"
)


class LaunchSteps(Statements):
    """The part of a transaction that is about clicks."""

    def save_launch(
        self, launch_id: str, launch: Launch, link_id: str, learner_id: str, attempt_id: str
    ) -> None:
        """Record the click."""
        self._changes(
            ADD_LAUNCH,
            id=launch_id,
            registration=launch.registration,
            link_id=link_id,
            learner_id=learner_id or None,
            attempt_id=attempt_id or None,
            return_url=launch.presentation.return_url,
            framed=int(launch.presentation.framed),
            now=rows.ms(launch.received_at),
        )

    def in_use_since(self, launch: Launch, context_id: str) -> bool:
        """Whether that course of the LMS was clicked in since the course of a launch is known."""
        where = placement(launch)
        del where["resource_link_id"]
        return self._row(IN_USE_SINCE, other=context_id, **where) is not None


class Launches:
    """The part of the store that is about clicks; `Store` adds the rest."""

    database: Database
    clock: Callable[[], datetime]

    def hold_launch(self, token: str, text: str, until: datetime) -> None:
        """Keep a launch for a second click."""
        with self.database.cursor() as cursor:
            values = {"token": token, "text": text, "until": rows.ms(until)}
            cursor.execute(self.database.native(HOLD), values)

    def held_launch(self, token: str) -> str | None:
        """The launch kept under this token, while it lasts."""
        values = {"token": token, "now": rows.ms(self.clock())}
        with self.database.reading() as connection:
            return connection.execute(HELD, values).scalar_one_or_none()

    def launch(self, launch_id: str) -> Any:
        """What the return page needs of a launch: return_url, framed, registration …"""
        with self.database.reading() as connection:
            return connection.execute(LAUNCH, {"id": launch_id}).first()
