"""What every connection to an LTI 1.3 tool can set, whatever its kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AfterValidator, Field

from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.lti.keys import MIN_BITS
from lti_bridge.lti.scopes import SCOPES_OF
from lti_bridge.providers.addresses import Address
from lti_bridge.providers.contract import LtiTool, Tools

Services = Annotated[
    tuple[Literal["ags", "basic-outcome", "members"], ...],
    Field(
        title="Services",
        description=(
            "What the tool may use: ags and basic-outcome return grades, members lists the course."
        ),
    ),
]
InFrame = Annotated[
    bool,
    Field(
        title="In a frame",
        description="true: the tool is shown in a page of the bridge, which keeps data for it.",
    ),
]
Allow = Annotated[
    tuple[Literal["camera", "microphone", "display-capture", "fullscreen", "clipboard-write"], ...],
    Field(title="Allowed in the frame", description="What the tool may use of the browser."),
]
GRADES: tuple[Literal["ags"], Literal["basic-outcome"]] = ("ags", "basic-outcome")


def _public_key(value: str) -> str:
    if not value:
        return value
    try:
        key = load_pem_public_key(value.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_BITS:
        raise ValueError(f"must be an RSA public key of {MIN_BITS} bits or more, in PEM")
    return value


DeepLink = Annotated[
    Literal[""] | Address,
    Field(
        title="Deep linking URL",
        description="Where instructors choose at the tool itself; nowhere if left out.",
    ),
]
PublicKey = Annotated[str, AfterValidator(_public_key)]


def registration(name: str, settings: Any) -> ToolRegistration:
    """The registration of the connection `name` with these settings."""
    return ToolRegistration(
        connection=name,
        client_id=settings.client_id,
        deployment_id=settings.deployment_id,
        login_url=settings.login_url,
        launch_url=settings.launch_url,
        redirect_uris=settings.redirect_uris,
        jwks_url=settings.jwks_url,
        public_key=getattr(settings, "public_key", ""),
        scopes=frozenset(scope for name in settings.services for scope in SCOPES_OF[name]),
        frame=settings.frame,
    )


def tool(settings: Any, tools: Tools) -> LtiTool:
    """The tool of a connection with these settings."""
    return tools.tool13(registration(tools.connection, settings), settings.frame_allow)
