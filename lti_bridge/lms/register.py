"""Dynamic registration as a tool: an LMS opens our address, and both tell each other the rest.

Nothing is fetched without an invitation of ours: the address would otherwise make the bridge call
whatever anybody wants (T13DR-07). Only a registration uses it up; what was asked and answered is
kept for the admin, without tokens.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from lti_bridge.errors import (
    BadRequest,
    BridgeError,
    ConfigurationError,
    InvitationRefused,
    NetworkFailed,
    NetworkRefused,
    OpenedOutsideLms,
    RegistrationRefused,
)
from lti_bridge.lms import belonging
from lti_bridge.lms.config_documents import ToolFacts
from lti_bridge.lms.directory import Directory, read
from lti_bridge.lms.tool_registration import TOOL, tool_registration
from lti_bridge.lti import oidc
from lti_bridge.lti.claims import is_empty
from lti_bridge.net import Response

log = logging.getLogger("lti_bridge.register")

PURPOSE = "register"
MAX_BODY = 256 * 1024  # bytes
MAX_DEPTH = 20
MAX_TEXT = 2048  # characters of an address, an id or a token
ADDRESSES = {
    "authorization_endpoint": "authorization_url",
    "token_endpoint": "token_url",
    "jwks_uri": "jwks_url",
    "registration_endpoint": "",
}
# Canvas serves all its customers under one issuer, from hosts of its own.
SPEAKS_FOR = {
    "canvas.instructure.com": ("sso.canvaslms.com", ".instructure.com"),
    "canvas.beta.instructure.com": ("sso.beta.canvaslms.com", ".beta.instructure.com"),
    "canvas.test.instructure.com": ("sso.test.canvaslms.com", ".test.instructure.com"),
}
SECRETS = ("token", "secret", "password", "assertion")
NO_SECRETS = "token_endpoint_auth"  # …_method and others: how a client proves itself, in names


class Invited(Protocol):
    """An invitation that is tried: what the new registration is called, and if it is approved."""

    @property
    def name(self) -> str:
        """The name of the registration to be."""

    @property
    def approve(self) -> bool:
        """Whether it may launch at once."""


class Keeps(Protocol):
    """Where invitations and registrations are kept."""

    def use_invitation(self, token: str, purpose: str, now: datetime) -> Any:
        """Take an invitation for one try; None when it is not good (any more)."""

    def give_back(self, invitation: Any, reason: str, exchange: Sequence[Any]) -> None:
        """Keep why a try made no registration; the invitation is as good as before."""

    def add(
        self,
        invitation: Any,
        facts: Mapping[str, Any],
        exchange: Sequence[Any],
        now: datetime,
        *,
        active: bool,
    ) -> bool:
        """Keep a new registration; False when there is one like it."""


class Send(Protocol):
    """Sends one HTTP request, as the network client does."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        max_bytes: int | None = None,
    ) -> Response:
        """Return the answer; raises NetworkRefused, NetworkFailed or AnswerLost."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What the page says when it is done."""

    name: str
    issuer: str
    active: bool


@dataclass(frozen=True, slots=True)
class Registering:
    """Dynamic registration with everything it needs from the outside.

    `make_key` makes the key that signs for one registration and for no other.
    """

    keeps: Keeps
    directory: Directory
    send: Send
    tool: ToolFacts
    clock: Callable[[], datetime]
    make_key: Callable[[str], None]

    def register(self, parameters: Mapping[str, Sequence[str]]) -> Registered:
        """Register with the LMS that opened the address.

        Raises InvitationRefused before anything is called, OpenedOutsideLms or BadRequest when
        the address was not opened by an LMS, and RegistrationRefused for everything that the LMS
        answers wrongly. The invitation stays good for another try.
        """
        token = _only(parameters, "invitation")
        if not token:
            raise InvitationRefused("no invitation")
        configuration_url = _only(parameters, "openid_configuration")
        if not configuration_url:
            raise OpenedOutsideLms("no openid_configuration")
        if not self._is_ours_to_call(configuration_url):
            raise BadRequest("openid_configuration is no https address")
        bearer = _only(parameters, "registration_token")
        invitation = self.keeps.use_invitation(token, PURPOSE, self.clock())
        if invitation is None:
            raise InvitationRefused(
                "the invitation is unknown, used, expired or for something else"
            )
        talk = _Talk(self.send, bearer)
        try:
            facts = self._agree(talk, invitation, configuration_url)
        except (RegistrationRefused, NetworkFailed, NetworkRefused, ConfigurationError) as error:
            self.keeps.give_back(invitation, error.detail, talk.exchange)
            raise RegistrationRefused(error.detail) from error
        # What is not plainly the LMS's own is for an administrator to see first.
        odd = [one.problem for one in self._look(invitation.name, facts) if one.problem]
        active = invitation.approve and not odd
        if not self.keeps.add(invitation, facts, talk.exchange, self.clock(), active=active):
            raise RegistrationRefused(f"{invitation.name!r}: a registration like this is there")
        said = {"registration": invitation.name, "reason": "; ".join(odd)}
        log.info("registration.made", extra=said)
        return Registered(invitation.name, facts["issuer"], active)

    def _agree(self, talk: _Talk, invitation: Invited, url: str) -> dict[str, Any]:
        """Both requests; returns the facts of the new registration."""
        platform = talk.ask("GET", url)
        issuer = _text(platform, "issuer")
        _check_issuer(issuer, url)
        facts: dict[str, Any] = {"issuer": issuer}
        for theirs, ours in ADDRESSES.items():
            address = _text(platform, theirs)
            if not self._is_ours_to_call(address):
                raise RegistrationRefused(f"{theirs} is missing, or no https address")
            facts[ours] = address
        endpoint = facts.pop("")
        if isinstance(audience := platform.get("authorization_server"), str):
            facts["auth_audience"] = audience[:MAX_TEXT]
        facts["own_key"] = True
        self._check_taken(invitation.name, facts)
        if problem := self.directory.clash(invitation.name):
            raise RegistrationRefused(problem)
        self.make_key(invitation.name)
        own = replace(self.tool, jwks_url=f"{self.tool.jwks_url}/{invitation.name}")
        wanted = tool_registration(own, platform)
        answer = talk.ask("POST", endpoint, wanted)
        facts["client_id"] = _identifier(answer, "client_id")
        if not facts["client_id"]:
            raise RegistrationRefused("the answer holds no client_id")
        _check_granted(answer, wanted)
        facts["deployment_id"] = _identifier(_object(answer.get(TOOL)), "deployment_id")
        facts["granted_scope"] = answer["scope"] if isinstance(answer.get("scope"), str) else ""
        if problem := self.directory.clash(invitation.name, issuer, facts["client_id"]):
            raise RegistrationRefused(problem)
        return facts

    def _check_taken(self, name: str, facts: Mapping[str, Any]) -> None:
        """Refuse one that names another LMS's address, where that LMS's tokens are given."""
        one = read({"client_id": "", **facts, "name": name})
        if problem := belonging.taken(one, self.directory.all13()):
            raise RegistrationRefused(problem)

    def _look(self, name: str, facts: Mapping[str, Any]) -> list[belonging.Named]:
        return belonging.look(read({**facts, "name": name}), self.directory.all13())

    def _is_ours_to_call(self, url: str) -> bool:
        """Whether it is https; http only where we are reached by http ourselves, on loopback.

        Whether its host may be called is the network client's to say.
        """
        if len(url) > MAX_TEXT or not oidc.origin(url):
            return False
        return url.startswith("https://") or self.tool.public_url.startswith("http://")


class _Talk:
    """Requests to one LMS, and what is kept of them."""

    def __init__(self, send: Send, token: str) -> None:
        self._send = send
        self._token = token
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self.exchange: list[dict[str, Any]] = []

    def ask(self, method: str, url: str, value: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request; its answer's JSON object. Raises RegistrationRefused for anything else."""
        entry: dict[str, Any] = {"request": f"{method} {url.partition('?')[0]}", "sent": value}
        self.exchange.append(entry)
        headers = dict(self._headers)
        body = b""
        if value is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(value).encode()
        try:
            reply = self._send(method, url, headers=headers, body=body, max_bytes=MAX_BODY)
        except BridgeError as error:
            entry["failed"] = error.detail
            raise
        entry["status"] = reply.status
        # the media type says nothing: Moodle answers with text/html
        answer = _read(reply.body)
        entry["answered"] = self._kept(_plain(reply.body) if answer is None else answer)
        if reply.status not in (200, 201):
            raise RegistrationRefused(f"{entry['request']}: the LMS answered {reply.status}")
        if answer is None:
            raise RegistrationRefused(f"{entry['request']}: the answer is no JSON object")
        return answer

    def _kept(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """What is kept of an answer: everything but what would let somebody act for us."""
        if depth > MAX_DEPTH:
            return "(nested too deep)"
        if isinstance(value, dict):
            return {key: self._kept(part, key.lower(), depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self._kept(part, name, depth + 1) for part in value]
        if not isinstance(value, str):
            return value
        if oidc.origin(value):  # token_endpoint is an address, not a token
            return value.partition("?")[0]
        secret = any(word in name for word in SECRETS) and not name.startswith(NO_SECRETS)
        if secret or (self._token and self._token in value):
            return "(not kept)"
        return value


def _check_issuer(issuer: str, configuration_url: str) -> None:
    """The configuration has to come from the issuer's own host (T13DR-03)."""
    host = urlsplit(configuration_url).hostname or ""
    # an issuer is compared letter by letter in every launch, so it is kept as it was written
    issued_by = (urlsplit(issuer).hostname or "") if oidc.origin(issuer) else ""
    if issued_by and host == issued_by:
        return
    for other in SPEAKS_FOR.get(issued_by, ()):
        if host == other or (other.startswith(".") and host.endswith(other)):
            return
    raise RegistrationRefused(
        f"the configuration came from {host!r}, the issuer is {issuer!r:.200}"
    )


def _check_granted(answer: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse an answer that registers other addresses than those we asked for."""
    redirects = answer.get("redirect_uris")
    if is_empty(redirects):
        return
    if not isinstance(redirects, list) or not set(wanted["redirect_uris"]) <= set(
        map(str, redirects)
    ):
        raise RegistrationRefused("the answer's redirect_uris lack our launch address")


def _only(parameters: Mapping[str, Sequence[str]], name: str) -> str:
    given = parameters.get(name, ())
    if len(given) > 1 or any(len(one) > MAX_TEXT * 2 for one in given):
        raise BadRequest(f"{name} is repeated or too long")
    return given[0] if given else ""


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else ""


def _identifier(members: Mapping[str, Any], name: str) -> str:
    """An id, which some write as a number."""
    value = members.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    if len(value) > 255 or not value.isascii() or not value.isprintable():
        raise RegistrationRefused(f"{name} is not at most 255 ASCII characters")
    return value


def _plain(body: bytes) -> str:
    return "".join(one for one in body[:1000].decode("utf-8", "replace") if one.isprintable())
