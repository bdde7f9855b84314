"""Notices that an LMS sends by itself (Platform Notification Service 1.0): each stands for itself.

Anybody can post to the address. What counts is signed with the LMS's own keys, for us, for a
deployment that is known, fresh, and counts once. A course copy that was told is remembered like
the history that other LMSs tell at launches: as where a course comes from, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from lti_bridge.core.launch.message import Once
from lti_bridge.core.records import Course
from lti_bridge.core.store import Store
from lti_bridge.errors import (
    BridgeError,
    NotFound,
    NoticeRefused,
    OpenedAlready,
    UnknownDeployment,
)
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti import jwt, notices
from lti_bridge.lti.claims import CONTEXT, DEPLOYMENT_ID, VERSION, present
from lti_bridge.lti.keysets import KeySets

log = logging.getLogger("lti_bridge.notices")

LTI_VERSION = "1.3.0"
MAX_AGE_S = 3600.0  # from being issued to coming here; Canvas lets them live for an hour
MAX_ID = notices.MAX_ID


@dataclass(frozen=True, slots=True)
class Refused:
    """One notice of a delivery, by its place from 0 on, that changed nothing, and why."""

    place: int
    error: BridgeError


@dataclass(frozen=True, slots=True)
class Notices:
    """Takes notices of all LTI 1.3 registrations. `registration` finds one by its name."""

    registration: Callable[[str], Registration11 | Registration13 | None]
    keysets: KeySets
    store: Store
    clock: Callable[[], datetime]
    leeway_s: float = 60

    def receive(self, name: str, body: bytes) -> list[Refused]:
        """Act on the notices of one delivery to this registration; returns those refused.

        Raises NotFound for an LMS that is not registered, and NoticeRefused for a body that holds
        no notices, or more of them than the LMS was told it may send.
        """
        ours = self.registration(name)
        if not isinstance(ours, Registration13):
            raise NotFound(f"no LMS {name[:80]!r} sends notices")
        refused = []
        for place, token in enumerate(notices.tokens_in(body)):
            try:
                self._take(ours, token)
            except BridgeError as error:
                refused.append(Refused(place, error))
        return refused

    def _take(self, ours: Registration13, token: str) -> None:
        claims, now = self._verified(ours, token), self.clock()
        kind = notices.notice_type(claims)
        once = self._once(ours, claims, now)
        copies = _copies(ours, claims) if kind == notices.CONTEXT_COPY else None
        with self.store.transaction() as tx:
            if not tx.use_once(once):
                raise OpenedAlready("the notice was taken before")
            if copies is not None:
                tx.note_copy(*copies, now)
        count = len(copies[1]) if copies else 0
        log.info("notice.taken", extra={"registration": ours.name, "kind": kind, "count": count})

    def _verified(self, ours: Registration13, token: str) -> Mapping[str, Any]:
        """The claims of a notice from this LMS for us. Raises SignatureRefused and others."""
        unverified = jwt.decode(token)
        keys = self.keysets.keys(ours.jwks_url, jwt.key_id(unverified))
        verified = jwt.verify(unverified, keys)
        jwt.check_audience(verified, ours.issuer, ours.client_id)
        jwt.check_times(verified, self.clock(), self.leeway_s, MAX_AGE_S)
        claims = present(verified)
        if claims.get(VERSION) != LTI_VERSION:
            raise NoticeRefused(f"the notice's version is not {LTI_VERSION}")
        deployment = claims.get(DEPLOYMENT_ID)
        if not _is_id(deployment):
            raise NoticeRefused("the notice has no deployment_id")
        if ours.deployment_ids is not None and deployment not in ours.deployment_ids:
            raise UnknownDeployment(f"deployment {deployment!r:.255} is not registered")
        return claims

    def _once(self, ours: Registration13, claims: Mapping[str, Any], now: datetime) -> Once:
        """The nonce, remembered for as long as this notice could be sent again."""
        if not _is_id(claims.get("nonce")):
            raise NoticeRefused("the notice has no nonce")
        until = min(claims["exp"], claims["iat"] + MAX_AGE_S) + self.leeway_s
        expires = datetime.fromtimestamp(until, UTC) + timedelta(seconds=1)
        return Once(f"notice:{ours.name}", claims["nonce"], expires, at=now)


def _copies(ours: Registration13, claims: Mapping[str, Any]) -> tuple[Course, list[str]]:
    """The new course, and the context ids of those that it was copied from."""
    context = claims.get(CONTEXT)
    course_id = context.get("id") if isinstance(context, Mapping) else None
    if not _is_id(course_id):
        raise NoticeRefused("the notice names no context")
    course = Course(ours.name, cast(str, claims[DEPLOYMENT_ID]), cast(str, course_id))
    return course, [one for one in notices.origins(claims) if one != course.context_id]


def _is_id(value: object) -> bool:
    fit = isinstance(value, str) and value.isascii() and "\0" not in value
    return fit and 0 < len(cast(str, value)) <= MAX_ID
