"""Receiving an LTI 1.1 launch: the signature first, then what it says (LTI 1.1.1 §3, §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from lti_bridge.core.journal.hop import checking, note
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.tool.launches import digest
from lti_bridge.errors import (
    BridgeError,
    BrowserRefused,
    LaunchRefused,
    MessageRefused,
    Sender,
    SignatureRefused,
)
from lti_bridge.lms import explanations11
from lti_bridge.lms.reading import launch_from_claims
from lti_bridge.lms.registration11 import WINDOW_S, Registration11
from lti_bridge.lms.relaunch import Relaunching
from lti_bridge.lti import claims, content_items, explain_oauth1, oauth1

SKEW = timedelta(seconds=300)
# Verified against when the key is unknown, so that both answers take the same time.
NOBODY = Registration11("", "", "no-such-consumer", timestamp_window_s=WINDOW_S)
LAUNCH = "basic-lti-launch-request"
SELECTION = "ContentItemSelectionRequest"
MESSAGE_TYPES = (LAUNCH, SELECTION)
MAX_NONCE = 255  # characters; a key of the database has to hold it


@dataclass(frozen=True, slots=True)
class Relaunch:
    """A form that goes back to the LMS before there is a launch, and who may frame it."""

    form: Form
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lms11:
    """Receives LTI 1.1 launches. `registrations` are found by consumer key.

    `former` are launch addresses that links of LMSs may still name.
    """

    registrations: dict[str, Registration11]
    launch_url: str
    clock: Callable[[], datetime]
    relaunching: Relaunching
    former: tuple[str, ...] = ()

    def launch(
        self,
        fields: oauth1.Params,
        query: str,
        cookies: Mapping[str, str],
        browser: Callable[[], str] = str,
        hosts: Sequence[str] = (),
    ) -> Launch | Relaunch:
        """The launch of a signed form, or what has to go back to the LMS first (LTI 1.1.2).

        `browser` gives a secret that the browser alone holds, so that its second click is known;
        it is asked once the message is verified. `hosts` are names that the request was sent to,
        which explain a refusal and decide nothing.
        Raises SignatureRefused before anything is read from it; a refusal after that knows its
        sender and the way back.
        """
        checking("form")
        now = self.clock()
        url = f"{self.launch_url}?{query}" if query else self.launch_url
        try:
            return self._launch(fields, url, cookies, browser, now)
        except BridgeError as refusal:
            if not explain_oauth1.too_large(fields):  # it is kept until then
                arrived = explanations11.Arrived11(fields, url, int(now.timestamp()), hosts)
                refusal.explain = partial(
                    explanations11.explain,
                    arrived,
                    self.registrations,
                    self.former,
                    (type(refusal), refusal.detail),
                )
            raise

    def _launch(
        self,
        fields: oauth1.Params,
        url: str,
        cookies: Mapping[str, str],
        browser: Callable[[], str],
        now: datetime,
    ) -> Launch | Relaunch:
        signed = oauth1.read_form("POST", url, fields)
        registration = self.registrations.get(signed.consumer_key)
        known = registration or NOBODY
        note(registration=known.name)
        oauth1.verify(
            signed,
            known.shared_secret,
            method=known.method,
            now=int(now.timestamp()),
            window_s=known.timestamp_window_s,
            former=self.former,
            checking=checking,
        )
        checking("key")
        if registration is None:
            raise SignatureRefused("unknown consumer key")
        note(proved=True, user=dict(signed.params).get("user_id", ""))
        try:
            return self._verified(signed, registration, cookies, now, browser)
        except LaunchRefused as refusal:
            refusal.sender = Sender(registration.name, _return_url(signed.params))
            raise

    def frame_ancestors(self, registration: str) -> tuple[str, ...]:
        """The origins that may frame pages of this LMS's launches; empty when none is known."""
        for known in self.registrations.values():
            if known.name == registration:
                return known.origins
        return ()

    def _verified(
        self,
        signed: oauth1.SignedRequest,
        registration: Registration11,
        cookies: Mapping[str, str],
        now: datetime,
        browser: Callable[[], str],
    ) -> Launch | Relaunch:
        checking("parameters")
        parameters = _single(signed.params)
        if "tool_state" in parameters:
            # signed with its tool_state, which is good once whatever the nonce
            once = self.relaunching.finish(parameters, registration, cookies, now)
            return self._read(signed, parameters, registration, now, once)
        if "relaunch_url" in parameters:
            form = self.relaunching.begin(parameters, registration, now)
            return Relaunch(form, registration.origins)
        if registration.relaunch:
            raise BrowserRefused("this LMS has to relaunch (LTI 1.1.2), and did not offer it")
        # kept until nobody could send it again within the timestamp window
        window = timedelta(seconds=registration.timestamp_window_s)
        expires_at = datetime.fromtimestamp(signed.timestamp, now.tzinfo) + window + SKEW
        secret = browser()
        once = Once(
            scope=f"lti11:{registration.name}",
            value=signed.nonce,
            expires_at=expires_at,
            browser=digest(secret) if secret else "",
            message=digest(signed.signature),
            at=now,
        )
        return self._read(signed, parameters, registration, now, once)

    def _read(
        self,
        signed: oauth1.SignedRequest,
        parameters: Mapping[str, str],
        registration: Registration11,
        now: datetime,
        once: Once,
    ) -> Launch:
        checking("message")
        if parameters.get("lti_version") != "LTI-1p0":
            raise MessageRefused("lti_version is not LTI-1p0")
        message = parameters.get("lti_message_type")
        if message not in MESSAGE_TYPES:
            raise MessageRefused("lti_message_type is not supported")
        links = [value for name, value in signed.params if name == "resource_link_id"]
        if message == LAUNCH and (len(links) != 1 or not links[0].strip()):
            raise MessageRefused("resource_link_id is missing, empty or repeated")
        if message == SELECTION:
            content_items.check_request(parameters)
        if len(signed.nonce) > MAX_NONCE:
            raise MessageRefused("oauth_nonce is too long")
        found = claims.claims_from_parameters(parameters)
        if not parameters.get("context_id"):
            found.pop(claims.CONTEXT, None)  # optional in LTI 1.1, where LTI 1.3 refuses it
        return launch_from_claims(
            found,
            registration=registration.name,
            lti="1.1",
            once=once,
            received_at=now,
            said=parameters.get("roles", "").split(","),
            address=signed.url,
        )


def _return_url(pairs: Sequence[tuple[str, str]]) -> str:
    """The way back, as far as it is the only one; a page leads to web addresses only."""
    found = {value for name, value in pairs if name == "launch_presentation_return_url"}
    return next(iter(found)) if len(found) == 1 else ""


def _single(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; a name that came twice with two meanings is refused."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise MessageRefused(f"parameter {name[:40]!r} was sent more than once")
    return found
