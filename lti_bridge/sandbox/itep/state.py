"""Everything the pretend iTEP remembers, in memory, behind one lock."""

import secrets
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.faults import Faults

READY, INCOMPLETE, FINISHED = "Ready", "Incomplete", "Finished"
PROBLEM, INVALIDATED, COMPLETE = "Problem", "Invalidated", "Complete"
OLD_WORDS = {INCOMPLETE: "Started", PROBLEM: "Technical Difficulty", COMPLETE: "Completed"}

QUESTIONS = (
    Question("Grammar", "She … here since 2019.", ("works", "has worked", "is working"), 1),
    Question("Grammar", "If I … time, I would help.", ("had", "have", "will have"), 0),
    Question(
        "Reading",
        "“The library shuts at six, an hour later than on Sundays.” When on Sundays?",
        ("At five", "At six", "At seven"),
        0,
    ),
    Question(
        "Reading",
        "“Hardly anybody missed the bus.” Who caught it?",
        ("Nobody", "A few people", "Nearly everybody"),
        2,
    ),
)


@dataclass(frozen=True)
class Track:
    """A tracking code as iTEP's staff set it up: where results go, and with which headers."""

    code: str
    url: str = ""
    notify_finished: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ItepSettings:
    """One customer account, and all that iTEP's public documents leave open.

    `sig_encoding` is hex, HEX or base64; `sequence_mode` is none or counter; the two response
    paths name members, with dots between levels. `stock` counts test IDs per type. `old_words`
    uses the older names of states; `graded_later` waits for its staff.
    """

    secret: str = "sandbox-itep-key"  # noqa: S105 - a pretend secret
    endpoint_path: str = "/api/fulfillment"
    header_name_gtx: str = "X-iTEP-GTX"
    header_name_stx: str = "X-iTEP-STX"
    sig_encoding: str = "hex"
    sig_prefix: str = ""
    sequence_mode: str = "counter"
    response_test_id_path: str = "test-id"
    response_password_path: str = "password"  # noqa: S105 - the name of a member
    types: tuple[str, ...] = ("Academic-Plus", "Business-Plus")
    stock: int = 50
    tracks: tuple[Track, ...] = (Track("RC"),)
    old_words: bool = False
    graded_later: bool = False
    genders: tuple[str, ...] = ("Female", "Male")
    educations: tuple[str, ...] = ("High School", "Bachelor", "Master")
    fields_of_study: tuple[str, ...] = ("Biology", "Business", "Languages")


@dataclass
class Result:
    """Levels 0..6 in tenths and scores up to 100 per section, and the overall level."""

    overall: float
    sections: dict[str, tuple[float, float]]


@dataclass
class Test:
    """A test ID; available while Ready and assigned to nobody. Times in seconds since the epoch."""

    test_id: str
    password: str
    type: str
    token: str
    state: str = READY
    assigned_to: dict[str, Any] | None = None
    registration: dict[str, Any] | None = None
    track: str = ""
    started: float | None = None
    ended: float | None = None
    result: Result | None = None

    @property
    def oid(self) -> str | None:
        """The customer's own id, as it comes back in results."""
        return (self.registration or {}).get("trExternal_ID")


class State:
    """The account's rows. Whoever reads then writes holds `lock` meanwhile."""

    def __init__(self, settings: ItepSettings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = Faults()
        self.clear(rows=True)

    def clear(self, *, rows: bool = False) -> None:
        """Forget faults and logs, or all rows as in a new account."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.outbox: list[dict[str, str]] = []
            self.hooks: list[dict[str, Any]] = []
            if rows:
                self.last_sequence = 0
                made = [
                    _new(kind, n)
                    for kind in self.settings.types
                    for n in range(self.settings.stock)
                ]
                self.tests = {test.test_id: test for test in made}

    def available(self, kind: str) -> list[Test]:
        """The test IDs of this type that nobody has."""
        return [
            t
            for t in self.tests.values()
            if t.type == kind and t.state == READY and t.assigned_to is None
        ]

    def test_by_token(self, token: str) -> Test | None:
        """The test of somebody who has logged in."""
        with self.lock:
            return next((t for t in self.tests.values() if t.token == token), None)

    def track(self, code: str) -> Track | None:
        """The tracking code with this name."""
        return next((t for t in self.settings.tracks if t.code == code), None)

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values, for /control/state."""
        with self.lock:
            return {
                "available": {t: len(self.available(t)) for t in self.settings.types},
                "calls": dict(self.calls),
                "tests": [asdict(t) for t in self.tests.values() if t.assigned_to is not None],
                "outbox": self.outbox,
                "hooks": self.hooks,
            }


def _new(kind: str, number: int) -> Test:
    letters = "".join(word[0] for word in kind.split("-")).upper()
    test_id = f"{100_000 + number}{secrets.token_hex(2).upper()}{letters}"
    return Test(test_id, secrets.token_hex(4), kind, secrets.token_urlsafe(24))
