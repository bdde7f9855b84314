"""The state of one LTI 1.3 login, sealed and carried by the browser: no row before a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace

from lti_bridge.errors import BrowserRefused

COOKIE_PREFIX = "__Host-lti-"
LIFE_S = 600

_PURPOSE = b"lti13-login-state."


@dataclass(frozen=True, slots=True)
class State:
    """What a login is bound to. `target` and `browser` are digests, `expires` is epoch seconds.

    `storage` names the LMS's frame that keeps the proof where cookies are refused ("" for none);
    `again` has the login's own parameters, where it may have to begin anew in another window.
    """

    registration: str
    nonce: str
    target: str
    deployment_id: str
    browser: str
    expires: int
    storage: str = ""
    again: tuple[tuple[str, str], ...] = ()


def digest(text: str) -> str:
    """Return a text's SHA-256 as base64url: it keeps the state short and secrets out of it."""
    return encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def cookie_name(sealed: str) -> str:
    """Return the name of this login's own cookie, so that several tabs can log in at once."""
    return COOKIE_PREFIX + _mark(sealed)


def storage_key(sealed: str) -> str:
    """Return under which key the LMS's storage keeps the proof of this login."""
    return "lti-bridge-" + _mark(sealed)


def kept(sealed: str, nonce: str, secret: str) -> str:
    """Return what the LMS's storage keeps of a login: state, nonce and the browser's secret.

    Of the state, only its seal: the least that a storage must hold is 4096 characters in all.
    """
    return f"{_seal_of(sealed)} {nonce} {secret}"


def secret_in(kept_text: str, sealed: str, nonce: str) -> str:
    """Return the secret that was kept for this state and nonce, "" when it was for others."""
    secret = kept_text.rpartition(" ")[2]
    same = kept(sealed, nonce, secret).encode()
    return secret if hmac.compare_digest(same, kept_text.encode()) else ""


def seal(state: State, key: bytes) -> str:
    """Return the state as text of the alphabet [A-Za-z0-9_.-] only: an LMS may strip others."""
    content = [
        state.registration,
        state.nonce,
        state.target,
        state.deployment_id,
        state.browser,
        state.expires,
        state.storage,
        *state.again,
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
    content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    again = tuple((name, value) for name, value in content[7:])
    state = replace(State(*content[:7]), again=again)
    if now_s >= state.expires:
        raise BrowserRefused(f"the login's state expired {now_s - state.expires:.0f} s ago")
    return state


def encode(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _mark(sealed: str) -> str:
    return _seal_of(sealed)[:8]


def _seal_of(sealed: str) -> str:
    return sealed.rpartition(".")[2]


def _mac(body: str, key: bytes) -> str:
    return encode(hmac.digest(key, _PURPOSE + body.encode("utf-8", "surrogatepass"), "sha256"))
