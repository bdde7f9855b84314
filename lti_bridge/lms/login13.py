"""Answer an LTI 1.3 login initiation: send the browser to the LMS with a state bound to it.

PyLTI1p3 checks what an LMS must send. The state is sealed and stored nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pylti1p3.exception import OIDCException
from pylti1p3.oidc_login import OIDCLogin
from pylti1p3.redirect import Redirect

from lti_bridge.core.journal.hop import checking, note
from lti_bridge.core.launch.handoff import Form, NewWindowPage, Storage
from lti_bridge.errors import MessageRefused
from lti_bridge.lms import state13
from lti_bridge.lms.reading import MAX_ID
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lms.state13 import State
from lti_bridge.lms.tool13 import Cookies, Known, Session, Tool, Values
from lti_bridge.lti import oidc

MAX_PARAMETER = 8192
MAX_AGAIN = 1200  # characters of JSON; what the state carries travels in an address
STORAGE_TARGET = "lti_storage_target"
PARAMETERS = (
    *("iss", "login_hint", "target_link_uri", "lti_message_hint", "lti_deployment_id"),
    "client_id",
)


@dataclass(frozen=True, slots=True)
class LoginRedirect:
    """Send the browser to `url` with this cookie: Secure, HttpOnly, SameSite=None, Path=/.

    `new_window` is the page to show first to a browser that refuses cookies in this frame.
    """

    url: str
    cookie_name: str
    cookie_value: str
    new_window: NewWindowPage
    max_age_s: int = state13.LIFE_S


@dataclass(slots=True)
class Logins:
    """All that logins need; `key` seals them, `random` returns that many random bytes.

    `login_url` and `launch_url` are our published addresses, `public_url` our origin;
    `former_urls` are what it was.
    """

    registrations: Registrations
    key: bytes
    login_url: str
    launch_url: str
    public_url: str
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    former_urls: tuple[str, ...] = ()

    def home(self, target: str) -> str:
        """Our own address, of now or before, at whose origin this one is; empty for a foreign."""
        ours = (self.public_url, *self.former_urls)
        return next((url for url in ours if oidc.same_origin(target, url)), "")

    def answer(
        self, parameters: Mapping[str, Sequence[str]], *, again: bool, refused: bool
    ) -> LoginRedirect:
        """As `Lms13.login`, which see."""
        return _Login(self, Values(parameters)).answer(again=again, refused=refused)


class _Login(OIDCLogin[Values, Tool, Session, Cookies, LoginRedirect]):
    def __init__(self, logins: Logins, values: Values) -> None:
        deployment = values.get_param("lti_deployment_id")
        super().__init__(values, Tool(logins.registrations, deployment), Session(), Cookies({}))
        self._logins, self._values = logins, values.values

    def get_redirect(self, url: str) -> Redirect[LoginRedirect]:
        raise NotImplementedError  # for PyLTI1p3's own redirect, which knows no bound state

    def answer(self, *, again: bool, refused: bool) -> LoginRedirect:
        logins, registration = self._logins, self._checked()
        secret, nonce = (state13.encode(logins.random(24)) for _ in range(2))
        origin = oidc.origin(registration.authorization_url)
        frame = self._values.get(STORAGE_TARGET, "") if refused and origin else ""
        anew = tuple((name, self._values[name]) for name in PARAMETERS if name in self._values)
        state = State(
            registration=registration.name,
            nonce=nonce,
            target=state13.digest(self._values["target_link_uri"]),
            deployment_id=self._values.get("lti_deployment_id", ""),
            browser=state13.digest(secret),
            expires=int(logins.clock().timestamp()) + state13.LIFE_S,
            storage=frame,
            again=anew if again and len(json.dumps(anew)) <= MAX_AGAIN else (),
        )
        sealed = state13.seal(state, logins.key)
        url = self._address(registration, sealed, nonce)
        storage = None
        if frame:
            key, value = state13.storage_key(sealed), state13.kept(sealed, nonce, secret)
            storage = Storage(origin, frame, key, value, url)
        new_window = NewWindowPage(Form(logins.login_url, anew), storage)
        return LoginRedirect(url, state13.cookie_name(sealed), secret, new_window)

    def _checked(self) -> Registration13:
        """The registration of a login that may go on; raises UnknownIssuer, MessageRefused."""
        checking("registration")
        try:
            registration = cast(Known, self.validate_oidc_login()).ours
        except OIDCException as err:
            raise MessageRefused(str(err)) from err
        note(registration=registration.name)
        checking("target")
        values = self._values
        if not self._logins.home(values.get("target_link_uri", "")):
            raise MessageRefused("target_link_uri is missing, or is no address of ours")
        short = (values.get("lti_deployment_id", ""), values.get(STORAGE_TARGET, ""))
        if max(map(len, short)) > MAX_ID or max(map(len, values.values())) > MAX_PARAMETER:
            raise MessageRefused("a parameter of the login is too long")
        return registration

    def _address(self, registration: Registration13, sealed: str, nonce: str) -> str:
        # the LMS knows the address that its links name; from a former one it is brought here
        home = self._logins.home(self._values["target_link_uri"])
        path = self._logins.launch_url.removeprefix(self._logins.public_url)
        return oidc.authentication_request(
            registration.authorization_url,
            client_id=registration.client_id,
            redirect_uri=home + path,
            login_hint=self._values["login_hint"],
            lti_message_hint=self._values.get("lti_message_hint"),
            state=sealed,
            nonce=nonce,
        )
