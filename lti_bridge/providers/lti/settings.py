"""What can be set for any LTI tool: connections of both versions, and activities."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lti_bridge.lti import oidc
from lti_bridge.providers.addresses import Address
from lti_bridge.providers.tool_settings import GRADES, Allow, DeepLink, InFrame, PublicKey, Services

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+.*$", max_length=1023)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Connection11(_Model):
    """An LTI 1.1 tool: where it is launched, and the key and secret it was given."""

    version: Literal["1.1"] = "1.1"
    launch_url: HttpUrl = Field(description="The tool's launch address.")
    consumer_key: str = Field(min_length=1, description="The key agreed with the tool.")
    shared_secret: SecretStr = Field(min_length=1, description="The secret that belongs to it.")
    signature: Literal["HMAC-SHA1", "HMAC-SHA256"] = Field(
        "HMAC-SHA1", description="How messages are signed, both ways."
    )
    deep_link_url: DeepLink = ""

    def addresses(self) -> tuple[str, ...]:
        """Where the tool is."""
        return (self.launch_url, self.deep_link_url)


class Connection13(_Model):
    """An LTI 1.3 tool: its addresses, its keys, and the ids agreed with it."""

    version: Literal["1.3"]
    launch_url: Address = Field(description="The tool's launch address (target link URI).")
    login_url: Address = Field(description="Where the tool's login begins.")
    redirect_uris: tuple[Address, ...] = Field(
        default_factory=lambda data: (data.get("launch_url", ""),),
        min_length=1,
        description="Where launches may be sent to; the launch address if left out.",
    )
    jwks_url: Address | Literal[""] = Field("", description="Where the tool publishes its keys.")
    public_key: PublicKey = Field("", description="The tool's one key (PEM), instead.")
    client_id: Text = Field(description="The client id that you gave to the tool.")
    deployment_id: Text = Field("1", description="The deployment id that you gave to the tool.")
    consumer_key: str = Field("", description="The key under which it knew you by LTI 1.1.")
    shared_secret: SecretStr = Field(SecretStr(""), description="The secret of that key.")
    services: Services = GRADES
    frame: InFrame = False
    frame_allow: Allow = ("fullscreen",)
    deep_link_url: DeepLink = ""
    custom: dict[str, str] = Field(
        default_factory=dict, description="Custom parameters of every launch."
    )

    def addresses(self) -> tuple[str, ...]:
        """Where the tool is."""
        return (self.launch_url, self.login_url, self.deep_link_url, *self.redirect_uris)

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if bool(self.jwks_url) == bool(self.public_key):
            raise ValueError("write either jwks_url or public_key")
        if bool(self.consumer_key) != bool(self.shared_secret.get_secret_value()):
            raise ValueError("consumer_key and shared_secret belong together")
        return self


class ActivitySettings(_Model):
    """What an instructor sets: custom parameters, which may hold substitution variables."""

    custom: dict[str, str] = Field(
        default_factory=dict,
        title="Custom parameters",
        description="What the tool is told at every launch.",
    )
    url: Address | Literal[""] = Field(
        "",
        title="Address",
        description="The address of one resource of the tool, instead of its launch address.",
    )
    resource_id: str = Field(
        "",
        title="Resource id",
        max_length=255,
        description="The tool's own name of the resource, for its line item.",
    )
    tag: str = Field(
        "", title="Tag", max_length=255, description="The tool's own mark on the line item."
    )
    label: str = Field(
        "", title="Label", max_length=255, description="The name of the tool's line item."
    )
    score_maximum: Decimal = Field(
        Decimal(100),
        title="Tool's maximum",
        gt=0,
        le=1_000_000,
        description="What the tool's line item counts to.",
    )

    @field_validator("url")
    @classmethod
    def _at_the_tool(cls, value: str, info: ValidationInfo) -> str:
        """By LTI 1.1 a learner's data is posted there, so it has to be the tool's own place."""
        origins = {oidc.origin(address) for address in (info.context or {}).get("addresses", ())}
        if value and origins and oidc.origin(value) not in origins:
            raise ValueError("must be an address of the tool itself")
        return value


def connection_settings(values: Mapping[str, Any]) -> Connection11 | Connection13:
    """Validate the keys of an lti connection. Raises pydantic's ValidationError."""
    if values.get("version") == "1.3":
        return Connection13.model_validate(values)
    return Connection11.model_validate(values)


def activity_settings(
    values: Mapping[str, Any], connection: Connection11 | Connection13
) -> ActivitySettings:
    """Validate an activity of this connection. Raises pydantic's ValidationError."""
    return ActivitySettings.model_validate(values, context={"addresses": connection.addresses()})
