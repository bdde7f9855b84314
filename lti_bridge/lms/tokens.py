"""Access tokens for an LMS's services: asked for with a signed assertion, kept while they last."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from lti_bridge.errors import BridgeError, DeliveryFailed, DeliveryRefused
from lti_bridge.lms import answers, belonging
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti import jwt
from lti_bridge.lti.claims import DEPLOYMENT_ID
from lti_bridge.lti.keys import SigningKey
from lti_bridge.net import Response, Send

SKEW = timedelta(seconds=60)
ASSERTION_LIFE_S = 300

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# What an admin of the LMS has to put right; everything else may pass by itself.
_REFUSED_FOR_GOOD = frozenset({"invalid_scope", "unauthorized_client", "unsupported_grant_type"})


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    granted: frozenset[str] = frozenset()
    usable_until: datetime | None = None
    failures: int = 0
    failure: BridgeError = field(default_factory=DeliveryFailed)  # the newest


class Tokens:
    """Tokens per registration, deployment and set of scopes, shared by the threads of a process.

    `signing_key` returns the key to sign with for an LMS now; `random` returns that many random
    bytes; `others` are all LMSs that are trusted now.
    """

    def __init__(
        self,
        send: Send,
        signing_key: Callable[[Registration13], SigningKey],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        others: Callable[[], Iterable[Registration13]] = tuple,
    ) -> None:
        self._others = others
        self._send = send
        self._signing_key = signing_key
        self._clock = clock
        self._random = random
        self._entries: dict[tuple[str, str, frozenset[str]], _Entry] = {}

    def get(
        self, registration: Registration13, scopes: frozenset[str], deployment_id: str = ""
    ) -> str:
        """Return a token that was granted these scopes; one request at a time asks for it.

        Raises DeliveryRefused when the LMS does not grant a scope, DeliveryFailed when it
        answers with another error, and the errors of `send`. Those who waited for the answer
        share it, also one that never came: in a line of hundreds before an endpoint that hangs,
        each would else wait for one time limit more than the one before.
        """
        name = (registration.name, deployment_id, scopes)
        entry = self._entries.get(name) or self._entries.setdefault(name, _Entry())
        failures = entry.failures
        with entry.lock:
            if entry.usable_until is None or self._clock() >= entry.usable_until:
                if entry.failures > failures:  # while this one waited
                    raise copy(entry.failure)
                self._renew(entry, registration, scopes, deployment_id)
            missing = scopes - entry.granted
            if missing:
                raise DeliveryRefused(f"the LMS did not grant {' '.join(sorted(missing))}")
            return entry.token

    def _renew(
        self,
        entry: _Entry,
        registration: Registration13,
        scopes: frozenset[str],
        deployment_id: str,
    ) -> None:
        now = self._clock()
        try:
            answer = self._ask(registration, scopes, deployment_id, now)
            entry.token, entry.granted, life = _read(answer, scopes)
        except BridgeError as error:
            entry.failure, entry.failures = error, entry.failures + 1
            raise
        entry.usable_until = now + life - SKEW

    def forget(
        self,
        registration: Registration13,
        scopes: frozenset[str],
        deployment_id: str = "",
        *,
        token: str,
    ) -> None:
        """Drop a token that a service answered with 401, so that the next `get` asks anew.

        One that another thread has renewed meanwhile stays.
        """
        entry = self._entries.get((registration.name, deployment_id, scopes))
        if entry is not None:
            with entry.lock:
                if hmac.compare_digest(entry.token.encode(), token.encode()):
                    entry.token, entry.usable_until = "", None

    def call(
        self,
        registration: Registration13,
        scopes: frozenset[str],
        deployment_id: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Response:
        """Send a request with a token; a refused token is renewed once (RFC 6750 §3).

        Raises what `get` and `send` raise, and DeliveryRefused before anything is sent when the
        address is not this LMS's: whoever is named in a launch never gets another one's token.
        """
        if not belonging.may_receive(registration, url, self._others):
            raise _not_its_own(registration, "services", url)
        for last_try in (False, True):
            token = self.get(registration, scopes, deployment_id)
            sent = {**headers, "Authorization": f"Bearer {token}"}
            reply = self._send(method, url, headers=sent, body=body)
            if not _is_stale(reply) or last_try:
                break
            self.forget(registration, scopes, deployment_id, token=token)
        return reply

    def _ask(
        self,
        registration: Registration13,
        scopes: frozenset[str],
        deployment_id: str,
        now: datetime,
    ) -> Response:
        if not belonging.belongs(registration, registration.token_url):
            raise _not_its_own(registration, "token", registration.token_url)
        if not belonging.may_be_meant(registration):
            raise _not_its_own(registration, "audience", belonging.audience(registration))
        claims: dict[str, object] = {
            "iss": registration.client_id,
            "sub": registration.client_id,
            "aud": belonging.audience(registration),
            **jwt.times(now, ASSERTION_LIFE_S),
            "jti": self._random(16).hex(),
        }
        if deployment_id:
            claims[DEPLOYMENT_ID] = deployment_id
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": jwt.sign(claims, self._signing_key(registration)),
            "scope": " ".join(sorted(scopes)),
        }
        return self._send(
            "POST",
            registration.token_url,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            body=urlencode(form).encode("ascii"),
        )


def _is_stale(reply: Response) -> bool:
    """Whether a service no longer knows the token: 401, or what Sakai says after a restart.

    It signs its tokens with a key that it makes anew then, unless its properties have one
    (sakaiproject/sakai, LTI13Servlet.java: 403 with `signature_error`).
    """
    return reply.status == 401 or (reply.status == 403 and b"signature_error" in reply.body[:200])


def _not_its_own(registration: Registration13, what: str, address: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"{what}: {belonging.host(address)!r:.260} is no host of {registration.name!r}, and gets"
        " no token of it; an administrator can say that it is (service_hosts)"
    )


def _read(answer: Response, asked: frozenset[str]) -> tuple[str, frozenset[str], timedelta]:
    """Return token, granted scopes and life; the answer's content type says nothing (Moodle)."""
    members = _members(answer.body)
    token, kind = members.get("access_token"), members.get("token_type")
    if not 200 <= answer.status < 300 or token is None:
        raise _refusal(answer, members.get("error"))
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise DeliveryFailed("no token: the answer's access_token cannot be sent")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise DeliveryFailed(f"no token: token_type is {kind!r:.40}")
    scope = members.get("scope")
    granted = frozenset(scope.split()) if isinstance(scope, str) else asked
    return token, granted, timedelta(seconds=_seconds(members.get("expires_in")))


def _refusal(answer: Response, error: object) -> DeliveryFailed | DeliveryRefused:
    for_good = (
        isinstance(error, str)
        and error in _REFUSED_FOR_GOOD
        and not answer.too_many
        and answer.status < 500
    )
    said = f"no token: {answers.read(answer).said}"
    return DeliveryRefused(said) if for_good else answers.failure(answer, said)


def _members(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(value: object) -> int:
    """Return `expires_in`, which some write as text; 0, so not to be kept, when it is unusable."""
    try:
        return min(max(int(str(value)), 0), 86400)
    except ValueError:
        return 0
