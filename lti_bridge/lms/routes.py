"""The addresses that LMSs call: login, launch, keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, after_this_request, request

from lti_bridge.core.handoff import Form
from lti_bridge.core.launch import Launch
from lti_bridge.errors import LaunchRefused, MessageRefused
from lti_bridge.lms.receive11 import Lms11, Relaunch
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lti import oauth1, oidc

LOGIN_PATH = "/lti/login"
LAUNCH_PATH = "/lti/launch"
JWKS_PATH = "/lti/jwks"
JWKS_MAX_AGE_S = 600
LTI_11 = ("oauth_", "lti_message_type")  # how the fields of a launch of LTI 1.1 begin


@dataclass(frozen=True, slots=True)
class LmsDoor:
    """What the LMS routes need: both receivers, the key set, and what to do with a launch."""

    lms11: Lms11
    lms13: Lms13
    key_set: Callable[[], tuple[bytes, str]]
    launched: Callable[[Launch], Response]
    relaunch: Callable[[Form, tuple[str, ...]], Response]


def frame_ancestors(
    lms11: Lms11, lms13: Lms13, registration: str, return_url: str
) -> tuple[str, ...]:
    """The origins that may show a page of this launch in a frame; empty when none is known.

    `return_url` is that of the verified launch: some LMSs show tools from another host than the
    one that they are registered with.
    """
    try:
        known = lms13.frame_ancestors(registration)
    except LaunchRefused:
        known = lms11.frame_ancestors(registration)
    back = oidc.origin(return_url)
    return tuple(sorted({*known, back} - {""}))


def blueprint(door: LmsDoor) -> Blueprint:
    """The LMS door."""
    routes = Blueprint("lms", __name__)

    @routes.route(LOGIN_PATH, methods=["GET", "POST"])
    def login() -> Response:
        """LTI 1.3 login initiation (Security Framework 1.0 §5.1.1.1): to the LMS and back."""
        values = request.args if request.method == "GET" else request.form
        going = door.lms13.login(_lists(values))
        response = Response(status=302, headers={"Location": going.url})
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.set_cookie(
            going.cookie_name,
            going.cookie_value,
            max_age=going.max_age_s,
            path="/",
            secure=True,
            httponly=True,
            samesite="None",
            partitioned=True,
        )
        return response

    @routes.post(LAUNCH_PATH)
    def launch() -> Response:
        """An LTI 1.3 id_token or an LTI 1.1 signed launch, told apart by what they carry."""
        # parsed here, once: Flask's form costs as much as checking its signature
        form = request.mimetype == oauth1.FORM_TYPE
        pairs = oauth1.parse_form(request.get_data(cache=False)) if form else []
        fields = _collected(pairs)
        if "id_token" not in fields and any(name.startswith(LTI_11) for name in fields):
            query = request.query_string.decode("ascii", "replace")
            answered = door.lms11.launch(pairs, query, request.cookies)
            if isinstance(answered, Relaunch):
                return door.relaunch(answered.form, answered.origins)
            return door.launched(answered)
        if request.query_string:
            raise MessageRefused("an LTI 1.3 launch carries nothing in its address")
        if cookie := door.lms13.used_cookie(fields):
            after_this_request(partial(_forget_cookie, cookie))
        received = door.lms13.launch(fields, request.cookies)
        return door.launched(received)

    @routes.get(JWKS_PATH)
    def jwks() -> Response:
        """The bridge's public keys as a tool; touches no database."""
        document, etag = door.key_set()
        response = Response(document, content_type="application/json")
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
        response.headers["ETag"] = etag
        response.make_conditional(request)
        return response

    return routes


def _forget_cookie(name: str, response: Response) -> Response:
    """A login's cookie has no use after its launch, however that went."""
    response.delete_cookie(
        name, path="/", secure=True, httponly=True, samesite="None", partitioned=True
    )
    return response


def _collected(pairs: oauth1.Params) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _lists(values: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: values.getlist(name) for name in values}  # type: ignore[attr-defined]
