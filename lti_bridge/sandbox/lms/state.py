"""Everything the pretend LMS remembers, in memory, behind one lock."""

import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from lti_bridge.sandbox.lms.course import (
    USERS,
    LinkSpec,
    LmsSettings,
    User,
    crowd_member,
    find_user,
)
from lti_bridge.sandbox.lms.families import FAMILIES

_STORED_DIGITS = Decimal("0.00001")  # a gradebook keeps five decimals


@dataclass
class Item:
    """One gradebook column; `link_id` is None for a column that the tool made."""

    id: str
    label: str
    maximum: Decimal
    link_id: str | None = None
    resource_id: str = ""
    tag: str = ""
    grades: dict[str, "Grade"] = field(default_factory=dict)
    by_tool: bool = False
    attempts: int = 0  # how often work may be handed in; 0: as often as one likes


@dataclass(frozen=True)
class Grade:
    """One cell: points of the item's maximum that it shows, or None; `stamp` in seconds.

    `pending`: the test was handed in, and its marks are yet to come. `told` is what the tool said
    last, `by_hand` that a teacher's word stands there; `attempts` and `submitted` (in seconds) are
    how often, and when last, work was handed in, in a family that counts it.
    """

    points: Decimal | None
    comment: str
    stamp: float
    changed: str
    pending: bool = False
    told: Decimal | None = None
    by_hand: bool = False
    attempts: int = 0
    submitted: float = 0.0


@dataclass(frozen=True)
class Hint:
    """A started 1.3 login: which link for which user, shown where."""

    link_id: str
    user_id: str
    target: str
    data: str = ""  # set when links are asked for: what the answer has to bring back
    storage: str = ""  # where data is kept for the tool meanwhile


@dataclass(frozen=True)
class Asked:
    """A request for links that was not answered yet: by whom, and which version of LTI."""

    user_id: str
    lti: str
    multiple: bool


class State:
    """Gradebook, one-time values, tokens, log and the test controls of one LMS."""

    def __init__(self, links: tuple[LinkSpec, ...]) -> None:
        self.lock = threading.RLock()
        self.items = {
            str(n): Item(str(n), link.title, Decimal(100), link_id=link.id)
            for n, link in enumerate(links, start=1)
            if link.grades not in ("container", "none")
        }
        self.log: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self.tamper: dict[str, Any] = {}
        self.statuses: dict[str, str] = {}  # of members by id, if not Active; empty: not said
        self.tutors: set[str] = set()  # ids of students who help with the course
        self.placed: list[LinkSpec] = []
        self.gone: set[str] = set()  # links that were deleted
        self.orphaned: set[str] = set()  # line items that were deleted with their activities
        self.locked: set[tuple[str, str]] = set()  # item and user; "" for all of a column
        self.concluded = False  # the course is over
        self.history: list[str] = []  # ids of the courses that this one was copied from
        self.slow_history = False
        self.histories: dict[
            str, list[str]
        ] = {}  # the same, of courses that links were copied into
        self.handlers: dict[str, dict[str, Any]] = {}  # of notices, by type
        self.lacks: frozenset[str] = frozenset()  # of course.SERVICES: what nobody switched on
        self._asked: dict[str, Asked] = {}
        self._next_item = len(links) + 1
        self._used: set[tuple[str, ...]] = set()
        self._hints: dict[str, Hint] = {}
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}

    def once(self, *value: str) -> bool:
        """True the first time a value is shown, False ever after."""
        with self.lock:
            fresh = value not in self._used
            self._used.add(value)
            return fresh

    def add_hint(self, hint: Hint) -> str:
        """Keep a started login and return its key."""
        key = f"ltilaunch_{secrets.randbelow(10**12)}"
        with self.lock:
            self._hints[key] = hint
        return key

    def find_hint(self, key: str) -> Hint | None:
        """A started login that was not answered yet."""
        with self.lock:
            return self._hints.get(key)

    def take_hint(self, key: str) -> bool:
        """Use a started login up; False when somebody else already did."""
        with self.lock:
            return self._hints.pop(key, None) is not None

    def ask(self, asked: Asked) -> str:
        """Keep a request for links; what its answer has to bring back, once."""
        data = secrets.token_urlsafe(16) + ' é"<&'  # a tool must return it as it is
        with self.lock:
            self._asked[data] = asked
        return data

    def asked(self, data: str, *, take: bool = False) -> Asked | None:
        """The request for links that has this data; `take` uses it up."""
        with self.lock:
            return self._asked.pop(data, None) if take else self._asked.get(data)

    def add_token(self, scopes: frozenset[str], lifetime: int) -> str:
        """Issue an access token for some scopes; lifetime in seconds."""
        token = secrets.token_hex(16)
        with self.lock:
            self._tokens[token] = (time.time() + lifetime, scopes)
        return token

    def token_scopes(self, token: str) -> frozenset[str] | None:
        """The scopes of a live token, None for an unknown or expired one."""
        with self.lock:
            expires, scopes = self._tokens.get(token, (0.0, frozenset()))
        return scopes if expires > time.time() else None

    def revoke_tokens(self) -> None:
        """Forget every access token, so that the tool must ask again."""
        with self.lock:
            self._tokens.clear()

    def add_item(self, label: str, maximum: Decimal, **more: Any) -> Item:
        """Make a new gradebook column."""
        with self.lock:
            item = Item(str(self._next_item), label, maximum, **more)
            self._next_item += 1
            self.items[item.id] = item
            return item

    def item_of_link(self, link_id: str) -> Item | None:
        """The one column of a link; None when there is none, or more than one."""
        with self.lock:
            bound = [item for item in self.items.values() if item.link_id == link_id]
        return bound[0] if len(bound) == 1 else None

    def put_grade(
        self,
        item: Item,
        user_id: str,
        points: Decimal | None,
        comment: str,
        stamp: float,
        *,
        pending: bool = False,
    ) -> None:
        """Store a cell."""
        kept = None if points is None else points.quantize(_STORED_DIGITS)
        changed = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.lock:
            item.grades[user_id] = Grade(kept, comment, stamp, changed, pending)

    def change_grade(self, item: Item, user_id: str, **changes: Any) -> None:
        """Change something of a stored cell."""
        with self.lock:
            item.grades[user_id] = replace(item.grades[user_id], **changes)

    def is_locked(self, item: Item, user_id: str) -> bool:
        """Whether this cell, or its whole column, is locked."""
        with self.lock:
            return bool({(item.id, user_id), (item.id, "")} & self.locked)

    def take_tamper(self, kind: str) -> Any:
        """What the next message of this kind must get wrong, once; None when nothing."""
        with self.lock:
            return self.tamper.pop(kind, None)


class Keys:
    """The RSA key that signs id_tokens, and one nobody published for bad messages."""

    def __init__(self) -> None:
        self.signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_hex(10)

    @cached_property
    def foreign(self) -> rsa.RSAPrivateKey:
        """A key that is not in the key set."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Lms:
    """What every part of the LMS shares: its settings, address, state, keys and secret salt."""

    def __init__(self, settings: LmsSettings, issuer: str) -> None:
        self.settings = settings
        self.issuer = issuer
        self.bridge = settings.bridge_url.rstrip("/")
        self.guid = hashlib.sha256(issuer.encode()).hexdigest()[:32]
        self.cookie = f"sandbox_lms_{issuer.rpartition(':')[2]}"  # cookies ignore the port
        self.state = State(settings.links)
        self.state.lacks = frozenset(settings.lacks)
        self.family = FAMILIES[settings.family](self)
        self.keys = Keys()
        self._salt = secrets.token_bytes(16)

    @property
    def called(self) -> str:
        """The issuer that it says it is: its address, if no other one is set."""
        return self.settings.issuer or self.issuer

    @property
    def links(self) -> list[LinkSpec]:
        """All links of the course: those it was made with, then those that were placed."""
        with self.state.lock:
            both = (*self.settings.links, *self.state.placed)
            return [link for link in both if link.id not in self.state.gone]

    def link(self, link_id: str | None) -> LinkSpec | None:
        """One link of the course."""
        return next((link for link in self.links if link.id == link_id), None)

    def course_of(self, link: LinkSpec) -> tuple[str, str]:
        """Id and title of the course of a link."""
        if not link.course:
            return self.settings.course_id, self.settings.course_title
        return link.course, f"{self.settings.course_title} ({link.course})"

    def history_of(self, link: LinkSpec) -> list[str]:
        """The ids of the courses that the course of a link was copied from, as far as it tells."""
        with self.state.lock:
            return self.state.histories.get(link.course, []) if link.course else self.state.history

    @property
    def people(self) -> tuple[User, ...]:
        """Everybody in the course: those with names, then the crowd."""
        return (*USERS, *(crowd_member(n) for n in range(self.settings.crowd)))

    def find_user(self, key: str) -> User | None:
        """A person of the course by id or by login name."""
        return find_user(key, self.settings.crowd)

    def now(self) -> int:
        """The time in whole seconds."""
        return int(time.time())

    def new_sourcedid(self, link_id: str, user_id: str) -> str:
        """A fresh name of one cell, JSON with quotes as Moodle makes it; old ones stay valid."""
        data = {
            "instanceid": link_id,
            "userid": user_id,
            "typeid": "1",
            "launchid": secrets.randbelow(10**9),
        }
        return json.dumps({"data": data, "hash": self._seal(data)}, separators=(",", ":"))

    def read_sourcedid(self, text: str) -> tuple[str, str]:
        """The link id and user id a sourcedid names.

        Raises ValueError saying whether it is unreadable or forged.
        """
        try:
            parsed = json.loads(text)
            data, seal = parsed["data"], parsed["hash"]
            link_id, user_id = data["instanceid"], data["userid"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("The sourcedId cannot be read") from error
        if not isinstance(seal, str) or not hmac.compare_digest(
            seal.encode(), self._seal(data).encode()
        ):
            raise ValueError("The sourcedId was not issued here")
        return link_id, user_id

    def _seal(self, data: dict[str, Any]) -> str:
        text = json.dumps(data, separators=(",", ":"))
        return hmac.new(self._salt, text.encode(), hashlib.sha256).hexdigest()
