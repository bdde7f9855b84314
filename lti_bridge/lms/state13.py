"""The state of one LTI 1.3 login, sealed and carried by the browser: no row before a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from lti_bridge.errors import BrowserRefused

COOKIE_PREFIX = "__Host-lti-"
LIFE_S = 600

_PURPOSE = b"lti13-login-state."


@dataclass(frozen=True, slots=True)
class State:
    """What a login is bound to. `target` and `browser` are digests, `expires` is epoch seconds."""

    registration: str
    nonce: str
    target: str
    deployment_id: str
    browser: str
    expires: int


def digest(text: str) -> str:
    """Return a text's SHA-256 as base64url: it keeps the state short and secrets out of it."""
    return encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def cookie_name(sealed: str) -> str:
    """Return the name of this login's own cookie, so that several tabs can log in at once."""
    return COOKIE_PREFIX + sealed.rpartition(".")[2][:8]


def seal(state: State, key: bytes) -> str:
    """Return the state as text of the alphabet [A-Za-z0-9_.-] only: an LMS may strip others."""
    content = [
        state.registration,
        state.nonce,
        state.target,
        state.deployment_id,
        state.browser,
        state.expires,
    ]
    body = encode(json.dumps(content, separators=(",", ":")).encode())
    return f"{body}.{_mac(body, key)}"


def unseal(sealed: str, key: bytes, now_s: float) -> State:
    """Return a state that `seal` made with this key less than its life ago.

    Raises BrowserRefused for anything else.
    """
    body, _, mac = sealed.partition(".")
    expected = _mac(body, key).encode()
    if not hmac.compare_digest(expected, mac.encode("utf-8", "surrogatepass")):
        raise BrowserRefused("the state was not made here, or was changed")
    state = State(*json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    if now_s >= state.expires:
        raise BrowserRefused(f"the login's state expired {now_s - state.expires:.0f} s ago")
    return state


def encode(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _mac(body: str, key: bytes) -> str:
    return encode(hmac.digest(key, _PURPOSE + body.encode("utf-8", "surrogatepass"), "sha256"))
