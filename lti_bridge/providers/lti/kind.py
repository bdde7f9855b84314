"""Any LTI tool as a provider, of either version, with whatever parameters it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lti_bridge.core.attempt.capabilities import PICK, PREVIEW
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Session, Started
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.variables import literal
from lti_bridge.core.tool.choices import Asking, ChosenItem
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.providers.contract import TOOL_PREFIX, Kind, LtiTool, Tools
from lti_bridge.providers.lti.settings import (
    ActivitySettings,
    Connection11,
    Connection13,
    activity_settings,
    connection_settings,
)
from lti_bridge.providers.tool_settings import registration
from lti_bridge.providers.tool_settings import tool as tool13

EXTRA_TIME = ExtraTime(
    taken=True,
    parameter="extended_time",
    note=(
        "Every launch tells the tool, in the custom parameter extended_time (LTI 1.1: "
        "custom_extended_time), in percent; whether it heeds that is the tool's own affair."
    ),
)


@dataclass(frozen=True, slots=True)
class LtiProvider:
    """One LTI tool as a provider. `always` are custom parameters of every launch."""

    tool: LtiTool
    deep_link_url: str = ""
    always: Mapping[str, str] = field(default_factory=dict)

    def start(self, session: Session) -> Started:
        """The signed launch form, or the login initiation that leads to one."""
        settings = session.settings
        named = {"label": settings.label} if settings.label else {}
        declared = named | {
            "maximum": f"{settings.score_maximum:f}",
            "resource_id": settings.resource_id,
            "tag": settings.tag,
        }
        return Started(self.tool.form(session, settings.url, declared))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The activity's custom parameters as they were written."""
        return {**self.always, **settings.custom}

    def pick(self, session: Session, asking: Asking) -> Form:
        """The message that asks the tool for links."""
        return self.tool.pick(session, asking, self.deep_link_url)

    def picked(self, item: ChosenItem) -> Mapping[str, Any]:
        """The settings of an activity for what was chosen."""
        maximum = {} if item.maximum is None else {"score_maximum": f"{item.maximum:f}"}
        return {
            "custom": dict(item.custom),
            "url": item.url,
            "resource_id": item.resource_id,
            "tag": item.tag,
            **({"label": item.label.strip()[:255]} if item.label.strip() else {}),
            **maximum,
        }


def _credentials(settings: Any) -> Credentials | None:
    if not isinstance(settings, Connection11):
        return None
    secret = settings.shared_secret.get_secret_value()
    return Credentials(settings.consumer_key, secret, settings.signature)


def _registration(name: str, settings: Any) -> ToolRegistration | None:
    if not isinstance(settings, Connection13):
        return None
    secret = settings.shared_secret.get_secret_value()
    former = Credentials(settings.consumer_key, secret) if secret else None
    return replace(registration(name, settings), former=former)


def _build(settings: Any, tools: Tools) -> LtiProvider:
    credentials = _credentials(settings)
    if credentials is None:
        return LtiProvider(tool13(settings, tools), settings.deep_link_url, settings.custom)
    tool = tools.tool11(settings.launch_url, credentials)
    return LtiProvider(tool, settings.deep_link_url)


def _inline(custom: Mapping[str, str], _connection: Any) -> ActivitySettings:
    # without a prefix, whatever else the LMS sends would become part of the activity
    named = {name: value for name, value in custom.items() if name.startswith(TOOL_PREFIX)}
    values = {name.removeprefix(TOOL_PREFIX): literal(value) for name, value in named.items()}
    return ActivitySettings(custom=values)


KIND = Kind(
    name="lti",
    title="Any LTI tool",
    connection=connection_settings,
    activity=activity_settings,
    inline=_inline,
    forms=lambda settings: (ActivitySettings,),
    build=_build,
    extra_time=lambda settings, connection: EXTRA_TIME,
    capabilities=lambda settings: frozenset(
        {PREVIEW, PICK} if settings.deep_link_url else {PREVIEW}
    ),
    credentials=_credentials,
    tool13=_registration,
)
