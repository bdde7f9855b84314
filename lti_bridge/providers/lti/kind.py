"""Any LTI 1.1 tool as a provider: its address, its key, and whatever parameters it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from lti_bridge.core.capabilities import PREVIEW
from lti_bridge.core.ports import Session, Started
from lti_bridge.core.substitution import literal
from lti_bridge.providers.contract import Credentials, Kind, Tools
from lti_bridge.providers.tool11 import Tool11

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+.*$", max_length=1023)]
# In a link that writes its activity out: tool_quiz=42 is the tool's parameter quiz=42. Without a
# prefix, whatever else the LMS sends would become part of the activity.
PREFIX = "tool_"


class ConnectionSettings(BaseModel):
    """An LTI 1.1 tool: where it is launched, and the key and secret it was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    version: Literal["1.1"] = "1.1"
    launch_url: HttpUrl = Field(description="The tool's launch address.")
    consumer_key: str = Field(min_length=1, description="The key agreed with the tool.")
    shared_secret: SecretStr = Field(min_length=1, description="The secret that belongs to it.")
    signature: Literal["HMAC-SHA1", "HMAC-SHA256"] = Field(
        "HMAC-SHA1", description="How messages are signed, both ways."
    )


class ActivitySettings(BaseModel):
    """What an instructor sets: custom parameters, which may hold substitution variables."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    custom: dict[str, str] = Field(default_factory=dict, description="Custom parameters.")


@dataclass(frozen=True, slots=True)
class LtiProvider:
    """One LTI 1.1 tool as a provider."""

    tool: Tool11

    def start(self, session: Session) -> Started:
        """The signed launch form."""
        return Started(self.tool.form(session))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The activity's custom parameters as they were written."""
        return dict(settings.custom)


def credentials(settings: Any) -> Credentials:
    """The key and secret of an LTI 1.1 connection of any kind."""
    secret = settings.shared_secret.get_secret_value()
    return Credentials(settings.consumer_key, secret, settings.signature)


def _build(settings: Any, tools: Tools) -> LtiProvider:
    return LtiProvider(Tool11(settings.launch_url, credentials(settings), tools))


def _inline(custom: Mapping[str, str], _connection: Any) -> ActivitySettings:
    named = {name: value for name, value in custom.items() if name.startswith(PREFIX)}
    return ActivitySettings(custom={n.removeprefix(PREFIX): literal(v) for n, v in named.items()})


KIND = Kind(
    name="lti",
    title="Any LTI tool",
    connection=ConnectionSettings.model_validate,
    activity=lambda values, connection: ActivitySettings.model_validate(values),
    inline=_inline,
    build=_build,
    capabilities=lambda settings: frozenset({PREVIEW}),
    credentials=credentials,
)
