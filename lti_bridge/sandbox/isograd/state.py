"""Everything the pretend Isograd remembers, in memory, behind one lock."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lti_bridge.sandbox.faults import Faults
from lti_bridge.sandbox.isograd.grades import Grade
from lti_bridge.sandbox.tools.tool13_oidc import Platform

NOT_STARTED, STARTED, COMPLETED, MARKING = 1, 2, 3, 4


@dataclass(frozen=True)
class IsogradSettings:
    """One customer account: LTI key and secret, API client, and what it has bought.

    `token_lifetime_s` in seconds. `groups` are the dep_id values the account knows;
    `platform` may launch by LTI 1.3.
    """

    consumer_key: str = "sandbox-isograd"
    shared_secret: str = "sandbox-isograd-secret"  # noqa: S105 - a pretend secret
    api_client_id: str = "sandbox-client"
    api_client_secret: str = "sandbox-client-secret"  # noqa: S105 - a pretend secret
    credits: int = 1000
    proctoring_credits: int = 10
    token_lifetime_s: int = 3600
    groups: tuple[str, ...] = ("1", "2")
    platform: Platform | None = None


@dataclass
class Candidate:
    """A person of one (sub-)account; `sub_com_id` is empty for the master account."""

    can_id: int
    sub_com_id: str
    ema: str
    fst_nam: str
    lst_nam: str
    gen_id: str = "3"
    lan_id: str = "2"
    ext_id: str = ""
    group: str = ""


@dataclass
class Sitting:
    """A test of a candidate; times in seconds since the epoch; `launch` indexes the launches."""

    pla_tst_id: int
    token: str
    can_id: int
    tst_frm_id: int
    sta_id: int = NOT_STARTED
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    rtn_pag: str = ""
    cal_bac_pag: str = ""
    ses_id: str = ""
    proctored: bool = False
    confirms: int | None = None
    launch: int | None = None
    grade: Grade | None = None
    message: str = ""


class State:
    """The account's rows. Whoever reads then writes holds `lock` meanwhile."""

    def __init__(self, settings: IsogradSettings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = Faults()
        self.tell13: Callable[[dict[str, Any], Grade], str] | None = None  # returns a grade by 1.3
        self._last_id = 1000 + secrets.randbelow(9000)
        self.clear(tokens=True, rows=True)

    def clear(self, *, tokens: bool = False, rows: bool = False) -> None:
        """Forget faults and logs, every access token, or all rows as in a new account."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.mails: list[dict[str, str]] = []
            self.callbacks: list[dict[str, Any]] = []
            self.outcomes: list[dict[str, Any]] = []
            if tokens:
                self.tokens: dict[str, float] = {}
            if rows:
                self._clear_rows()

    def _clear_rows(self) -> None:
        self.credits = self.settings.credits
        self.proctoring_credits = self.settings.proctoring_credits
        self.candidates: dict[int, Candidate] = {}
        self.sittings: dict[int, Sitting] = {}
        self.sessions: dict[int, dict[str, str]] = {}
        self.launches: list[dict[str, Any]] = []
        self.logins: dict[str, tuple[float, int]] = {}

    def next_id(self) -> int:
        """A number nobody else has."""
        with self.lock:
            self._last_id += 1
            return self._last_id

    def candidate_by_email(self, sub_com_id: str, ema: str) -> Candidate | None:
        """A candidate of one (sub-)account; letter case of the address does not matter."""
        key = (sub_com_id, ema.lower())
        return next(
            (c for c in self.candidates.values() if (c.sub_com_id, c.ema.lower()) == key), None
        )

    def sittings_of(self, candidate: Candidate, tst_frm_id: int | None = None) -> list[Sitting]:
        """The tests of a candidate, oldest first."""
        return [
            s
            for s in self.sittings.values()
            if s.can_id == candidate.can_id and tst_frm_id in (None, s.tst_frm_id)
        ]

    def sitting_by_token(self, token: str) -> Sitting | None:
        """The test behind a start address."""
        with self.lock:
            return next((s for s in self.sittings.values() if s.token == token), None)

    def launch_of(self, sitting: Sitting) -> dict[str, str]:
        """The LTI parameters the test was opened with last; empty for a test made by the API."""
        if sitting.launch is None:
            return {}
        parameters: dict[str, str] = self.launches[sitting.launch]["parameters"]
        return parameters

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values, for /control/state."""
        with self.lock:
            return {
                "credits": self.credits,
                "proctoring_credits": self.proctoring_credits,
                "candidates": [asdict(c) for c in self.candidates.values()],
                "tests": [asdict(s) for s in self.sittings.values()],
                "sessions": {str(k): dict(v) for k, v in self.sessions.items()},
                "calls": dict(self.calls),
                "launches": [dict(launch) for launch in self.launches],
                "mails": [dict(m) for m in self.mails],
                "callbacks": [dict(c) for c in self.callbacks],
                "outcomes": [dict(o) for o in self.outcomes],
            }
