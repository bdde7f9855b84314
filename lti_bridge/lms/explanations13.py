"""What was wrong with a refused LTI 1.3 login or launch, for whoever runs the bridge."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from lti_bridge.errors import (
    BridgeError,
    BrowserRefused,
    Finding,
    LmsWaiting,
    NetworkFailed,
    SignatureRefused,
    UnknownDeployment,
    UnknownIssuer,
)
from lti_bridge.lms import state13
from lti_bridge.lms.explanations11 import Refusal, other
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lms.state13 import State
from lti_bridge.lms.tool_registration import MESSAGES
from lti_bridge.lti import claims, explain_jwt, jwt, oidc
from lti_bridge.lti.explain_jwt import finding, shown
from lti_bridge.lti.keysets import KeySets

Explain = Callable[[Refusal], Sequence[Finding]]

UNPROVED = "the browser does not hold the proof of this login"
_NEEDED = ("error", "state", "id_token")  # of a launch, to explain its refusal
_BEGUN = (  # of a login, likewise
    *("iss", "client_id", "lti_deployment_id", "login_hint", "target_link_uri"),
)
_NAMED = 5  # registrations and clients that are named
_AGAIN = "Open the link in the course again."
_STATE = (
    "Open the link in the course again, and not from a bookmark or the history. If it happens"
    " always: the LMS has to send back the state of the login as it is, to the launch address."
)
_COOKIE = (
    "The browser refuses cookies in the frame of the LMS, or the launch was opened in another one:"
    " let the link open in a new window, or allow cookies for this site."
)
_ERRORS = {
    "login_required": "The learner's session at the LMS is over, or its cookie is refused in the"
    " frame: log in again, or let the link open in a new window.",
    "unauthorized_client": "Configure the client_id that the LMS shows for this tool.",
    "invalid_request": "Compare the addresses that the LMS has for this tool with those of"
    " lti-bridge doctor, the redirect address first.",
    "access_denied": "The LMS refuses this learner: look at the link's and the tool's permissions.",
    "launch_no_longer_valid": _AGAIN,
}


class Explaining:
    """Lets an error that passes be explained later; `explain` keeps what that needs."""

    def __init__(self, explain: Callable[[], Explain]) -> None:
        self._explain = explain

    def __enter__(self) -> None:
        """Nothing is done before there is an error."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """The error goes on, and can be explained."""
        if isinstance(error, BridgeError):
            error.explain = partial(self._explain(), (type(error), error.detail))


@dataclass(frozen=True, slots=True)
class Explainer13:
    """What logins and launches are checked with, as `Lms13` has it; `homes` are our addresses."""

    registrations: Registrations
    keysets: KeySets
    state_key: bytes = field(repr=False)
    homes: Sequence[str]
    leeway_s: float
    max_age_s: float

    def login_of(self, sent: Mapping[str, Sequence[str]]) -> Explaining:
        """Within it, a login that is refused can be explained later."""
        return Explaining(
            lambda: partial(self.login, {name: sent[name][0] for name in _BEGUN if sent.get(name)})
        )

    def launch_of(
        self, sent: Mapping[str, Sequence[str]], cookies: Mapping[str, str], now: datetime
    ) -> Explaining:
        """Within it, a launch that is refused can be explained later, as of now."""

        def explain() -> Explain:
            most = jwt.MAX_TOKEN + 1  # of a longer one it is enough to know that it is longer
            kept = {name: sent[name][0][:most] for name in _NEEDED if sent.get(name)}
            own = {one: cookies[one] for one in cookies if one.startswith(state13.COOKIE_PREFIX)}
            return partial(self.launch, kept, own, now)

        return Explaining(explain)

    def login(self, values: Mapping[str, str], refusal: Refusal) -> list[Finding]:
        """The findings for a login that was refused like this."""
        found = [*self._lms(values), *_hints(values), self._target(values.get("target_link_uri"))]
        return _reasons_first(found, refusal)

    def launch(
        self,
        values: Mapping[str, str],
        cookies: Mapping[str, str],
        now: datetime,
        refusal: Refusal,
    ) -> list[Finding]:
        """The findings for a launch that was refused like this at that time."""
        if "error" in values:
            remedy = _ERRORS.get(values["error"], "The LMS's log has the reason.")
            return [Finding("answer of the LMS", "an id_token", shown(values["error"]), remedy)]
        sealed, text = values.get("state", ""), values.get("id_token", "")
        state, checked = self._state(sealed, now)
        found = [checked]
        if state is not None:
            found.append(_browser(state, sealed, cookies, refusal))
        registration = self._registration(state, text)
        if registration is None:
            gone = state is not None
            named = state.registration if state else ""
            remedy = "The LMS was retired or renamed after this login began. " + _AGAIN
            found += [Finding("registration", f"{named!r:.60}", "gone", remedy)] if gone else []
        else:
            found += self._token(registration, state, text, refusal, now)
        return _reasons_first(found, refusal)

    def _state(self, sealed: str, now: datetime) -> tuple[State | None, Finding]:
        configured = f"one of a login that began here at most {state13.LIFE_S} s ago"
        if not sealed:
            return None, Finding("state", configured, "none", _STATE)
        try:
            state = state13.unseal(sealed, self.state_key, now.timestamp())
        except BrowserRefused as refusal:
            return None, Finding("state", configured, f"{refusal.detail:.100}", _STATE)
        return state, finding("state", configured, "such a one", _STATE, fits=True)

    def _registration(self, state: State | None, text: str) -> Registration13 | None:
        """That of the login; without its state, the one that the token names, unproved."""
        try:
            if state is not None:
                return self.registrations.named(state.registration)
            said = jwt.decode(text).claims
            issuer, audience = said.get("iss"), said.get("aud")
            if not isinstance(issuer, str) or not isinstance(audience, str):
                return None
            return self.registrations.find(issuer, audience, str(said.get(claims.DEPLOYMENT_ID)))
        except (BrowserRefused, SignatureRefused, UnknownIssuer, UnknownDeployment):
            return None

    def _token(
        self,
        ours: Registration13,
        state: State | None,
        text: str,
        refusal: Refusal,
        now: datetime,
    ) -> Iterator[Finding]:
        everybody = self.registrations.all13()
        keys = self.keysets.kept(ours.jwks_url)
        where = ours.jwks_url if ours.jwks_url.startswith("http") else "public_keys"
        if not keys:
            failed = issubclass(refusal[0], NetworkFailed)
            came = refusal[1] if failed else "not read here yet: its keys were not asked for"
            remedy = "lti-bridge doctor says why jwks_url cannot be read, and what is wrong there."
            yield finding("key set", f"{where:.160}", f"{came:.200}", remedy, fits=not failed)
        expected = explain_jwt.Expected(
            whose=f"LMS {ours.name!r}",
            issuer=ours.issuer,
            client_id=ours.client_id,
            keys=keys,
            key_source=where,
            clients={one.client_id: f"LMS {one.name!r}" for one in everybody if one != ours},
            issuers={one.issuer: f"LMS {one.name!r}" for one in everybody},
            leeway_s=self.leeway_s,
            max_age_s=self.max_age_s,
        )
        checked = explain_jwt.findings(text, expected, now)
        yield from (one for one in checked if keys or one.check not in ("key id", "signature"))
        try:
            said = claims.present(jwt.decode(text).claims)
        except SignatureRefused:
            return
        if state is not None:
            yield _nonce(said, state)
        yield from _deployment(said, state, ours)
        yield from self._message(said)

    def _message(self, said: Mapping[str, Any]) -> Iterator[Finding]:
        kind, version = said.get(claims.MESSAGE_TYPE), said.get(claims.VERSION)
        remedy = "Place the tool in the LMS where it opens a link, chooses content or reviews work."
        yield finding(
            "message_type", " or ".join(MESSAGES), shown(kind), remedy, fits=kind in MESSAGES
        )
        remedy = "Let the LMS send LTI 1.3.0 messages; update it."
        yield finding("version", "1.3.0", shown(version), remedy, fits=version == "1.3.0")
        if claims.TARGET_LINK_URI in said:
            yield self._target(said[claims.TARGET_LINK_URI])

    def _target(self, came: object) -> Finding:
        own = next(iter(self.homes), "")
        told = came.partition("?")[0] if isinstance(came, str) else came
        fits = isinstance(came, str) and any(oidc.same_origin(came, home) for home in self.homes)
        remedy = (
            "Write the launch address of lti-bridge doctor into the link in the LMS; an address"
            " that shall go on working belongs into former_urls."
        )
        return finding("target_link_uri", f"an address at {own}", shown(told), remedy, fits=fits)

    def _lms(self, values: Mapping[str, str]) -> Iterator[Finding]:
        issuer, client = values.get("iss", ""), values.get("client_id", "")
        deployment = values.get("lti_deployment_id", "")
        known = {one.issuer: f"LMS {one.name!r}" for one in self.registrations.all13()}
        found = None
        with suppress(UnknownIssuer, UnknownDeployment):
            try:
                found = self.registrations.find(issuer, client, deployment)
            except LmsWaiting as waits:
                remedy = f"lti-bridge registrations approve {waits.name}"
                came = f"{waits.name!r} waits for approval"
                yield Finding("registration", "approved", came, remedy)
                return
        if found is None and (retired := self.registrations.retired(issuer, client)):
            remedy = "An LMS that was retired registers anew, by a new invitation."
            yield Finding("registration", "one that is trusted", f"{retired!r} was retired", remedy)
        if issuer not in known:
            yield explain_jwt.issuer_finding(issuer or None, "", known)
            return
        yield explain_jwt.issuer_finding(issuer, issuer, known)
        of_issuer = [one for one in self.registrations.all13() if one.issuer == issuer]
        same = [one for one in of_issuer if client in ("", one.client_id)]
        clients = ", ".join(dict.fromkeys(f"{one.client_id!r:.60}" for one in of_issuer[:_NAMED]))
        remedy = "Configure the client_id that the LMS shows for this tool, or correct it there."
        if not client:
            remedy = "This issuer has several clients: let the LMS send client_id in its logins."
        fits = found is not None or (bool(client) and bool(same))
        yield finding("client_id", clients, shown(client or None), remedy, fits=fits)
        if fits and found is None:
            ids = [f"{sorted(one.deployment_ids or ())} ({one.name})" for one in same[:_NAMED]]
            remedy = "Several LMSs have this issuer and client_id, and the deployment tells them"
            remedy += " apart: let the LMS send lti_deployment_id, and list it at one of them."
            came = shown(deployment or None)
            yield Finding("deployment of the login", f"{', '.join(ids):.200}", came, remedy)


def _reasons_first(found: list[Finding], refusal: Refusal) -> list[Finding]:
    if all(one.fits for one in found):
        found = [other(refusal), *found]
    return sorted(found, key=lambda one: one.fits)


def _hints(values: Mapping[str, str]) -> Iterator[Finding]:
    """What of a login must be there, and is about nobody's registration."""
    hint = values.get("login_hint", "")
    remedy = "Let the LMS begin launches as LTI 1.3 does, with a login_hint; update it."
    came = f"{len(hint)} characters" if hint else "none"
    yield finding("login_hint", "one", came, remedy, fits=bool(hint))


def _browser(state: State, sealed: str, cookies: Mapping[str, str], refusal: Refusal) -> Finding:
    name = state13.cookie_name(sealed)
    secret = cookies.get(name, "")
    others = sum(one.startswith(state13.COOKIE_PREFIX) for one in cookies) - (name in cookies)
    same = hmac.compare_digest(state13.digest(secret), state.browser)
    fits = same or refusal[1] != UNPROVED
    came = f"no cookie of this login, {others} of other logins" if not secret else "another value"
    came = "it" if same else came
    return finding("browser", "the cookie of this login", came, _COOKIE, fits=fits)


def _nonce(said: Mapping[str, Any], state: State) -> Finding:
    came = said.get("nonce")
    fits = isinstance(came, str) and came == state.nonce
    word = "that of this login" if fits else "none" if came is None else "another one"
    remedy = "The LMS answers another login than this one, or twice with one token. " + _AGAIN
    return finding("nonce", "that of this login", word, remedy, fits=fits)


def _deployment(
    said: Mapping[str, Any], state: State | None, ours: Registration13
) -> Iterator[Finding]:
    came, allowed = said.get(claims.DEPLOYMENT_ID), ours.deployment_ids
    known = sorted(allowed or ())
    configured = ", ".join(f"{one!r:.60}" for one in known[:6]) if allowed is not None else "any"
    configured += f" and {len(known) - 6} more" if len(known) > 6 else ""
    fits = isinstance(came, str) and (allowed is None or came in allowed)
    remedy = f"Add it to the deployment_ids of LMS {ours.name!r}, if it is one of its own."
    if not isinstance(came, str):
        remedy = "Let the LMS send the deployment_id of the tool's placement, as text."
    yield finding("deployment", configured, shown(came), remedy, fits=fits)
    begun = state.deployment_id if state else ""
    if begun and begun != came:
        remedy = "The LMS begins a login for one deployment and answers it for another: update it."
        yield Finding("deployment of the login", f"{begun!r:.60}", shown(came), remedy)
