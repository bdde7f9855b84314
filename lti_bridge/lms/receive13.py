"""Receive an LTI 1.3 launch: after the login, turn the id_token into a verified Launch.

PyLTI1p3 gives the flow, the order of the checks and the message validators. Replaced are the
points where it is not strict or not fast enough: state and nonce are bound to the browser and
stored nowhere, the token is read once and verified with cached key objects, audience and times
are checked, and the registration is the one the login was made for, never one the token names.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import requests
from pylti1p3.exception import LtiException
from pylti1p3.message_launch import MessageLaunch, TLaunchData

from lti_bridge.core.journal.hop import checking, note
from lti_bridge.core.launch.handoff import Form, NewWindowPage, Storage
from lti_bridge.core.launch.message import DEEP_LINKING, Launch, Once
from lti_bridge.errors import (
    AnonymousRefused,
    BrowserRefused,
    ConfigurationError,
    LaunchRefused,
    LoginExpired,
    LoginFailed,
    MessageRefused,
    Sender,
    UnknownDeployment,
)
from lti_bridge.lms import state13
from lti_bridge.lms.explanations13 import Explainer13
from lti_bridge.lms.login13 import LoginRedirect, Logins
from lti_bridge.lms.reading import launch_from_claims
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lms.state13 import State
from lti_bridge.lms.tool13 import Cookies, Known, Session, Tool, Values
from lti_bridge.lms.tool_registration import MESSAGES
from lti_bridge.lti import jwt, oidc
from lti_bridge.lti.claims import (
    DEPLOYMENT_ID,
    MESSAGE_TYPE,
    PRESENTATION,
    ROLES,
    TARGET_LINK_URI,
    present,
)
from lti_bridge.lti.keysets import KeySets

# OpenID Connect Core 1.0 §3.1.2.6: a person would have to do something, which a frame may not allow
NEEDS_PERSON = frozenset(
    {"account_selection_required", "consent_required", "interaction_required", "login_required"}
)
USED_UP = "launch_no_longer_valid"  # Canvas's word for what was clicked twice, or is too old
KEPT = "lti_bridge_kept"  # the form field for what the LMS's storage gave back

# PyLTI1p3 would make an HTTP session of its own per launch, and could call out with it.
_NO_HTTP = cast(requests.Session, object())


@dataclass(frozen=True, slots=True)
class Unproved:
    """A good message of which nothing shows that this browser asked for it: not to be opened."""

    launch: Launch
    new_window: NewWindowPage


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A login of ours that an LMS, `registration`, answered with an error.

    `new_window` says how to begin anew, where a window of its own may help; `home` is the LMS's own
    front page, as far as its registration tells.
    """

    registration: str
    new_window: NewWindowPage
    home: str


Formerly = Callable[[Launch, Mapping[str, Any], Registration13], Launch]
"""Adds to a launch, of verified claims, under which names LTI 1.1 knew it."""


class Lms13:
    """Receives LTI 1.3 launches. `state_key` seals logins and must be the same in all processes.

    `login_url` and `launch_url` are our published addresses, `public_url` our origin; `random`
    returns that many random bytes. `former_urls` are origins of ours that LMSs may still name.
    Raises ConfigurationError for a short key.
    """

    def __init__(
        self,
        registrations: Registrations,
        keysets: KeySets,
        state_key: bytes,
        login_url: str,
        launch_url: str,
        public_url: str,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        leeway_s: float = 60,
        max_age_s: float = 600,
        formerly: Formerly = lambda launch, claims, ours: launch,
        former_urls: tuple[str, ...] = (),
    ) -> None:
        if len(state_key) < 32:
            raise ConfigurationError("the key that seals logins has fewer than 32 bytes")
        addresses = (login_url, launch_url, public_url)
        self.logins = Logins(registrations, state_key, *addresses, clock, random, former_urls)
        self.registrations = registrations
        self.keysets = keysets
        self.state_key = state_key
        self.login_url = login_url
        self.launch_url = launch_url
        self.public_url = public_url
        self.clock = clock
        self.leeway_s = leeway_s
        self.max_age_s = max_age_s
        self.formerly = formerly
        self.tool = Tool(registrations)
        homes = (public_url, *former_urls)
        self.explainer = Explainer13(registrations, keysets, state_key, homes, leeway_s, max_age_s)

    def login(
        self, parameters: Mapping[str, Sequence[str]], *, again: bool = False, refused: bool = False
    ) -> LoginRedirect:
        """Answer a login initiation (GET or POST alike) with the way to the LMS's login.

        `again`: the launch may have to begin anew in another window. `refused`: this browser
        keeps no cookie here, so the LMS's storage is used where it has one.
        Raises UnknownIssuer, or MessageRefused for missing, repeated or foreign values.
        """
        with self.explainer.login_of(parameters):
            return self.logins.answer(parameters, again=again, refused=refused)

    def launch(
        self,
        form: Mapping[str, Sequence[str]],
        cookies: Mapping[str, str],
        *,
        own_page: bool = False,
    ) -> Launch:
        """Verify what the LMS posted after a login, and return it as a Launch.

        `own_page`: the browser says that a page of ours posted it. Only then what the LMS's
        storage gave back counts: anybody can post what they kept in their own browser.
        Raises a LaunchRefused, or NetworkFailed when the LMS's keys cannot be had. The caller
        records `Launch.once`: until then the same message would pass again.
        """
        with self.explainer.launch_of(form, cookies, self.clock()):
            values = Values(form)
            error = values.get_param("error")
            if error:
                failed = LoginExpired if error == USED_UP else LoginFailed
                raise failed(f"the LMS answered the login with {error!r:.80}")
            return _Arrival(self, values, cookies, own_page=own_page).launch()

    def unproved(self, form: Mapping[str, Sequence[str]]) -> Unproved:
        """Verify all of a launch but who asked for it: its way back, and what may still prove it.

        Raises as `launch` does.
        """
        arrival = _Arrival(self, Values(form), {}, proof=False)
        launch, state = arrival.launch(), arrival.state
        again = self._again(state)
        if not state.storage or form.get(KEPT):
            return Unproved(launch, NewWindowPage(again))
        sealed = form["state"][0]
        fields = (("id_token", form["id_token"][0]), ("state", sealed), (KEPT, ""))
        storage = Storage(
            oidc.origin(self.registrations.named(state.registration).authorization_url),
            state.storage,
            state13.storage_key(sealed),
            form=Form(self.launch_url, fields),
        )
        return Unproved(launch, NewWindowPage(again, storage))

    def unconfirmed(self, form: Mapping[str, Sequence[str]]) -> Unconfirmed | None:
        """Whose error this is, and how the login may begin anew; None: it is no login of ours.

        An LMS whose own cookies are not sent within a frame knows its people in a window.
        """
        values = Values(form)
        helps = values.get_param("error") in NEEDS_PERSON
        sealed = values.get_param("state") or ""
        try:
            state = state13.unseal(sealed, self.state_key, self.clock().timestamp())
        except BrowserRefused:
            return None
        # where the LMS signs people in: one issuer may stand for many servers
        home = oidc.origin(self.registrations.named(state.registration).authorization_url)
        again = self._again(state) if helps else None
        return Unconfirmed(state.registration, NewWindowPage(again), home and f"{home}/")

    def _again(self, state: State) -> Form | None:
        return Form(self.login_url, state.again) if state.again else None

    def used_cookie(self, form: Mapping[str, Sequence[str]]) -> str:
        """Return the cookie to delete once a launch or a failed login came back, "" if none."""
        sealed = next(iter(form.get("state", ())), "")
        try:
            state13.unseal(sealed, self.state_key, self.clock().timestamp())
        except BrowserRefused:
            return ""
        return state13.cookie_name(sealed)

    def frame_ancestors(self, registration_name: str) -> tuple[str, ...]:
        """Return the origins whose pages may show a launch of this LMS in a frame."""
        registration = self.registrations.named(registration_name)
        addresses = (registration.issuer, registration.authorization_url)
        return tuple(sorted({oidc.origin(address) for address in addresses} - {""}))


class _Arrival(MessageLaunch[Values, Tool, Session, Cookies]):
    _registration: Known
    _receiver: Lms13
    _token: jwt.Unverified
    _launch: Launch

    def __init__(
        self,
        receiver: Lms13,
        values: Values,
        cookies: Mapping[str, str],
        *,
        own_page: bool = False,
        proof: bool = True,
    ) -> None:
        super().__init__(
            values, receiver.tool, Session(), Cookies(cookies), requests_session=_NO_HTTP
        )
        self._own_page, self._proof = own_page, proof
        self._by_cookie = False
        self.set_auto_validation(False)
        self._receiver = receiver
        self._now = receiver.clock()

    @property
    def state(self) -> State:
        """What the login was bound to, once that was read."""
        return self._session_service.state

    def launch(self) -> Launch:
        try:
            self.validate()
        except LtiException as err:
            raise self._told(MessageRefused(str(err))) from err
        except LaunchRefused as refusal:
            self._told(refusal)
            raise
        return self._launch

    def _told(self, refusal: LaunchRefused) -> LaunchRefused:
        """The refusal, with its sender and the way back if the signature was good."""
        if self._jwt:
            presentation = self._claims.get(PRESENTATION)
            url = presentation.get("return_url") if isinstance(presentation, Mapping) else None
            back = url if isinstance(url, str) else ""  # a page leads to web addresses only
            refusal.sender = Sender(self._registration.ours.name, back)
        return refusal

    def validate(self) -> MessageLaunch[Values, Tool, Session, Cookies]:
        """PyLTI1p3's chain, but no claim is looked at before the signature; nothing is saved."""
        return (
            self.validate_state()
            .validate_jwt_format()
            .validate_registration()
            .validate_jwt_signature()
            .validate_nonce()
            .validate_deployment()
            .validate_message()
        )

    def get_client_id(self) -> str:
        return self._registration.ours.client_id  # PyLTI1p3 takes the first audience for it

    def _get_request_param(self, key: str) -> str:
        return self._request.get_param(key)

    def validate_state(self) -> _Arrival:
        checking("login")
        sealed = self._get_request_param("state")
        state = state13.unseal(sealed, self._receiver.state_key, self._now.timestamp())
        note(registration=state.registration)
        checking("browser")
        secret = self._cookie_service.get_cookie(state13.cookie_name(sealed)) or ""
        self._by_cookie = bool(secret)  # what the LMS's storage gave back is taken out of it
        if not secret and state.storage and self._own_page:
            secret = state13.secret_in(self._get_request_param(KEPT), sealed, state.nonce)
        if self._proof and not hmac.compare_digest(state13.digest(secret), state.browser):
            raise BrowserRefused("the browser does not hold the proof of this login")
        self._session_service.state = state
        return self

    def validate_jwt_format(self) -> _Arrival:
        checking("token")
        self._token = jwt.decode(self._get_id_token())
        return self

    def validate_registration(self) -> _Arrival:
        checking("registration")
        name = self._session_service.state.registration
        self._registration = Known(self._receiver.registrations.named(name))
        return self

    def validate_jwt_signature(self) -> _Arrival:
        receiver, ours = self._receiver, self._registration.ours
        checking("key-set")
        keys = receiver.keysets.keys(ours.jwks_url, jwt.key_id(self._token))
        checking("signature")
        claims = jwt.verify(self._token, keys)
        checking("issuer-and-client")
        jwt.check_audience(claims, ours.issuer, ours.client_id)
        note(proved=True, user=str(claims.get("sub", "")))
        checking("times")
        jwt.check_times(claims, self._now, receiver.leeway_s, receiver.max_age_s)
        # before anything is judged, so that what is empty is judged as absent everywhere
        self._jwt = {"body": cast(TLaunchData, present(claims))}
        return self

    def validate_nonce(self) -> _Arrival:
        checking("nonce")
        super().validate_nonce()
        return self

    def validate_deployment(self) -> _Arrival:
        checking("deployment")
        claimed = self._claims.get(DEPLOYMENT_ID)
        if not isinstance(claimed, str):
            raise MessageRefused("the deployment_id is missing or no text")
        listed = self._registration.ours.deployment_ids
        if listed is not None and claimed not in listed:
            raise UnknownDeployment(f"deployment {claimed!r:.255} is not registered")
        if self._session_service.state.deployment_id not in ("", claimed):
            raise MessageRefused("the deployment_id is not that of the login")
        return self

    def validate_message(self) -> _Arrival:
        checking("message")
        claims, ours = self._claims, self._registration.ours
        if claims.get(MESSAGE_TYPE) not in MESSAGES:
            raise MessageRefused(f"message_type {claims.get(MESSAGE_TYPE)!r:.60} is not supported")
        self._check_target(claims)
        launch = launch_from_claims(
            claims,
            registration=ours.name,
            lti="1.3",
            once=self._once(),
            received_at=self._now,
            address=str(claims.get(TARGET_LINK_URI, "")),
        )
        self._launch = self._receiver.formerly(launch, claims, ours)
        if "sub" not in claims:
            if not ours.allow_anonymous and claims[MESSAGE_TYPE] != DEEP_LINKING:
                raise AnonymousRefused("the launch has no sub")
            self._jwt = {"body": cast(TLaunchData, {**claims, "sub": "anonymous"})}
        if claims[MESSAGE_TYPE] == DEEP_LINKING:  # whom the LMS sends to choose needs no role
            self._jwt = {"body": cast(TLaunchData, {ROLES: [], **self._claims})}
        super().validate_message()
        return self

    @property
    def _claims(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._get_jwt_body())

    def _check_target(self, claims: Mapping[str, Any]) -> None:
        """The login took only an address of ours, and some LMSs name another one of ours here.

        Nothing is sent there: what a launch opens does not depend on it. Deep linking may have
        none.
        """
        target = claims.get(TARGET_LINK_URI)
        if target is None and claims[MESSAGE_TYPE] == DEEP_LINKING:
            return
        if not isinstance(target, str):
            raise MessageRefused("the target_link_uri is missing or no text")
        if state13.digest(target) == self._session_service.state.target:
            return
        if not self._receiver.logins.home(target):
            raise MessageRefused("the target_link_uri is not that of the login, and not ours")

    def _once(self) -> Once:
        """The nonce, remembered for as long as this token could be sent again."""
        claims, receiver = self._claims, self._receiver
        until = min(claims["exp"], claims["iat"] + receiver.max_age_s) + receiver.leeway_s
        return Once(
            scope=f"lti13:{self._registration.ours.name}",
            value=claims["nonce"],
            expires_at=datetime.fromtimestamp(until, UTC) + timedelta(seconds=1),
            browser=self.state.browser if self._by_cookie else "",
            at=self._now,
        )
