"""What can be set for a connection to Isograd: one model for each route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    WrapValidator,
)

from lti_bridge.providers.addresses import Address
from lti_bridge.providers.tool_settings import GRADES, Allow, DeepLink, InFrame, Services

Route = Literal["lti-1.1", "lti-1.3", "api"]

_HOSTS: Mapping[str, str] = MappingProxyType(
    {"production": "https://app.isograd.com/", "test": "https://recette.isograd.com/"}
)


Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Secret = Annotated[SecretStr, Field(min_length=1)]


class Model(BaseModel):
    """Unknown keys are refused, and no value is repeated in an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


def _at(path: str) -> Callable[[dict[str, Any]], str]:
    """The default of an address: that of the chosen environment."""
    return lambda data: urljoin(_HOSTS[data["environment"]], path)


def _beside(name: str) -> Callable[[dict[str, Any]], str]:
    """The default of an address: a neighbour of `launch_url`, so that environments never mix."""
    return lambda data: urljoin(data.get("launch_url", ""), name)


def _place(address: str, account: str) -> str:
    return f"isograd {urlsplit(address).netloc.lower()} {account}"


_Environment = Annotated[
    Literal["production", "test"],
    Field(title="Environment", description="Whose addresses count where none are written."),
]
_LaunchUrl = Annotated[
    Address,
    Field(
        default_factory=_at("public/lti.php"),
        title="Launch URL",
        description="Isograd's launch address; that of the environment if left out.",
    ),
]


_Account = Annotated[
    str,
    StringConstraints(max_length=255),
    Field(
        title="Account",
        description="One name for all connections that lead to one account at Isograd.",
    ),
]


class Lti11Connection(Model):
    """Isograd opened by LTI 1.1, with key and secret."""

    route: Literal["lti-1.1"] = Field(title="Route", description="A signed LTI 1.1 launch.")
    environment: _Environment = "production"
    launch_url: _LaunchUrl
    consumer_key: Text = Field(title="Client key", description="The client key from Isograd.")
    shared_secret: Secret = Field(title="Client secret", description="Belongs to the client key.")
    deep_link_url: DeepLink = ""
    account: _Account = ""

    @property
    def place(self) -> str:
        """Within which an e-mail address is one candidate's."""
        return _place(self.launch_url, self.account or self.consumer_key)


class Lti13Connection(Model):
    """Isograd opened by LTI 1.3; addresses left out are those beside the launch URL."""

    route: Literal["lti-1.3"] = Field(title="Route", description="An LTI 1.3 launch.")
    environment: _Environment = "production"
    launch_url: _LaunchUrl
    login_url: Address = Field(
        default_factory=_beside(""),
        title="Login URL",
        description="Where a login begins; the launch URL if left out.",
    )
    redirect_uris: tuple[Address, ...] = Field(
        default_factory=lambda data: (data.get("launch_url", ""),),
        min_length=1,
        title="Redirect URIs",
        description="Where a launch may be sent to; the launch URL if left out.",
    )
    jwks_url: Address = Field(
        default_factory=_beside("jwks.php"),
        title="Key set URL",
        description="Where Isograd publishes its keys; jwks.php beside the launch URL if left out.",
    )
    client_id: Text = Field(
        title="Client id", description="The client id under which Isograd knows this bridge."
    )
    deployment_id: Text = Field(
        title="Deployment id", description="The deployment id that Isograd was told."
    )
    services: Services = GRADES
    frame: InFrame = False
    frame_allow: Allow = ("fullscreen",)
    deep_link_url: DeepLink = ""
    account: _Account = ""

    @property
    def place(self) -> str:
        """Within which an e-mail address is one candidate's."""
        return _place(self.launch_url, self.account or f"{self.client_id} {self.deployment_id}")


class ApiConnection(Model):
    """Isograd called through its REST API."""

    route: Literal["api"] = Field(title="Route", description="Calls of Isograd's API.")
    environment: _Environment = "production"
    base_url: Address = Field(
        default_factory=_at("api/usage"),
        title="API address",
        description="Where actions are sent; that of the environment if left out.",
    )
    token_url: Address = Field(
        "https://auth.isograd.com/oauth2/token",
        title="Token address",
        description="Where access tokens come from.",
    )
    client_id: Text = Field(title="Client id", description="The client id from Isograd.")
    client_secret: Secret = Field(title="Client secret", description="Belongs to the client id.")
    grade_scale: Literal["isograd", "fraction"] = Field(
        "fraction",
        title="Grade scale",
        description="fraction: score by maximum; isograd: the numbers of its grades by LTI.",
    )
    forget: Literal["anonymise", "delete"] = Field(
        "anonymise",
        title="Forgetting a person",
        description="anonymise: names become numbers; delete: the candidate goes, tests and all.",
    )
    low_credits: int = Field(
        10,
        ge=0,
        title="Few credits",
        description="A warning is logged when fewer credits of a type are left; 0: never.",
    )
    account: _Account = ""

    @property
    def place(self) -> str:
        """Within which an e-mail address is one candidate's."""
        return _place(self.base_url, self.account or self.client_id)


_Connection = Lti11Connection | Lti13Connection | ApiConnection
_ROUTES: Mapping[str, type[_Connection]] = MappingProxyType(
    {"lti-1.1": Lti11Connection, "lti-1.3": Lti13Connection, "api": ApiConnection}
)


def _by_route(values: Any, validate: Callable[[Any], _Connection]) -> _Connection:
    route = values.get("route") if isinstance(values, Mapping) else None
    model = _ROUTES.get(route) if isinstance(route, str) else None
    return model.model_validate(values) if model else validate(values)


ConnectionSettings = Annotated[
    Annotated[_Connection, Field(discriminator="route")], WrapValidator(_by_route)
]
_QUIET = ConfigDict(hide_input_in_errors=True)  # values may be secrets
_CONNECTION: TypeAdapter[_Connection] = TypeAdapter(ConnectionSettings, config=_QUIET)


def connection_settings(values: Mapping[str, Any]) -> _Connection:
    """Validate the keys of an isograd connection, without those every connection has.

    Raises pydantic's ValidationError; `explain` puts it into words.
    """
    return _CONNECTION.validate_python(values)
