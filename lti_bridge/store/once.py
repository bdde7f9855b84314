"""Values that are used once: nonces, states, events; the row count decides."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

from lti_bridge.core.launch.message import Once
from lti_bridge.store import rows
from lti_bridge.store.statements import Statements

USE_ONCE = text(
    "INSERT INTO used_once (scope, value, expires_at, used_at, browser, message)"
    " VALUES (:scope, :value, :expires_at, :used_at, :browser, :message) ON CONFLICT DO NOTHING"
)
USED = text(
    "SELECT used_at, browser, message FROM used_once WHERE scope = :scope AND value = :value"
)


class OnceSteps(Statements):
    """The part of a transaction that is about values used once."""

    def use_once(self, once: Once) -> bool:
        """Record the value; False when it was already recorded."""
        return self._changes(USE_ONCE, **rows.once_columns(once))

    def used(self, once: Once) -> Once:
        """The value as it was recorded, with the browser, the message and the time of then."""
        used_at, browser, message = self._row(USED, scope=once.scope, value=once.value)
        return replace(once, browser=browser, message=message, at=rows.moment(used_at))
