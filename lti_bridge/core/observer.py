"""Who is told how things went, so that somebody can count them; the core does not know who."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Hears of what a worker has done. It raises nothing and takes no time to speak of."""

    def delivered(self, registration: str, outcome: str, seconds: float) -> None:
        """A grade was tried to be brought to its LMS; `outcome` is a core.records.DeliveryState."""

    def asked(self, connection: str, outcome: str) -> None:
        """A provider was asked about an attempt: answered, failed, or broke by our mistake."""

    def started(self, connection: str, outcome: str, seconds: float) -> None:
        """A provider was called for a click: "opened", or an error's code."""


class Nobody:
    """An observer that does not care."""

    def delivered(self, registration: str, outcome: str, seconds: float) -> None:
        """Hear it."""

    def asked(self, connection: str, outcome: str) -> None:
        """Hear it."""

    def started(self, connection: str, outcome: str, seconds: float) -> None:
        """Hear it."""


NOBODY = Nobody()
