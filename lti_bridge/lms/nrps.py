"""Who is in a course, as its LMS lists it (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from lti_bridge.core.launch import Person
from lti_bridge.core.rosters import Member
from lti_bridge.errors import DeliveryFailed, DeliveryRefused
from lti_bridge.lms.paging import pages
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags, roles
from lti_bridge.lti.claims import as_id

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
MAX_MEMBERS = 20_000
KEPT_FOR = timedelta(minutes=5)
MAX_KEPT = 100  # courses


_DEPARTED = frozenset({"inactive", "deleted"})
_UNFIT = re.compile("[\0\ud800-\udfff]")

_PERSON = {
    "id": "user_id",
    "given_name": "given_name",
    "family_name": "family_name",
    "middle_name": "middle_name",
    "full_name": "name",
    "email": "email",
    "username": "ext_user_username",
    "sourced_id": "lis_person_sourcedid",
    "image": "picture",
}


class Courses(Protocol):
    """Where the lists of members are, and what is kept of them."""

    def memberships_url(self, registration: str, deployment_id: str, context_id: str) -> str:
        """The address that the LMS last gave for this course's members; may be empty."""

    def note_members(
        self,
        registration: str,
        deployment_id: str,
        context_id: str,
        members: Iterable[Member],
        read_at: datetime,
    ) -> None:
        """Keep who of those with a grade here has left the course, as its LMS lists it."""


@dataclass(frozen=True, slots=True)
class Memberships:
    """The `core.rosters.Roster` of all LTI 1.3 registrations.

    Lists are kept in memory for five minutes, and one request at a time asks for a course's; the
    store keeps who has left. `role` (a URI) asks only for those who have it.
    """

    registrations: Mapping[str, Any]
    tokens: Tokens
    courses: Courses
    clock: Callable[[], datetime]
    role: str = ""
    _kept: OrderedDict[tuple[str, str, str], tuple[datetime, list[Member]]] = field(
        default_factory=OrderedDict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: dict[tuple[str, str, str], threading.Lock] = field(default_factory=dict)

    def members(
        self, registration: str, deployment_id: str, context_id: str
    ) -> list[Member] | None:
        """Everybody in a course; None when its LMS has offered no list.

        Raises DeliveryFailed (later, perhaps), DeliveryRefused or a network error.
        """
        known = self.registrations.get(registration)
        course = (registration, deployment_id, context_id)
        url = self.courses.memberships_url(*course)
        if not isinstance(known, Registration13) or not url:
            return None
        with self._lock:
            busy = self._busy.setdefault(course, threading.Lock())
        with busy:
            kept = self._kept.get(course)
            if kept and self.clock() < kept[0] + KEPT_FOR:
                return kept[1]
            began = self.clock()  # a launch while the list is read is later than the list
            found = self._fetch(known, deployment_id, url)
            self.courses.note_members(*course, found, began)
        with self._lock:
            self._kept[course] = self.clock(), found
            self._kept.move_to_end(course)
            while len(self._kept) > MAX_KEPT:
                self._busy.pop(self._kept.popitem(last=False)[0], None)
        return found

    def _fetch(self, registration: Registration13, deployment_id: str, url: str) -> list[Member]:
        call = partial(self.tokens.call, registration, frozenset({SCOPE}), deployment_id)
        address = ags.filtered(url, role=self.role) if self.role else url
        found: dict[str, Member] = {}
        for page in pages(call, address, MEDIA_TYPE, "members"):
            for member in read_members(page):
                # who is listed twice is active if one of the entries says so
                if member.active or member.person.id not in found:
                    found[member.person.id] = member
            if len(found) > MAX_MEMBERS:
                raise DeliveryRefused("members: the list has no end")
        return list(found.values())


def read_members(body: bytes) -> list[Member]:
    """The members of one page. Raises DeliveryFailed for what is no such page (NRPS 2.0 §2)."""
    try:
        container = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DeliveryFailed("the members are not JSON") from error
    members = container.get("members") if isinstance(container, dict) else None
    if not isinstance(members, list):
        raise DeliveryFailed("the members are not a list")
    return [member for entry in members if (member := _member(entry))]


def _member(entry: object) -> Member | None:
    if not isinstance(entry, dict):
        return None
    entry = {**entry, "user_id": as_id(entry.get("user_id"))}  # its text, as in a launch
    if not _text(entry["user_id"]):
        return None
    named = entry.get("roles")
    held = [role for role in named if isinstance(role, str)] if isinstance(named, list) else []
    person = Person(**{name: _text(entry.get(key)) for name, key in _PERSON.items()})
    # a missing status means Active (NRPS 2.0 §2.3), and an unknown one takes no grade from anybody
    active = str(entry.get("status")).lower() not in _DEPARTED
    return Member(person, roles.normalize(held), active)


def _text(value: object) -> str:
    """A text that databases and pages can hold, without NUL and half characters; else empty."""
    return value if isinstance(value, str) and not _UNFIT.search(value) else ""
