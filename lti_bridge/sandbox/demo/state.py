"""Everything the pretend demo provider remembers, in memory, behind one lock."""

import json
import secrets
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from lti_bridge.sandbox import hooks
from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.faults import Faults

OPEN, STARTED, HANDED_IN, MARKED = "open", "started", "handed-in", "marked"

_QUESTIONS = (
    Question("Capitals", "What is the capital of Australia?", ("Sydney", "Canberra", "Perth"), 1),
    Question("Capitals", "Which of these is a capital?", ("Bern", "Zurich", "Geneva"), 0),
    Question("Rivers", "Which river flows through Vienna?", ("Rhine", "Elbe", "Danube"), 2),
)


@dataclass(frozen=True)
class Test:
    """A test of the account; a `manual` one is marked later by a person."""

    id: str
    title: str
    manual: bool = False
    questions: tuple[Question, ...] = _QUESTIONS

    @property
    def maximum(self) -> float:
        """The best possible marks."""
        return sum(question.marks for question in self.questions)


@dataclass(frozen=True)
class DemoSettings:
    """One account: its key, how many sessions it has bought, and its tests."""

    api_key: str = "sandbox-demo-key"
    stock: int = 1000
    tests: tuple[Test, ...] = (
        Test("geography", "Geography"),
        Test("essay", "Geography, marked by a person", manual=True),
    )


@dataclass
class Session:
    """One sitting; `asked` is what the customer sent."""

    id: str
    token: str
    asked: dict[str, Any]
    state: str = OPEN
    score: float | None = None
    maximum: float | None = None


class State:
    """The account's rows. Whoever reads then writes holds `lock` meanwhile."""

    def __init__(self, settings: DemoSettings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = Faults()
        self.tests = {test.id: test for test in settings.tests}
        self.clear(rows=True)

    def clear(self, *, rows: bool = False) -> None:
        """Forget faults and logs, or all rows as in a new account."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.hooks: list[dict[str, Any]] = []
            if rows:
                self.stock = self.settings.stock
                self.sessions: dict[str, Session] = {}

    def add(self, asked: dict[str, Any]) -> Session:
        """A new session; one for a preview costs nothing."""
        session = Session(secrets.token_urlsafe(9), secrets.token_urlsafe(24), asked)
        with self.lock:
            self.stock -= int(not asked.get("preview"))
            self.sessions[session.id] = session
        return session

    def by_token(self, token: str) -> Session | None:
        """The session behind a candidate's address."""
        with self.lock:
            return next((s for s in self.sessions.values() if s.token == token), None)

    def change(self, session: Session, state: str, *marks: float | None) -> None:
        """Let a session stand in this state, with its marks if there are any, and say so."""
        with self.lock:
            session.state = state
            session.score, session.maximum = marks or (None, None)
        if state in (OPEN, STARTED) or not session.asked.get("callback_url"):
            return
        body = json.dumps({"session": session.id})
        row = hooks.post(session.asked["callback_url"], body, "application/json", {})
        with self.lock:
            self.hooks.append(row)

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values, for /control/state."""
        with self.lock:
            return {
                "stock": self.stock,
                "calls": dict(self.calls),
                "sessions": [asdict(session) for session in self.sessions.values()],
                "hooks": self.hooks,
            }
