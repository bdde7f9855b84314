"""Everything the pretend Mettl remembers, in memory, behind one lock."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.faults import Faults

EMAIL, FIRST_NAME = "Email Address", "First Name"
TO_BE_TAKEN, IN_PROGRESS, COMPLETED = "ToBeTaken", "InProgress", "Completed"
HOOKS = {
    "start": "testStartNotificationUrl",
    "finish": "testFinishNotificationUrl",
    "graded": "testGradedNotificationUrl",
    "resume": "testResumeEnabledForExpiredTestURL",
}

_QUESTIONS = (
    Question("Numbers", "2, 6, 18, 54 … What comes next?", ("108", "162", "72", "216"), 1, 4, 1),
    Question(
        "Numbers",
        "A ticket costs 80 after a fifth was taken off. What did it cost before?",
        ("96", "100", "84", "120"),
        1,
        3,
        1,
    ),
    Question(
        "Words",
        "All painters here are patient. Ida is not patient. What follows?",
        ("Ida is no painter", "Ida is a painter", "Nobody is patient", "Nothing follows"),
        0,
        3,
        1,
    ),
)


@dataclass(frozen=True)
class Assessment:
    """A test of the account; a `manual` one is marked later by a person."""

    id: int
    name: str
    mandatory_fields: tuple[str, ...] = (EMAIL, FIRST_NAME)
    manual: bool = False
    questions: tuple[Question, ...] = _QUESTIONS


@dataclass(frozen=True)
class MettlSettings:
    """One customer account: its keys, what it has bought, and its tests.

    `exit_redirection_url` is where every test sends the browser at its end, `hook_url` what the
    schedules made beforehand notify. Those are an open one per assessment, with the access key
    "open" + assessment id, and "invited" for the first assessment and the `invited` addresses.
    """

    public_key: str = "sandbox-mettl-public"
    private_key: str = "sandbox-mettl-private"
    credits: int = 1000
    exit_redirection_url: str = ""
    hook_url: str = ""
    invited: tuple[str, ...] = ("invited@example.org",)
    image_fields: tuple[str, ...] = ("Photo",)
    assessments: tuple[Assessment, ...] = (
        Assessment(1001, "Logical reasoning"),
        Assessment(1002, "Logical reasoning, marked by a person", manual=True),
        Assessment(1003, "Team fit", (EMAIL, FIRST_NAME, "Last Name")),
    )


@dataclass
class Schedule:
    """A test link of an assessment; `details` is the customer's `sc` JSON."""

    id: int
    assessment: Assessment
    access_key: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """Marks, perhaps negative ones; `percentile` is a rank and says nothing about the marks."""

    total_marks: float
    max_marks: float
    percentile: float
    questions: int
    correct: int
    unanswered: int
    sections: tuple[tuple[str, float, float], ...]


@dataclass
class Attempt:
    """The one attempt of an e-mail address in a schedule; times in seconds since the epoch."""

    candidate_instance_id: int
    schedule: Schedule
    token: str
    email: str
    registration: dict[str, Any]
    optional: dict[str, Any]
    instructions: bool = False
    expires: float | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    result: Result | None = None
    verdict: dict[str, str] = field(default_factory=dict)

    @property
    def context_data(self) -> str | None:
        """What the customer wants back in web-hooks, verbatim."""
        return self.optional.get("context_data")

    @property
    def status(self) -> str:
        """ToBeTaken, InProgress or Completed."""
        if self.ended:
            return COMPLETED
        return IN_PROGRESS if self.started else TO_BE_TAKEN

    @property
    def expired(self) -> bool:
        """Whether the link ended before anybody used it."""
        return not self.started and self.expires is not None and self.expires < time.time()

    def missing(self) -> list[str]:
        """The mandatory registration fields nobody filled in yet."""
        return missing_fields(self.schedule, self.registration)


def missing_fields(schedule: Schedule, registration: Mapping[str, Any]) -> list[str]:
    """The assessment's mandatory fields that are absent or empty."""
    needed = schedule.assessment.mandatory_fields
    return [name for name in needed if not str(registration.get(name) or "").strip()]


class State:
    """The account's rows. Whoever reads then writes holds `lock` meanwhile."""

    def __init__(self, settings: MettlSettings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = Faults()
        self._last_id = 1000 + secrets.randbelow(9000)
        self.clear(rows=True)

    def clear(self, *, rows: bool = False) -> None:
        """Forget faults and logs, or all rows as in a new account."""
        with self.lock:
            self.faults.clear()
            self.calls: Counter[str] = Counter()
            self.hooks: list[dict[str, Any]] = []
            if rows:
                self._clear_rows()

    def _clear_rows(self) -> None:
        self.credits = self.settings.credits
        self.schedules: dict[str, Schedule] = {}
        self.attempts: dict[int, Attempt] = {}
        urls = dict.fromkeys(HOOKS.values(), self.settings.hook_url)
        common = {"sourceApp": "sandbox", "scheduleType": "AlwaysOn", **urls}
        for assessment in self.settings.assessments:
            self.add_schedule(
                assessment,
                {**common, "name": "Open", "access": {"type": "OpenForAll"}},
                f"open{assessment.id}",
            )
        people = [{EMAIL: email} for email in self.settings.invited]
        access = {"type": "ByInvitation", "candidates": people}
        details = {**common, "name": "Invited", "access": access}
        self.add_schedule(self.settings.assessments[0], details, "invited")

    def add_schedule(
        self, assessment: Assessment, details: dict[str, Any], access_key: str = ""
    ) -> Schedule:
        """A new test link with a fresh access key, unless one is given."""
        key = access_key or secrets.token_hex(5)
        self.schedules[key] = Schedule(self.next_id(), assessment, key, details)
        return self.schedules[key]

    def next_id(self) -> int:
        """A number nobody else has."""
        with self.lock:
            self._last_id += 1
            return self._last_id

    def attempts_of(self, schedule: Schedule) -> list[Attempt]:
        """Who is registered for a schedule, oldest first."""
        return [a for a in self.attempts.values() if a.schedule is schedule]

    def attempt(self, schedule: Schedule, email: str) -> Attempt | None:
        """The attempt of an address; letter case does not matter."""
        return next(
            (a for a in self.attempts_of(schedule) if a.email.lower() == email.lower()), None
        )

    def attempt_by_token(self, token: str) -> Attempt | None:
        """The attempt behind a personal test link."""
        with self.lock:
            return next((a for a in self.attempts.values() if a.token == token), None)

    def snapshot(self) -> dict[str, Any]:
        """All rows as plain values, for /control/state."""
        with self.lock:
            return {
                "credits": self.credits,
                "calls": dict(self.calls),
                "schedules": [
                    {
                        "id": s.id,
                        "assessment_id": s.assessment.id,
                        "access_key": s.access_key,
                        "sc": s.details,
                    }
                    for s in self.schedules.values()
                ],
                "candidates": [_row(a) for a in self.attempts.values()],
                "hooks": self.hooks,
            }


def _row(attempt: Attempt) -> dict[str, Any]:
    row = asdict(attempt)
    row["access_key"] = row.pop("schedule")["access_key"]
    return {**row, "status": attempt.status}
