"""The trust with a tool: by LTI 1.1 a key and a secret, by LTI 1.3 a registration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """The LTI 1.1 key and secret of a tool: launches and grade messages are signed by them."""

    consumer_key: str
    shared_secret: str
    method: str = "HMAC-SHA1"


@dataclass(frozen=True, slots=True)
class ToolRegistration:
    """The trust with one LTI 1.3 tool, which knows the bridge as its platform.

    `launch_url` is the target of a launch that has no other; `redirect_uris` are compared byte
    for byte. The tool's keys are at `jwks_url`, or it has the one `public_key` (PEM). `scopes`
    are the services it may ask a token for. `frame`: it is shown within a page of the bridge.
    `former` are the key and secret by which it knew the bridge when it spoke LTI 1.1.
    """

    connection: str
    client_id: str
    deployment_id: str
    login_url: str
    launch_url: str
    redirect_uris: tuple[str, ...]
    jwks_url: str = ""
    public_key: str = ""
    scopes: frozenset[str] = frozenset()
    frame: bool = False
    former: Credentials | None = None
