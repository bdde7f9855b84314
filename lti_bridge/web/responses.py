"""Responses with the headers that a page has everywhere, and the cookies of launches."""

from __future__ import annotations

import json

from flask import Response

from lti_bridge.core.launch.handoff import Cookie
from lti_bridge.errors import BadRequest, BridgeError
from lti_bridge.web.addresses import origin_of, return_address

NOBODY = ("'none'",)
"""As `frame_ancestors`: no site may show this page in a frame."""

ANY = "https: http:"  # where forms may lead that go on elsewhere
POLICY = "default-src 'none'; base-uri 'none'; style-src 'self'"


def set_cookie(response: Response, cookie: Cookie) -> None:
    """Give the browser a cookie that also a frame sends, in the partition of its page."""
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=cookie.max_age_s,
        path=cookie.path,
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )


def forget_cookie(response: Response, name: str, path: str) -> None:
    """Take a cookie back that has no use any more."""
    response.delete_cookie(
        name, path=path, secure=True, httponly=True, samesite="None", partitioned=True
    )


def make_response(body: bytes, content_type: str, status: int, policy: str) -> Response:
    """A page that is kept nowhere, tells nobody where it came from, and obeys this policy."""
    headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("Pragma", "no-cache"),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Response(body, status, headers)


def error_as_json(error: BridgeError, reference: str) -> Response:
    """An error for a program, in the members that docs/errors.md names."""
    answer = {
        "error": error.code,
        "message": error.sentence,
        "remedy": error.remedy,
        "reference": reference,
        **({"reason": error.said} if error.said else {}),
    }
    body = json.dumps(answer).encode()
    return make_response(body, "application/json", error.status, "default-src 'none'")


def form_targets(action: str, onward: tuple[str, ...] | None) -> str:
    """Where a form of a page may be sent: `action`, and `onward` from there (None: anywhere)."""
    target = origin_of(action)
    if onward is None:
        return ANY
    return " ".join([target, *map(origin_of, onward)])


def own_targets(action: str, *, onward: bool = False) -> str:
    """For a form that leads to the bridge, by a path or by a whole address; `onward`: and on."""
    is_path = action.startswith("/") and not action.startswith("//")
    target = "'self'" if is_path else origin_of(action)
    return ANY if onward else target


def ancestors_policy(origins: tuple[str, ...]) -> str:
    """The sites that may frame a page; `origins` come from registrations, checked there."""
    return "'none'" if origins == NOBODY else " ".join(["'self'", *map(origin_of, origins)])


def safe_return(url: str, **messages: str) -> str:
    """The return address, or nothing when the page should have no way back."""
    if not url:
        return ""
    try:
        return return_address(url, **messages)
    except BadRequest:
        return ""
