"""Everything the pretend Prov remembers, in memory, behind one lock."""

import secrets
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.faults import Faults

QUESTIONS = (
    Question(
        "Hygiene",
        "How long should hands be washed with soap?",
        ("5 seconds", "20 seconds", "2 minutes"),
        1,
    ),
    Question(
        "Hygiene",
        "When are gloves changed?",
        ("Between two patients", "Once a day", "When they tear only"),
        0,
    ),
    Question(
        "Safety",
        "A wet floor in the corridor: what comes first?",
        ("Write a report", "Put up a sign", "Walk around it"),
        1,
    ),
)


@dataclass(frozen=True)
class Names:
    """The members of Prov's JSON; its document says what is told, but not under which names.

    An empty `event_id` leaves it out of results, which then name candidate and exam code only.
    """

    candidate_id: str = "candidateId"
    candidate_name: str = "candidateName"
    exam_name: str = "examName"
    exam_code: str = "examCode"
    event_id: str = "eventId"
    event_url: str = "examUrl"
    return_url: str = "returnUrl"
    centre_code: str = "centerCode"
    proctor: str = "userName"
    overall_score: str = "overallScore"
    domains: str = "domains"
    domain: str = "domain"
    domain_score: str = "score"


@dataclass(frozen=True)
class ProvSettings:
    """One customer, and all that Prov's public document leaves open.

    `auth_style` is header, basic, bearer or body: name and value are a header, a user, nothing
    and a token, or a member of the body. `result_path` may hold {event_id}, {candidate_id} and
    {exam_code}. Results are also pushed to `results_url` when there is one.
    `scored_later` waits for its staff.
    """

    auth_style: str = "header"
    auth_name: str = "X-API-Key"
    auth_value: str = "sandbox-prov-key"
    candidate_path: str = "/api/candidates"
    event_path: str = "/api/events"
    centre_path: str = "/api/centers"
    proctor_path: str = "/api/proctors"
    result_path: str = "/api/results/{event_id}"
    results_url: str = ""
    max_score: float = 100
    scored_later: bool = False
    names: Names = field(default_factory=Names)


@dataclass
class Event:
    """An exam of a candidate; `sent` is the customer's document, `domains` score by name."""

    event_id: str
    token: str
    candidate_id: str
    exam_code: str
    sent: dict[str, Any]
    handed_in: bool = False
    score: float | None = None
    domains: dict[str, float] = field(default_factory=dict)


class State:
    """The customer's rows. Whoever reads then writes holds `lock` meanwhile."""

    def __init__(self, settings: ProvSettings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = Faults()
        self._last_id = 1000 + secrets.randbelow(9000)
        self.clear(rows=True)

    def clear(self, *, rows: bool = False) -> None:
        """Forget faults and logs, or all rows as for a new customer."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.hooks: list[dict[str, Any]] = []
            if rows:
                self.candidates: list[dict[str, Any]] = []
                self.centres: list[dict[str, Any]] = []
                self.proctors: list[dict[str, Any]] = []
                self.events: dict[str, Event] = {}

    def add_event(self, sent: dict[str, Any]) -> Event:
        """A new event, however many the candidate has: the customer decides about retakes."""
        names = self.settings.names
        with self.lock:
            self._last_id += 1
            event = Event(
                event_id=f"EV{self._last_id}",
                token=secrets.token_urlsafe(24),
                candidate_id=str(sent[names.candidate_id]),
                exam_code=str(sent[names.exam_code]),
                sent=sent,
            )
            self.events[event.event_id] = event
        return event

    def event(self, **wanted: str) -> Event | None:
        """The latest event with these values of event_id, token, candidate_id or exam_code."""
        with self.lock:
            for event in reversed(self.events.values()):
                if all(getattr(event, name) == value for name, value in wanted.items()):
                    return event
        return None

    def candidate_name(self, event: Event) -> str:
        """The name that was sent last for the event's candidate."""
        names = self.settings.names
        with self.lock:
            for sent in reversed(self.candidates):
                if str(sent[names.candidate_id]) == event.candidate_id:
                    return str(sent.get(names.candidate_name, ""))
        return ""

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values, for /control/state."""
        with self.lock:
            return {
                "calls": dict(self.calls),
                "candidates": self.candidates,
                "centres": self.centres,
                "proctors": self.proctors,
                "events": [asdict(event) for event in self.events.values()],
                "hooks": self.hooks,
            }
