"""Isograd as a provider, launched by LTI 1.1; grades come back by Basic Outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lti_bridge.core.handoff import Handoff
from lti_bridge.core.ports import Provider, Session
from lti_bridge.errors import ConfigurationError
from lti_bridge.providers.contract import Credentials, Kind, Tools
from lti_bridge.providers.isograd.settings import (
    NEEDS,
    Lti11Connection,
    activity_settings,
    connection_settings,
    custom_parameters,
    lms_parameters,
)
from lti_bridge.providers.tool11 import Tool11


@dataclass(frozen=True, slots=True)
class IsogradLti11:
    """Isograd opened by LTI 1.1: the activity's parameters travel as custom parameters."""

    tool: Tool11

    def start(self, session: Session) -> Handoff:
        """The signed launch form."""
        return self.tool.form(session)

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The action and its parameters, by Isograd's own names."""
        return custom_parameters(settings)


def _build(settings: Any, tools: Tools) -> Provider:
    credentials = _credentials(settings)
    if credentials is None:
        raise ConfigurationError(f"route: {settings.route!r} is not available in this version")
    return IsogradLti11(Tool11(settings.launch_url, credentials, tools))


def _credentials(settings: Any) -> Credentials | None:
    if not isinstance(settings, Lti11Connection):
        return None
    return Credentials(settings.consumer_key, settings.shared_secret.get_secret_value())


KIND = Kind(
    name="isograd",
    title="Isograd (TOSA)",
    connection=connection_settings,
    activity=lambda values, connection: activity_settings(values, connection.route),
    inline=lambda custom, connection: lms_parameters(custom, connection.route),
    build=_build,
    needs=NEEDS,
    hidden=frozenset({"psw"}),
    credentials=_credentials,
)
