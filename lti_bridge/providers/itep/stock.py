"""Counts the test IDs that were taken, for iTEP has nobody to ask how many are left."""

from __future__ import annotations

import logging

from lti_bridge.providers.contract import Tools
from lti_bridge.providers.itep.settings import ConnectionSettings

log = logging.getLogger("lti_bridge.itep")


class Stock:
    """The IDs of one account by test type; types without a `stock` setting are only counted."""

    def __init__(self, settings: ConnectionSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    def take(self, test_type: str) -> None:
        """One ID less; warns in the log when few are left."""
        taken = self._tools.next_number(f"taken:{test_type}")
        bought = self._settings.stock.get(test_type)
        if bought is None or bought - taken > self._settings.stock_warning:
            return
        facts = {"connection": self._tools.connection, "kind": test_type, "count": bought - taken}
        level = logging.ERROR if taken >= bought else logging.WARNING
        log.log(level, "itep.few-test-ids", extra=facts)

    def left(self) -> dict[str, int]:
        """What should be left, by test type."""
        taken = self._tools.last_number
        return {
            name: count - taken(f"taken:{name}") for name, count in self._settings.stock.items()
        }
