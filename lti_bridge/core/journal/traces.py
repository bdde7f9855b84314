"""Finding traces: by their reference, and by who, where, when and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lti_bridge.core.journal.record import Recorded


@dataclass(frozen=True, slots=True)
class Question:
    """Which hops are looked for; empty values do not limit. `user` and `course` are the LMS's ids.

    `logins`: also those that went well, which say no more than the launches after them.
    """

    since: datetime | None = None
    until: datetime | None = None
    user: str = ""
    activity: str = ""
    course: str = ""
    lms: str = ""
    failed: bool = False
    code: str = ""
    kinds: Sequence[str] = ()
    logins: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Whose:
    """One user's: of the learners that are known, and what stands for one who is not."""

    learners: Sequence[str]
    persons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of a reference: its own hops, and `others` of the same attempts."""

    ref: str
    hops: Sequence[Recorded]
    others: Sequence[Recorded]

    @property
    def all(self) -> list[Recorded]:
        """All of them, oldest first."""
        return sorted([*self.hops, *self.others], key=lambda one: one.at)


@dataclass(frozen=True, slots=True)
class Cell:
    """A gradebook cell as it is now: what it is to show, how that comes there, what was seen there.

    `shown` is empty until somebody has looked.
    """

    id: str
    registration: str
    user: str
    grade: str
    delivery: str
    tries: int
    delivered_at: datetime | None
    reason: str
    shown: str
    shown_at: datetime | None
    overridden: bool


@dataclass(frozen=True, slots=True)
class GradeTrace:
    """All that is known of grades: their cells, the attempts behind them, and every hop."""

    cells: Sequence[Cell]
    attempts: Sequence[str]
    hops: Sequence[Recorded]


class Hops(Protocol):
    """The hops that are kept."""

    def search(self, question: Question, whose: Whose | None) -> list[Recorded]:
        """The newest hops that were asked for, the newest first."""

    def of_trace(self, ref: str) -> list[Recorded]:
        """The hops of a reference, oldest first."""

    def about(self, attempts: Iterable[str], grades: Iterable[str]) -> list[Recorded]:
        """All hops of these attempts and grades, whatever their references, oldest first."""

    def grades_of(self, attempts: Iterable[str]) -> list[str]:
        """The gradebook cells of these attempts."""

    def attempts_of(self, grades: Iterable[str]) -> list[str]:
        """The attempts of these gradebook cells."""

    def cells(self, grades: Iterable[str]) -> list[Cell]:
        """These gradebook cells as they are now."""

    def learners_of(self, registrations: Sequence[str], user_id: str) -> list[str]:
        """The learners whom these LMSs call so."""

    def names(self, registration: str, user_id: str) -> list[tuple[str, str]]:
        """All names, by LMS, of the learner of this one; none where there is no learner."""

    def forget_persons(self, persons: Sequence[str]) -> int:
        """Delete what is kept of users who were refused without a learner; how many rows."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Finds traces. `person` gives what stands for an LMS's user, `registrations` all LMSs."""

    hops: Hops
    person: Callable[[str, str], str]
    registrations: Callable[[], Iterable[str]]

    def find(self, question: Question) -> list[Recorded]:
        """The newest hops, the newest first."""
        whose = None
        if question.user:
            lmss = [question.lms] if question.lms else list(self.registrations())
            persons = [self.person(name, question.user) for name in lmss]
            whose = Whose(self.hops.learners_of(lmss, question.user), persons)
        return self.hops.search(question, whose)

    def trace(self, ref: str) -> Trace | None:
        """What is known of a reference, as people read it out; None: nothing."""
        asked = ref.strip().upper()
        own = self.hops.of_trace(asked)
        if not own:
            return None
        attempts = {one.attempt for one in own if one.attempt}
        grades = set(self.hops.grades_of(attempts)) | {one.grade for one in own if one.grade}
        if not attempts:  # of a delivery it is not known which of the learner's attempts counts
            attempts = set(self.hops.attempts_of(grades))
        others = self.hops.about(attempts, grades)
        return Trace(asked, own, [one for one in others if one.ref != asked])

    def grade(self, name: str) -> GradeTrace | None:
        """What is known of the grade of this id, attempt or reference; None: there is none."""
        grades = {name} if self.hops.cells([name]) else set(self.hops.grades_of([name]))
        if not grades and (found := self.trace(name)):
            grades = set(self.hops.grades_of({one.attempt for one in found.hops if one.attempt}))
            grades |= {one.grade for one in found.hops if one.grade}
        cells = self.hops.cells(grades)
        if not cells:
            return None
        attempts = self.hops.attempts_of(grades)
        return GradeTrace(cells, attempts, self.hops.about(attempts, grades))

    def forget(self, registration: str, user_id: str) -> int:
        """Delete what is kept of a user as of nobody's learner, by all names; how many hops."""
        names = {(registration, user_id), *self.hops.names(registration, user_id)}
        return self.hops.forget_persons([self.person(*name) for name in sorted(names)])
