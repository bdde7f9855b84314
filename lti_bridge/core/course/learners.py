"""The learners of a course beside their attempts and grades, for the instructor's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from lti_bridge.core.course.rosters import Member, Roster
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import Launch, Person
from lti_bridge.core.launch.opened import Opened
from lti_bridge.errors import BridgeError, MembersComing

Stage = Literal[
    "not started",
    "started",
    "being marked",
    "held",
    "graded",
    "delivered",
    "refused",
    "overridden",
]
Listing = Literal["listed", "not offered", "being fetched", "not readable"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of one learner at one link: the last attempt, and the grade's way."""

    user_id: str
    state: str
    score: Score | None = None
    delivery: str = "none"
    shown: str = ""
    overridden: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One learner: who (empty where the LMS does not say), how far, and what the LMS shows.

    `reason` is why the grade is not in the gradebook, in the LMS's words. Not `listed`: the LMS's
    list of members has everybody else, and not this one.
    """

    person: Person
    stage: Stage
    score: Score | None = None
    shown: str = ""
    active: bool = True
    reason: str = ""
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Overview:
    """The learners of one link: everybody in the course if `listing` is `listed`."""

    lines: tuple[Line, ...]
    listing: Listing

    def counts(self) -> list[tuple[str, int]]:
        """How many learners are in each stage."""
        return sorted(Counter(line.stage for line in self.lines).items())


class Cells(Protocol):
    """What the store knows of a link's learners."""

    def cells(self, link_id: str) -> list[Cell]:
        """What is known of each learner who has opened this link."""


@dataclass(frozen=True, slots=True)
class People:
    """What the page about a course's learners shows; `is_learner` says it of roles."""

    roster: Roster
    store: Cells
    is_learner: Callable[[Iterable[str]], bool]

    def overview(self, opened: Opened) -> Overview:
        """The learners of this link as far as they are known now."""
        found, listing = self._members(opened.launch)
        learners = [one for one in found if self.is_learner(one.roles)]
        lines = merge(learners, self.store.cells(opened.link.id))
        if listing == "listed":
            there = {one.person.id for one in found}
            lines = tuple(replace(line, listed=line.person.id in there) for line in lines)
        return Overview(lines, listing)

    def _members(self, launch: Launch) -> tuple[list[Member], Listing]:
        course = (launch.registration, launch.deployment_id, launch.context.id)
        try:
            members = self.roster.members(*course)
        except MembersComing:
            return [], "being fetched"
        except BridgeError:
            return [], "not readable"
        return ([], "not offered") if members is None else (members, "listed")


def merge(learners: Sequence[Member], cells: Sequence[Cell]) -> tuple[Line, ...]:
    """Everybody once: the list's learners by name, then those whom only we know.

    Who is no longer active is shown only if there is something to show.
    """
    known = {cell.user_id: cell for cell in cells}
    lines = []
    for one in sorted(learners, key=lambda member: _name(member.person)):
        cell = known.pop(one.person.id, None)
        if one.active or cell:
            lines.append(_line(one.person, cell, active=one.active))
    return (*lines, *(_line(Person(id=cell.user_id), cell, active=True) for cell in known.values()))


def _line(person: Person, cell: Cell | None, *, active: bool) -> Line:
    if cell is None:
        return Line(person, "not started", active=active)
    reason = "" if cell.overridden else cell.reason  # which is what stands beside it
    return Line(person, _stage(cell), cell.score, cell.shown, active, reason)


def _stage(cell: Cell) -> Stage:
    if cell.overridden:
        return "overridden"
    if cell.state == "held":
        return "held"
    if cell.delivery in ("refused", "waiting"):
        return "refused"
    if cell.state == "awaiting-marks" and cell.score is None:
        return "being marked"
    if cell.delivery == "delivered":
        return "delivered"
    return "graded" if cell.score else "started"


def _name(person: Person) -> tuple[str, str, str]:
    return person.family_name.casefold(), person.full_name.casefold(), person.id
