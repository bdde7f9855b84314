"""LTI 1.1.2: a launch goes back to the LMS once, so that it is bound to the browser it came by."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from lti_bridge.core.launch.handoff import Cookie, Form
from lti_bridge.core.launch.message import Once
from lti_bridge.errors import BrowserRefused, MessageRefused
from lti_bridge.lms import state13
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.state13 import State
from lti_bridge.lti import oauth1, oidc

MAX_STATE = 4096  # characters


@dataclass(frozen=True, slots=True)
class Relaunching:
    """`key` seals what the browser carries; `random` returns that many random bytes.

    With an http `public_url`, which is for loopback only, LMSs may be reached by http too.
    """

    key: bytes
    public_url: str
    random: Callable[[int], bytes]

    def begin(
        self, parameters: Mapping[str, str], registration: Registration11, now: datetime
    ) -> Form:
        """The signed form that goes back to the LMS. Raises MessageRefused for another host."""
        url, platform_state = parameters["relaunch_url"], parameters.get("platform_state", "")
        self._check(url, registration)
        if not 0 < len(platform_state) <= MAX_STATE:
            raise MessageRefused("platform_state is missing or too long")
        secret = state13.encode(self.random(24))
        state = State(
            registration=registration.name,
            nonce=state13.encode(self.random(12)),
            target=state13.digest(platform_state),
            deployment_id="",
            browser=state13.digest(secret),
            expires=int(now.timestamp()) + state13.LIFE_S,
        )
        sealed = state13.seal(state, self.key)
        fields = oauth1.sign_form(
            url,
            [("tool_state", sealed), ("platform_state", platform_state)],
            registration.consumer_key,
            registration.shared_secret,
            nonce=state13.encode(self.random(16)),
            timestamp=int(now.timestamp()),
            method=registration.method,
        )
        cookie = Cookie(state13.cookie_name(sealed), secret, max_age_s=state13.LIFE_S, path="/")
        return Form(url, tuple(fields), cookies=(cookie,))

    def finish(
        self,
        parameters: Mapping[str, str],
        registration: Registration11,
        cookies: Mapping[str, str],
        now: datetime,
    ) -> Once:
        """What makes the relaunch usable once. Raises BrowserRefused for what began elsewhere."""
        sealed = parameters["tool_state"]
        state = state13.unseal(sealed, self.key, now.timestamp())
        if state.registration != registration.name:
            raise BrowserRefused("this tool_state was given to another LMS")
        secret = cookies.get(state13.cookie_name(sealed), "")
        if not hmac.compare_digest(state13.digest(secret), state.browser):
            raise BrowserRefused("the browser does not hold the cookie of this relaunch")
        given = state13.digest(parameters.get("platform_state", ""))
        if "platform_state" in parameters and not hmac.compare_digest(given, state.target):
            raise BrowserRefused("the platform_state is not that of this relaunch")
        until = datetime.fromtimestamp(state.expires, UTC) + timedelta(seconds=1)
        scope = f"lti11-state:{registration.name}"
        return Once(scope, state13.digest(sealed), until, at=now)

    def _check(self, url: str, registration: Registration11) -> None:
        secure = url.startswith("https://") or self.public_url.startswith("http://")
        if not secure or not oidc.origin(url):
            raise MessageRefused("relaunch_url is no https address")
        hosts = {urlsplit(origin).hostname for origin in registration.origins}
        if hosts and urlsplit(url).hostname not in hosts:
            raise MessageRefused("relaunch_url is not on a host of this LMS")
