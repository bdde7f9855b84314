"""A message counts once; the same one again at once, from the same browser, is a second click.

A double click, or a reload, sends the very same signed form twice within a second, and a browser
shows the second answer. So the one who got the first answer goes on with what it began, and
nothing new is made; for everybody else the message is used up.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from datetime import timedelta

from lti_bridge.core.launch.message import Launch
from lti_bridge.core.store import Transaction
from lti_bridge.errors import Finding, OpenedAlready, SignatureRefused

WITHIN = timedelta(seconds=10)
COOKIE = "__Host-lti-browser"
COOKIE_S = 30 * 24 * 3600
REPEATED = Finding(
    "nonce",
    "each nonce once",
    "one that another message of this LMS had",
    "The LMS or its plugin repeats nonces, or somebody changed a message: update the LMS.",
)
_SECRET = re.compile(r"[A-Za-z0-9_-]{22,64}")


def first(tx: Transaction, launch: Launch) -> bool:
    """Use up the message of a launch; False when its browser sends it again within ten seconds.

    Raises OpenedAlready for one that was used before, and SignatureRefused for another message
    with the value of one that was.
    """
    once = launch.once
    if tx.use_once(once):
        return True
    before = tx.used(once)
    if before.message != once.message:
        refusal = SignatureRefused("this nonce was used by another message")
        refusal.explain = lambda: [REPEATED]
        raise refusal
    in_time = before.at is not None and launch.received_at <= before.at + WITHIN
    if once.browser and once.browser == before.browser and in_time:
        return False
    raise OpenedAlready("the message was used before")


def is_secret(text: str) -> bool:
    """Whether a cookie's text can be one that we gave to a browser."""
    return _SECRET.fullmatch(text) is not None


def page_token(secret: str, handle: str) -> str:
    """The token of the page that one browser reads at an address, and that its forms send.

    Only who holds the browser's secret can make it from the handle, which stands in the address.
    """
    made = hmac.digest(secret.encode(), b"page." + handle.encode(), "sha256")
    return f"{handle}.{urlsafe_b64encode(made).rstrip(b'=').decode('ascii')}"


def is_bound(token: str) -> bool:
    """Whether a token is one browser's own; any other one counts for whoever has it."""
    return "." in token


def may_use(token: str, secret: str) -> bool:
    """Whether the browser that sent this secret, or none, may use a token."""
    if not is_bound(token):
        return True
    own = page_token(secret, token.partition(".")[0])
    return hmac.compare_digest(token.encode(), own.encode())
