"""The platform's authorization endpoint: an LTI 1.3 tool comes for its launch (SEC §5.1.1.2-5)."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lti_bridge.core.journal.hop import failed, note
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.tool.launches import TakenLaunch, digest
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.errors import ToolRequestRefused
from lti_bridge.lti import jwt
from lti_bridge.lti.claims import DEPLOYMENT_ID, LTI1P1, PRESENTATION
from lti_bridge.lti.keys import SigningKey
from lti_bridge.lti.migration import key_sign
from lti_bridge.platform.launch13 import cookie_name

log = logging.getLogger("lti_bridge.authorize")

TOKEN_LIFE = timedelta(minutes=5)
MAX_VALUE = 8192  # characters of any parameter
# Parameter, its only value, and the OAuth error of another one (OIDC Core §3.1.2.6).
_FIXED = (
    ("response_type", "id_token", "unsupported_response_type"),
    ("response_mode", "form_post", "invalid_request"),
    ("prompt", "none", "invalid_request"),
)
_NEEDED = ("nonce", "login_hint", "lti_message_hint")


class _Wrong(Exception):
    """An OAuth error, which the tool is told at its redirect URI."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """The form for the tool, and the cookie that has no use any more ("": none)."""

    form: Form
    used_cookie: str = ""


@dataclass(frozen=True, slots=True)
class Authorizing:
    """Answers /platform/authorize.

    `tool` finds a registration by client id, `take` takes a launch away by the digests of hint
    and cookie; `signing` gives the platform's key.
    """

    tool: Callable[[str], ToolRegistration | None]
    take: Callable[[str, str], TakenLaunch | None]
    signing: Callable[[], SigningKey]
    clock: Callable[[], datetime]

    def answer(self, parameters: Mapping[str, Sequence[str]], cookies: Mapping[str, str]) -> Answer:
        """The id_token or an OAuth error, as a form for the tool's redirect URI.

        Raises ToolRequestRefused when nothing may be sent there.
        """
        request = _Request(parameters)
        tool = self.tool(request.get("client_id"))
        if tool is None:
            raise ToolRequestRefused("the client_id is not known")
        note(connection=tool.connection)
        redirect_uri = request.get("redirect_uri")
        if redirect_uri not in tool.redirect_uris:
            raise ToolRequestRefused(f"{tool.connection}: the redirect_uri is not registered")
        cookie = cookie_name(request.get("lti_message_hint"))
        try:
            token = self._id_token(request, tool, cookies.get(cookie, ""))
            fields = [("id_token", token)]
            log.info("tool.launched", extra={"connection": tool.connection})
        except _Wrong as wrong:
            fields = [("error", wrong.code), ("error_description", wrong.reason)]
            extra = {"connection": tool.connection, "code": wrong.code, "reason": wrong.reason}
            log.warning("tool.refused", extra=extra)
            failed(ToolRequestRefused(f"{wrong.code}: {wrong.reason}"))
        if "state" in request.values:
            fields.append(("state", request.get("state")))
        return Answer(Form(redirect_uri, tuple(fields)), cookie if cookie in cookies else "")

    def _id_token(self, request: _Request, tool: ToolRegistration, browser: str) -> str:
        request.check()
        if not browser:
            raise _Wrong("login_required", "the browser has no launch under way")
        launch = self.take(digest(request.get("lti_message_hint")), digest(browser))
        now = self.clock()
        if launch is None or now >= launch.until:
            raise _Wrong("login_required", "the launch was used before, or has expired")
        if launch.connection != tool.connection:
            raise _Wrong("unauthorized_client", "the launch is for another tool")
        login_hint = request.get("login_hint").encode()
        if not hmac.compare_digest(launch.login_hint.encode(), login_hint):
            raise _Wrong("login_required", "the login_hint is not that of this launch")
        note(proved=True, click=_click(launch.claims))
        times = jwt.times(now, int(TOKEN_LIFE.total_seconds()))
        claims = {**launch.claims, "nonce": request.get("nonce"), **times}
        if tool.former:
            claims[LTI1P1] = _former(tool.former, claims)
        return jwt.sign(claims, self.signing())


def _click(claims: Mapping[str, Any]) -> str:
    """The id of the click that the launch came by, which stands in its way back."""
    back = claims.get(PRESENTATION, {}).get("return_url", "")
    return str(back).rpartition("/")[2]


def _former(former: Credentials, claims: Mapping[str, Any]) -> dict[str, str]:
    """The proof that this is the consumer that the tool knew by LTI 1.1; our ids are the same."""
    sign = key_sign(
        former.shared_secret,
        former.consumer_key,
        claims[DEPLOYMENT_ID],
        claims["iss"],
        claims["aud"],
        claims["exp"],
        claims["nonce"],
    )
    return {"oauth_consumer_key": former.consumer_key, "oauth_consumer_key_sign": sign}


@dataclass(frozen=True, slots=True)
class _Request:
    """The parameters, each given once."""

    given: Mapping[str, Sequence[str]]
    values: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.given.items():
            if len(values) != 1 or len(values[0]) > MAX_VALUE or not _is_unicode(values[0]):
                raise ToolRequestRefused(f"{name!r:.40} is repeated, too long or no valid text")
            self.values[name] = values[0]

    def get(self, name: str) -> str:
        """The value, "" when there is none."""
        return self.values.get(name, "")

    def check(self) -> None:
        """Raises _Wrong unless every parameter is what LTI asks for (SEC §5.1.1.2)."""
        for name, value, code in _FIXED:
            if name not in self.values:
                raise _Wrong("invalid_request", f"{name} is missing")
            if self.get(name) != value:
                raise _Wrong(code, f"{name} must be {value}")
        if "openid" not in self.get("scope").split(" "):
            raise _Wrong("invalid_scope", "scope must be openid")
        for name in _NEEDED:
            if not self.get(name):
                raise _Wrong("invalid_request", f"{name} is missing")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
