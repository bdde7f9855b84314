"""What ties Mettl's candidates and web-hooks to attempts: context_data, and our references.

A web-hook carries no signature of Mettl's. Its address is secret, the context_data in it is
signed by the bridge, and it is never believed: it only lets the bridge ask.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from lti_bridge.core.attempt.provider import Callback, Report
from lti_bridge.errors import AccessRefused, BadRequest

log = logging.getLogger("lti_bridge.mettl")

Sign = Callable[[str], str]

STARTED = "startAssessment"
EVENTS = frozenset({STARTED, "finishTest", "gradedAssessment"})
OURS = "lti-bridge."


def context_data(sign: Sign, attempt_id: str) -> str:
    """The attempt's id with its MAC, for Mettl to send back."""
    return f"{OURS}{attempt_id}.{sign(f'mettl attempt {attempt_id}')}"


def attempt_of(sign: Sign, context: str) -> str:
    """The attempt that a context_data names; empty when it is not of our making.

    Raises AccessRefused for one that only looks like ours.
    """
    if not context.startswith(OURS):
        return ""
    attempt_id = context.removeprefix(OURS).partition(".")[0]
    expected = context_data(sign, attempt_id)
    if not hmac.compare_digest(expected.encode(), context.encode()):
        raise AccessRefused("context_data with a wrong signature")
    return attempt_id


def reference(sign: Sign, access_key: str, email: str) -> str:
    """Our name for a candidate of a schedule, without the address."""
    return sign(f"mettl candidate {access_key} {email.lower()}")


def read(sign: Sign, callback: Callback) -> list[Report]:
    """The attempt that a web-hook is about, as a hint. Raises AccessRefused or BadRequest."""
    told = _json_object(callback.body)
    event, key, email = (_text(told.get(n)) for n in ("EVENT_TYPE", "invitation_key", "email"))
    attempt_id = attempt_of(sign, _text(told.get("context_data")))
    if callback.attempt_id and callback.attempt_id != attempt_id:
        raise AccessRefused("a hook address of one attempt, used for another")
    if event == STARTED:  # nothing that the bridge does not know
        return []
    if event not in EVENTS:  # what Mettl sends when a test may be resumed is not documented
        log.info("mettl.unknown-event", extra={"kind": event[:40]})
    named = {"reference": reference(sign, key, email)} if key and email else {}
    if attempt_id:
        return [Report(attempt_id=attempt_id, hint=True, named=named)]
    # A candidate who came by another link, or an event that does not repeat context_data.
    if key and email:
        return [Report(reference=reference(sign, key, email), hint=True)]
    return []


def _text(value: object) -> str:
    """A text that can be written as UTF-8 (JSON can hold half a character), else empty."""
    text = value if isinstance(value, str) else ""
    return text if text.encode("utf-8", "ignore").decode() == text else ""


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest("a web-hook of Mettl is a JSON object")
    return value
