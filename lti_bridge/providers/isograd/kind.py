"""Isograd as a provider: by LTI 1.1, grades coming back by Basic Outcomes, or by its REST API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lti_bridge.core.capabilities import CALLBACK, CHECK, CHOICES, FETCH, FORGET, REMOTE
from lti_bridge.core.ports import Provider, Session, Started
from lti_bridge.errors import ConfigurationError, Unsupported
from lti_bridge.providers.contract import Credentials, Kind, Tools
from lti_bridge.providers.isograd.api import ALWAYS_NEW, CONFIRM, IsogradApi
from lti_bridge.providers.isograd.settings import (
    NEEDS,
    ApiConnection,
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

    def start(self, session: Session) -> Started:
        """The signed launch form."""
        return Started(self.tool.form(session))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The action and its parameters, by Isograd's own names."""
        return custom_parameters(settings)


def admin_login_url(provider: Provider, email: str = "", sub_account: str = "") -> str:
    """An address that logs in as an administrator of the account; for the command line only.

    `email` names the administrator, else Isograd picks one. A distributor without `sub_account`
    becomes administrator of the master account. Raises Unsupported on the LTI routes, and a
    ProviderError.
    """
    if not isinstance(provider, IsogradApi):
        raise Unsupported("only an isograd connection with route api can do this")
    return replace(provider.client, sub_com_id=sub_account).administrator_url(email)


def _build(settings: Any, tools: Tools) -> Provider:
    if isinstance(settings, ApiConnection):
        return IsogradApi.connect(settings, tools)
    credentials = _credentials(settings)
    if credentials is None:
        raise ConfigurationError(f"route: {settings.route!r} is not available in this version")
    return IsogradLti11(Tool11(settings.launch_url, credentials, tools))


def _credentials(settings: Any) -> Credentials | None:
    if not isinstance(settings, Lti11Connection):
        return None
    return Credentials(settings.consumer_key, settings.shared_secret.get_secret_value())


def _capabilities(settings: Any) -> frozenset[str]:
    if isinstance(settings, ApiConnection):
        return frozenset({REMOTE, CALLBACK, FETCH, CHOICES, CHECK, FORGET})
    return frozenset()


def _repeatable(settings: Any) -> bool:
    """Action 2 gives the unfinished test back, so 8 does; 9 and 58 make another one."""
    return settings.act_id not in (ALWAYS_NEW, CONFIRM)


KIND = Kind(
    name="isograd",
    title="Isograd (TOSA)",
    connection=connection_settings,
    activity=lambda values, connection: activity_settings(values, connection.route),
    inline=lambda custom, connection: lms_parameters(custom, connection.route),
    build=_build,
    needs=NEEDS,
    capabilities=_capabilities,
    repeatable=_repeatable,
    hidden=frozenset({"psw"}),
    credentials=_credentials,
)
