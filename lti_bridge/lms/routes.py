"""The addresses that LMSs call: login, launch, keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, after_this_request, g, request
from werkzeug.exceptions import NotFound

from lti_bridge.core.journal.hop import looking_again
from lti_bridge.core.launch.handoff import Form, NewWindowPage
from lti_bridge.core.launch.message import NOTICE_SERVICE, Launch
from lti_bridge.errors import (
    BridgeError,
    BrowserRefused,
    LaunchRefused,
    LoginFailed,
    MessageRefused,
)
from lti_bridge.lms.login13 import STORAGE_TARGET, LoginRedirect
from lti_bridge.lms.receive11 import Lms11, Relaunch
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lti import oauth1, oidc

LOGIN_PATH = "/lti/login"
LAUNCH_PATH = "/lti/launch"
JWKS_PATH = "/lti/jwks"
JWKS_MAX_AGE_S = 600
AGAIN = "lti_bridge"  # in a login's query: "tried" (a cookie, here) or "window" (a new one)
KEEPS_COOKIES = "__Host-lti-kept"  # says so, nothing else, and is the same for everybody
KEEPS_COOKIES_S = 30 * 24 * 3600
MAX_HOST = 255  # characters of a host's name with its port
LTI_11 = ("oauth_", "lti_message_type")  # how the fields of a launch of LTI 1.1 begin


@dataclass(frozen=True, slots=True)
class LmsEndpoints:
    """What the LMS routes need: both receivers, the key sets, and what to do with a launch.

    `key_set` gives that of a registration, and for an empty name the shared one. `browser` is the
    secret that only the browser of this request holds. `offered` hears of a launch whose LMS sends
    notices.
    """

    lms11: Lms11
    lms13: Lms13
    key_set: Callable[[str], tuple[bytes, str] | None]
    launched: Callable[[Launch], Response]
    offered: Callable[[Launch], None]
    browser: Callable[[], str]
    relaunch: Callable[[Form, tuple[str, ...]], Response]
    new_window: Callable[[NewWindowPage], Response]
    unproved: Callable[[Launch, NewWindowPage, BrowserRefused], Response]
    unconfirmed: Callable[[str, NewWindowPage, str, LoginFailed], Response]


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


def blueprint(endpoints: LmsEndpoints) -> Blueprint:
    """The LMS endpoints."""
    routes = Blueprint("lms", __name__)

    @routes.route(LOGIN_PATH, methods=["GET", "POST"])
    def login() -> Response:
        """LTI 1.3 login initiation (Security Framework 1.0 §5.1.1.1): to the LMS and back."""
        values = request.args if request.method == "GET" else request.form
        mark, dest = request.args.get(AGAIN), request.headers.get("Sec-Fetch-Dest", "")
        unsure = KEEPS_COOKIES not in request.cookies and mark != "window"
        framed = dest not in ("", "document") or (dest != "" and STORAGE_TARGET in values)
        refused = unsure and framed and mark is not None
        going = endpoints.lms13.login(
            _lists(values), again=unsure and dest != "document", refused=refused
        )
        if refused:
            return endpoints.new_window(going.new_window)
        return _try_cookies(endpoints.lms13) if unsure and framed else _to_lms(going)

    @routes.post(LAUNCH_PATH)
    def launch() -> Response:
        """An LTI 1.3 id_token or an LTI 1.1 signed launch, told apart by what they carry."""
        # parsed here, once: Flask's form costs as much as checking its signature
        form = request.mimetype == oauth1.FORM_TYPE
        pairs = oauth1.parse_form(request.get_data(cache=False)) if form else []
        fields = _collected(pairs)
        lti11 = "id_token" not in fields and any(name.startswith(LTI_11) for name in fields)
        g.lti = "1.1" if lti11 else "1.3"
        if lti11:
            query = request.query_string.decode("ascii", "replace")
            answered = endpoints.lms11.launch(
                pairs, query, request.cookies, endpoints.browser, _hosts()
            )
            if isinstance(answered, Relaunch):
                return endpoints.relaunch(answered.form, answered.origins)
            return endpoints.launched(answered)
        if request.query_string:
            raise MessageRefused("an LTI 1.3 launch carries nothing in its address")
        if cookie := "error" in fields and endpoints.lms13.used_cookie(fields):
            after_this_request(partial(_forget_cookie, cookie))
        try:
            received = endpoints.lms13.launch(
                fields, request.cookies, own_page=_own_page(endpoints.lms13)
            )
        except BrowserRefused as refusal:
            return _unproved(endpoints, fields, refusal)
        except LoginFailed as refusal:
            found = endpoints.lms13.unconfirmed(fields)
            if found is None:
                raise
            return endpoints.unconfirmed(found.registration, found.new_window, found.home, refusal)
        if NOTICE_SERVICE in received.extra:
            endpoints.offered(received)
        return endpoints.launched(received)

    @routes.get(JWKS_PATH, defaults={"registration": ""})
    @routes.get(f"{JWKS_PATH}/<registration>")
    def jwks(registration: str) -> Response:
        """The bridge's public keys as a tool, of all LMSs or of one."""
        found = endpoints.key_set(registration)
        if found is None:
            raise NotFound
        document, etag = found
        response = Response(document, content_type="application/json")
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
        response.headers["ETag"] = etag
        response.make_conditional(request)
        return response

    return routes


def _to_lms(going: LoginRedirect) -> Response:
    response = _onward(302, going.url)
    _keep_cookie(response, going.cookie_name, going.cookie_value, going.max_age_s)
    return response


def _try_cookies(lms13: Lms13) -> Response:
    """Ask the browser to come again, with its form, and see whether it then has a cookie.

    A redirect and not a script: the next one, to the LMS, then still counts as the LMS's own, and
    the browser sends the LMS's SameSite=Lax session along. And before the login, because some
    LMSs let a login be answered once only: afterwards no other window could begin it anew.
    """
    query = request.query_string.decode("ascii", "replace")
    mark = f"{query}&{AGAIN}=tried" if query else f"{AGAIN}=tried"
    response = _onward(307, f"{lms13.login_url}?{mark}")
    _keep_cookie(response, KEEPS_COOKIES, "1", KEEPS_COOKIES_S)
    return response


def _onward(status: int, url: str) -> Response:
    response = Response(status=status, headers={"Location": url})
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _hosts() -> tuple[str, ...]:
    """The names that the browser says it sent this request to."""
    said = (request.headers.get(name, "") for name in ("Host", "X-Forwarded-Host"))
    return tuple(one for one in said if 0 < len(one) <= MAX_HOST)


def _own_page(lms13: Lms13) -> bool:
    """Whether the browser says that a page of ours sent this request."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    own = oidc.origin(lms13.public_url)
    return site == "same-origin" and request.headers.get("Origin") == own


def _unproved(
    endpoints: LmsEndpoints, fields: Mapping[str, list[str]], refusal: BrowserRefused
) -> Response:
    """Answer a launch without proof: refused, but with a way on if its message is a good one."""
    try:
        with looking_again():
            found = endpoints.lms13.unproved(fields)
    except BridgeError:
        raise refusal from None
    return endpoints.unproved(found.launch, found.new_window, refusal)


def _keep_cookie(response: Response, name: str, value: str, max_age_s: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/",
        secure=True,
        httponly=True,
        samesite="None",
        partitioned=True,
    )


def _forget_cookie(name: str, response: Response) -> Response:
    """After a failed login; after a launch it stays, so that a reload is told from a stranger."""
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
