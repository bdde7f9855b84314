"""Who is in a course, as its LMS lists it (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from lti_bridge.core.course.rosters import Member
from lti_bridge.core.launch.message import Person
from lti_bridge.errors import DeliveryFailed, DeliveryRefused
from lti_bridge.lms.paging import pages
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags, roles
from lti_bridge.lti.claims import as_id

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
# Of one list. Canvas gives 50 members a page whatever it is asked for, so that the number of pages
# says little; what they hold, and how long they take, is bounded.
MAX_MEMBERS = 120_000
MAX_BYTES = 64_000_000
MAX_PAGES = 2000
MAX_TIME = timedelta(minutes=2)
# Of one list in memory: of a longer one nothing is kept but who has left.
MAX_SHOWN = 20_000
# Of all lists in memory. A member takes 2 kB there at most, as the test of it measures.
KEPT_FOR = timedelta(minutes=5)
MAX_KEPT = 100  # courses
MAX_KEPT_MEMBERS = 20_000
MAX_ROLES = 20  # of one member
MAX_TEXT = 500  # characters of a name or an address; what is longer is left out


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
        active: Mapping[str, bool],
        read_at: datetime,
    ) -> None:
        """Keep who of those with a grade here has left the course, by user id, as its LMS says."""


@dataclass(slots=True)
class _Turn:
    """Whose turn it is to ask for the list of one course, and how many want it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a list says: everybody, None for too many, and whether each is active by user id."""

    members: list[Member] | None
    active: dict[str, bool] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.members or ())


class _Kept:
    """Lists in memory: each for so long, and of so many courses and members.

    Names of people must not stay because nobody comes any more, so a timer of its own drops them.
    """

    def __init__(self, kept_for: timedelta) -> None:
        self._for = kept_for
        # with the time by the caller's clock, and by this machine's
        self._lists: OrderedDict[tuple[str, str, str], tuple[datetime, float, _Listed]] = (
            OrderedDict()
        )
        self._members = 0
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def get(self, course: tuple[str, str, str], now: datetime) -> _Listed | None:
        """The list of a course, unless it is too old."""
        with self._lock:
            kept = self._lists.get(course)
        return kept[2] if kept and now < kept[0] + self._for else None

    def put(self, course: tuple[str, str, str], found: _Listed, now: datetime) -> None:
        """Keep a list; others go for it, the oldest first."""
        with self._lock:
            self._drop(course)
            self._lists[course] = now, time.monotonic(), found
            self._members += len(found)
            while len(self._lists) > MAX_KEPT or self._members > MAX_KEPT_MEMBERS:
                self._drop(next(iter(self._lists)))
            if self._timer is None:
                self._wait()

    def size(self) -> tuple[int, int]:
        """How many courses and members there are."""
        with self._lock:
            return len(self._lists), self._members

    def _wait(self) -> None:
        """Come back when the oldest list is too old; there is one timer, whatever there is."""
        self._timer = None
        if self._lists:
            oldest = next(iter(self._lists.values()))[1]
            left = oldest + self._for.total_seconds() - time.monotonic()
            self._timer = threading.Timer(max(left, 0), self._clear)
            self._timer.daemon = True
            self._timer.start()

    def _clear(self) -> None:
        with self._lock:
            before = time.monotonic() - self._for.total_seconds()
            for course in [one for one, kept in self._lists.items() if kept[1] <= before]:
                self._drop(course)
            self._wait()

    def _drop(self, course: tuple[str, str, str]) -> None:
        kept = self._lists.pop(course, None)
        self._members -= len(kept[2]) if kept else 0


@dataclass(frozen=True, slots=True)
class Memberships:
    """The `core.rosters.Roster` of all LTI 1.3 registrations.

    Lists are kept in memory for five minutes, no longer and not too many of them, and one request
    at a time asks for a course's; the store keeps who has left. `role` (a URI) asks only for those
    who have it.
    """

    registrations: Mapping[str, Any]
    tokens: Tokens
    courses: Courses
    clock: Callable[[], datetime]
    role: str = ""
    _kept: _Kept = field(default_factory=lambda: _Kept(KEPT_FOR))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: dict[tuple[str, str, str], _Turn] = field(default_factory=dict)

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
        with self._turn(course):
            kept = self._kept.get(course, self.clock())
            if kept is None:
                began = self.clock()  # a launch while the list is read is later than the list
                kept = self._fetch(known, deployment_id, url)
                self.courses.note_members(*course, kept.active, began)
                kept.active.clear()
                self._kept.put(course, kept, self.clock())
        if kept.members is None:
            raise DeliveryRefused(f"members: more than {MAX_SHOWN} are too many to be shown")
        return kept.members

    @contextmanager
    def _turn(self, course: tuple[str, str, str]) -> Iterator[None]:
        """One at a time for a course; nothing is left of it when nobody waits."""
        with self._lock:
            turn = self._busy.setdefault(course, _Turn())
            turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.waiting -= 1
                if not turn.waiting:
                    self._busy.pop(course, None)

    def _fetch(self, registration: Registration13, deployment_id: str, url: str) -> _Listed:
        call = partial(self.tokens.call, registration, frozenset({SCOPE}), deployment_id)
        address = ags.filtered(url, role=self.role) if self.role else url
        found: dict[str, Member] = {}
        active: dict[str, bool] = {}
        size, until = 0, self.clock() + MAX_TIME
        for page in pages(call, address, MEDIA_TYPE, "members", limit=MAX_PAGES):
            for member in read_members(page):
                # who is listed twice is active if one of the entries says so
                if member.active or member.person.id not in active:
                    active[member.person.id] = member.active
                    if len(active) <= MAX_SHOWN:
                        found[member.person.id] = member
            if len(active) > MAX_SHOWN:
                found.clear()  # of people whom nobody will be shown
            size += len(page)
            if len(active) > MAX_MEMBERS or size > MAX_BYTES:
                raise DeliveryRefused("members: the list has no end")
            if self.clock() > until:
                raise DeliveryFailed("members: the list takes too long")
        return _Listed(list(found.values()) if len(active) <= MAX_SHOWN else None, active)


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
    held = [role for role in named if _text(role)] if isinstance(named, list) else []
    person = Person(**{name: _text(entry.get(key)) for name, key in _PERSON.items()})
    # a missing status means Active (NRPS 2.0 §2.3), and an unknown one takes no grade from anybody
    active = str(entry.get("status")).lower() not in _DEPARTED
    return Member(person, roles.normalize(held[:MAX_ROLES]), active)


def _text(value: object) -> str:
    """A text that databases and pages can hold, without NUL and half characters; else empty."""
    fit = isinstance(value, str) and len(value) <= MAX_TEXT and not _UNFIT.search(value)
    return value if fit and isinstance(value, str) else ""
