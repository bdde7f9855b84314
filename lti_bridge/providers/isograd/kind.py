"""Isograd as a provider: by LTI of either version, grades coming back, or by its REST API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lti_bridge.core.attempt.capabilities import (
    ADMINISTER,
    ADOPT,
    BUILDS_ON,
    BY_ADDRESS,
    CALLBACK,
    CHECK,
    CHOICES,
    COSTS,
    FETCH,
    FORGET,
    PICK,
    REMOTE,
)
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Provider, Session, Started
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.tool.choices import Asking, ChosenItem
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.providers.contract import Kind, LtiTool, Tools
from lti_bridge.providers.isograd.api import ALWAYS_NEW, CONFIRM, IsogradApi
from lti_bridge.providers.isograd.connections import (
    ApiConnection,
    Lti11Connection,
    Lti13Connection,
    connection_settings,
)
from lti_bridge.providers.isograd.settings import (
    ACTIONS,
    NEEDS,
    activity_settings,
    custom_parameters,
    lms_parameters,
)
from lti_bridge.providers.tool_settings import registration
from lti_bridge.providers.tool_settings import tool as tool13

WITH_NEW_CANDIDATE = frozenset({1, 8})


@dataclass(frozen=True, slots=True)
class IsogradLti:
    """Isograd opened by LTI: the activity's parameters travel as custom parameters."""

    tool: LtiTool
    settings: Lti11Connection | Lti13Connection
    tools: Tools

    def start(self, session: Session) -> Started:
        """The signed launch form, or the login initiation that leads to one.

        By LTI too a candidate is an e-mail address.
        """
        place = f"{self.settings.place} {session.custom.get('sub_com_id', '')}"
        self.tools.claim(session, (f"{place} ema", session.person.email))
        return Started(self.tool.form(session))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The action and its parameters, by Isograd's own names."""
        return custom_parameters(settings)

    def pick(self, session: Session, asking: Asking) -> Form:
        """The message that asks Isograd for links."""
        return self.tool.pick(session, asking, self.settings.deep_link_url)

    def picked(self, item: ChosenItem) -> Mapping[str, Any]:
        """An action and its parameters, as the link would send them."""
        return dict(item.custom)


def _build(settings: Any, tools: Tools) -> Provider:
    if isinstance(settings, ApiConnection):
        return IsogradApi.connect(settings, tools)
    credentials = _credentials(settings)
    if credentials is None:
        return IsogradLti(tool13(settings, tools), settings, tools)
    tool = tools.tool11(settings.launch_url, credentials)
    return IsogradLti(tool, settings, tools)


def _registration(name: str, settings: Any) -> ToolRegistration | None:
    return registration(name, settings) if isinstance(settings, Lti13Connection) else None


def _credentials(settings: Any) -> Credentials | None:
    if not isinstance(settings, Lti11Connection):
        return None
    return Credentials(settings.consumer_key, settings.shared_secret.get_secret_value())


def _capabilities(settings: Any) -> frozenset[str]:
    if isinstance(settings, ApiConnection):
        return frozenset(
            {
                REMOTE,
                COSTS,
                CALLBACK,
                FETCH,
                CHOICES,
                CHECK,
                FORGET,
                ADOPT,
                ADMINISTER,
                BY_ADDRESS,
                BUILDS_ON,
            }
        )
    return frozenset({COSTS, PICK} if settings.deep_link_url else {COSTS})


def _repeatable(settings: Any) -> bool:
    """Action 2 gives the unfinished test back, so 8 does; 9 and 58 make another one."""
    return settings.act_id not in (ALWAYS_NEW, CONFIRM)


def _extra_time(settings: Any, connection: Any) -> ExtraTime:
    """Isograd takes xtr_tim_fac, in percent, with a new candidate and with nothing else."""
    if settings.act_id not in WITH_NEW_CANDIDATE:
        note = (
            f"Isograd takes extra time with a new candidate only, and act_id {settings.act_id} "
            "makes none: set it there by hand, or use an activity with act_id 8."
        )
        return ExtraTime(note=note)
    parameter = "" if isinstance(connection, ApiConnection) else "xtr_tim_fac"
    note = "Isograd takes it with a new candidate only: for one that is there, set it by hand."
    return ExtraTime(taken=True, note=note, parameter=parameter)


def _forms(settings: Any) -> tuple[type[BaseModel], ...]:
    """Those with a test; by LTI nobody knows which one there was to confirm."""
    confirm = (ACTIONS[CONFIRM],) if isinstance(settings, ApiConnection) else ()
    return (ACTIONS[8], ACTIONS[ALWAYS_NEW], *confirm)


KIND = Kind(
    name="isograd",
    title="Isograd (TOSA)",
    connection=connection_settings,
    activity=lambda values, connection: activity_settings(values, connection.route),
    inline=lambda custom, connection: lms_parameters(custom, connection.route),
    forms=_forms,
    build=_build,
    needs=NEEDS,
    capabilities=_capabilities,
    extra_time=_extra_time,
    repeatable=_repeatable,
    hidden=frozenset({"psw"}),
    credentials=_credentials,
    tool13=_registration,
)
