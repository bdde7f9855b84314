"""The configured connections and activities, as the core asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.records import Activity


class Catalogue(Protocol):
    """The configured connections and activities."""

    def connection(self, name: str) -> Connection:
        """The connection of that name; NotConfigured when there is none."""

    def activity(self, activity_id: str) -> Activity | None:
        """The activity of that id in the configuration file, or None."""

    def inline(self, custom: Mapping[str, str]) -> Activity | None:
        """The activity that a link writes out in its own custom parameters, or None."""

    def impersonal(self, custom: Mapping[str, str]) -> dict[str, str]:
        """A link's custom parameters without the values that are one learner's own."""

    def allows_inline(self, registration: str) -> bool:
        """Whether links of this LMS may write their activity out themselves."""

    def settings(self, connection: str, typed: Mapping[str, Any]) -> Any:
        """The typed settings of what somebody typed for this connection.

        Raises pydantic's ValidationError, and NotConfigured for an unknown connection.
        """
