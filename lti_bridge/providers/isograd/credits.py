"""Looks after the account's credits, so that somebody buys more before a student stands there."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from lti_bridge.errors import BridgeError
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.isograd.client import Client, Credit

log = logging.getLogger("lti_bridge.isograd")

EVERY = timedelta(hours=1)


class CreditWatch:
    """Warns in the log when fewer than `low` credits of a type are left; 0 never asks."""

    def __init__(self, client: Client, tools: Tools, low: int) -> None:
        self._client = client
        self._tools = tools
        self._low = low
        self._lock = threading.Lock()
        self._next: datetime | None = None
        self._warned: dict[str, int] = {}

    def look(self) -> list[Credit]:
        """What is left now. Raises a ProviderError."""
        credits = self._client.credits()
        for credit in credits:
            # An unused type may stay at 0 for ever: the same number is said once.
            if credit.amount < self._low and self._warned.get(credit.des) != credit.amount:
                self._warned[credit.des] = credit.amount
                log.warning(
                    "isograd.few-credits",
                    extra={
                        "connection": self._tools.connection,
                        "kind": credit.des,
                        "count": credit.amount,
                    },
                )
        return credits

    def look_sometimes(self) -> None:
        """Look when the last time is an hour ago; raises nothing."""
        with self._lock:
            now = self._tools.clock()
            if self._low == 0 or (self._next is not None and now < self._next):
                return
            self._next = now + EVERY
        try:
            self.look()
        except BridgeError as error:
            facts = {"connection": self._tools.connection, "reason": error.detail or error.code}
            log.warning("isograd.credits-unknown", extra=facts)
