"""What the store keeps, as frozen records: links, attempts, grades and deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from lti_bridge.core.grade.scores import GradePolicy, Score
from lti_bridge.core.launch.message import GradeTarget

AttemptState = Literal[
    "created",
    "started",
    "finished",
    "awaiting-marks",
    "held",
    "graded",
    "invalidated",
    "expired",
    "unclear",
]
DeliveryState = Literal["none", "pending", "delivered", "refused", "waiting"]


@dataclass(frozen=True, slots=True)
class Course:
    """A course of an LMS. `context_id` is empty for links that stand in no course."""

    registration: str
    deployment_id: str
    context_id: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What an instructor or the configuration file set up; a course link points to one.

    `settings` is the provider kind's typed model; read from the database it is what was typed.
    `attempts` is the number of attempts a learner may make (0: no limit), `days_between` how long
    from one to the next; none is started before `opens_at` or after `closes_at`. `registrations`
    names the LMSs that may use it (empty: all).

    What an instructor made belongs to a `course`. `maximum` is what its gradebook column counts
    to, `label` the column's name (empty: the title); `ungraded`: there is no column, whatever its
    LMS offers. `origin` is the activity that it was first copied from with its course, however
    often since.
    """

    id: str
    title: str
    connection: str
    settings: Any
    grade: GradePolicy = "best"
    attempts: int = 0
    days_between: int = 0
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    registrations: frozenset[str] = frozenset()
    course: Course | None = None
    maximum: str = ""
    label: str = ""
    ungraded: bool = False
    origin: str = ""
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Picking:
    """What an LMS that asks for links accepts. `line_items`: columns may come with the links."""

    multiple: bool
    line_items: bool


@dataclass(frozen=True, slots=True)
class Link:
    """One placement of the tool in a course.

    `context_id` is the course of its first launch, where it was looked up by a launch of the same
    LMS and deployment; else empty.
    """

    id: str
    activity_id: str
    context_id: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sitting of one learner at one activity.

    `held` is why its newest result waits, or waited, for a person, in the provider's words, and
    `held_score` what that result gives; in any other state than held a person has decided, or it
    is empty. Its `score` is what counts meanwhile.
    """

    id: str
    link_id: str
    learner_id: str
    number: int
    activity_id: str
    connection: str
    grade_policy: GradePolicy
    state: AttemptState
    score: Score | None = None
    reference: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    changed_at: datetime | None = None
    held: str = ""
    held_score: Score | None = None


@dataclass(frozen=True, slots=True)
class OfCell:
    """An attempt as its gradebook cell sees it; its score counts since `scored_at`, if at all.

    `is_open`: the learner's next click goes on with it.
    """

    attempt_id: str
    number: int
    state: AttemptState
    score: Score | None
    scored_at: datetime | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class GradeCell:
    """One learner's gradebook cell of one link: what it is to show since `version`, and where.

    `awaiting` is how the LMS is told that marks are being made, or empty.
    """

    link_id: str
    learner_id: str
    version: int
    score: Score | None
    awaiting: str
    target: GradeTarget
    attempts: tuple[OfCell, ...]


@dataclass(frozen=True, slots=True)
class Locked:
    """An attempt with its gradebook cell, which one transaction at a time has in hand."""

    attempt: Attempt
    cell: GradeCell


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt of a learner, as far as a click has to know it: where, of what, since when.

    `context_id` is the course of its link, as the LMS called it at the link's first launch.
    """

    link: Link
    learner_id: str
    number: int
    activity_id: str
    created_at: datetime
    deployment_id: str
    context_id: str
    resource_link_id: str
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Poll:
    """An attempt whose provider is to be asked, claimed by one worker until `until`.

    `polls` were before.
    """

    attempt: Attempt
    polls: int
    created_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Unheard:
    """An activity whose attempts were opened by LTI and never had a grade, since `since`."""

    activity_id: str
    connection: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one learner gets more of at one activity."""

    extra_attempts: int = 0
    extra_time_percent: int = 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """One attempt bought at a connection, by a click in one course of one LMS.

    `daily_limit` is how many this LMS may buy there in a day, 0: any number.
    """

    attempt_id: str
    connection: str
    registration: str
    deployment_id: str
    context_id: str
    at: datetime
    daily_limit: int = 0

    @property
    def day(self) -> str:
        """The day that it counts for, in UTC: 2026-11-29."""
        return self.at.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Bought:
    """What one LMS has bought at one connection in one day."""

    connection: str
    registration: str
    day: str
    count: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One grade on its way to one gradebook cell, claimed by one worker.

    `score` None means: clear the grade. `stamp` is the time to tell the LMS; it rises strictly
    for one cell and stays the same when the same grade is tried again (AGS 2.0 §3.4.9), but for
    one move to a later time when the LMS holds a later one (`later_stamp`: it has happened).
    `tries` counts the tries before this one.

    `told` are the values (as `Told` writes them) that the LMS may hold from us, this one last;
    `delivered_before` that it has taken one. `family` is what the LMS calls its product.
    `submitted_at` is when the newest counted attempt was handed in, `submission_known` that
    the LMS was told a grade since. `forced`: a person wants it whatever the LMS holds; `keep`: a
    value of a teacher's stays. `comment` stands beside the grade and is to stay there. `awaiting`:
    the LMS is told only that marks are being made: Pending or PendingManual, else empty.
    `shared`: the learner has a grade at another link, whose place in the gradebook is the same.
    `departed`: since the learner's last launch of the link the LMS has listed them as gone.
    `unanswered` are the values of earlier requests whose end nobody knows, one for each: the LMS
    may carry them out late.
    """

    grade_id: str
    version: int
    score: Score | None
    registration: str
    deployment_id: str
    user_id: str
    target: GradeTarget
    stamp: datetime
    tries: int
    lease: str
    later_stamp: bool = False
    told: tuple[str, ...] = ()
    delivered_before: bool = False
    family: str = ""
    activity_id: str = ""
    submitted_at: datetime | None = None
    submission_known: bool = False
    forced: bool = False
    keep: bool = False
    comment: str = ""
    reads: int = 0
    awaiting: str = ""
    departed: bool = False
    shared: bool = False
    unanswered: tuple[str, ...] = ()

    @property
    def overdue(self) -> tuple[str, ...]:
        """Those of them that would take this delivery's value away."""
        return tuple(one for one in self.unanswered if one != self.told[-1])


@dataclass(frozen=True, slots=True)
class Shown:
    """What an LMS shows in a gradebook cell: nothing, or a score with its comment."""

    score: Score | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The gradebook column of one link: its line item once it was found or made, else empty.

    `resource_link_id` is the LMS's own; `title` (the column's name) and `maximum` are those of an
    activity kept in the database, empty for any other. `unused`: what the LMS answered to scores in
    a column that was made for them, and taken away; none is made again before `rests_until`.
    """

    link_id: str
    resource_link_id: str
    activity_id: str
    title: str
    maximum: str
    line_item: str
    unused: str = ""
    rests_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a provider said about an attempt: verified, kept raw and normalised.

    `score` None clears the attempt's score; `state` None leaves an ungraded attempt as it is and
    takes a grade back from a graded one. `event` makes the same message count once;
    `raw` is what the provider sent, without anything about the learner. `pending` is how a tool
    that speaks AGS calls its awaiting marks: Pending or PendingManual. `held` is why the result
    may not count before a person has looked at it, in the provider's words; empty for most.
    """

    source: str
    event: str
    state: AttemptState | None
    score: Score | None
    raw: Mapping[str, Any] = field(default_factory=dict)
    pending: str = ""
    held: str = ""
