"""The states of an attempt: what happens to it, and what it is then.

Every rule is here, as functions that change nothing; the store keeps what they say, and where
workers race it writes only while the attempt is still what was judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.moves import Move
from lti_bridge.core.records import Attempt, AttemptState, GradeCell, Incoming, OfCell

STATES: tuple[AttemptState, ...] = get_args(AttemptState)
CLOSED: frozenset[AttemptState] = frozenset({"graded", "invalidated", "expired"})
OPEN = frozenset(STATES) - CLOSED
MARKED: frozenset[AttemptState] = frozenset({"finished", "awaiting-marks"})
# Longer than any call to a provider: a start younger than this may still be under way.
UNDER_WAY = timedelta(seconds=45)
GIVE_UP_AFTER = timedelta(days=60)
SILENT_AFTER = timedelta(days=7)
NO_GRADE_AFTER = timedelta(days=2)  # an attempt by LTI, whose tool says nothing before its grade
DECIDES = frozenset({"person", "clock"})  # sources of results that are no word of the provider's

Event = Literal[
    "start", "start again", "started", "not started", "found", "freed", "ended", "left", "forgotten"
]
OnClick = Literal["start", "start again", "wait", "person", "marking", "reviewed", "resume"]
OnLook = Literal["again", "never", "expire"]
Stuck = Literal["", "unclear", "held", "no-grade", "silent"]


def _move(to: AttemptState, *of: AttemptState) -> Move[AttemptState]:
    return Move(frozenset(of), to)


# What results say is in `received`.
MOVES: Mapping[Event, Move[AttemptState]] = {
    # a click takes the right to start: nobody knows how that ends before the provider has answered
    "start": _move("unclear", "created"),
    # and takes over what another one left, where starting twice gives the same attempt
    "start again": _move("unclear", "unclear"),
    # the provider has answered, though a person may have thought that it would not
    "started": _move("started", "unclear", "created"),
    # it certainly did nothing
    "not started": _move("created", "unclear"),
    # a person has looked at the provider: it is there, it is not, or nobody will finish it
    "found": _move("started", "unclear"),
    "freed": _move("created", "unclear"),
    "ended": _move("expired", "unclear"),
    # its link opens another activity now, or its learner is forgotten
    "left": Move(OPEN, "expired"),
    "forgotten": Move(OPEN, "expired"),
}


def on_click(attempt: Attempt, now: datetime, *, repeatable: bool) -> OnClick:
    """What a click does with an attempt of a provider that is called.

    `start`s it, asks the provider to `resume` it, tells that it is `marking` or `reviewed`, or
    that another click is at it (`wait`). A start whose answer was lost is for a `person` unless
    it is `repeatable`, and nothing is bought twice by it.
    """
    if attempt.state in MARKED:
        return "marking"
    if attempt.state == "held":
        return "reviewed"
    if attempt.state == "created":
        return "start"
    if attempt.state != "unclear":
        return "resume"
    if attempt.changed_at and now < attempt.changed_at + UNDER_WAY:
        return "wait"
    return "start again" if repeatable else "person"


def is_news(attempt: Attempt, report: Report) -> bool:
    """Whether what a provider says of an attempt is to be recorded.

    What it was known to say is not, nor, while a result is held, what has no word about that.
    """
    if report.state is None or report.hint:
        return False
    if report.held:
        return not _is_decided(attempt, report.held, report.score)
    if attempt.state == "held" and report.state in MARKED:
        return False
    return report.state != attempt.state or report.score != attempt.score


def received(attempt: Attempt, incoming: Incoming) -> Attempt | None:
    """The attempt after a result; None when there is nothing to record.

    What a provider says is stopped or under review is held for a person, once: what counted
    before goes on counting, and what a person has decided about the same verdict and score stays
    decided. Any other result counts, and ends what was held; but what a person or the clock says
    is no word of the provider's, so that the same verdict is not held again.
    """
    if incoming.held:
        if _is_decided(attempt, incoming.held, incoming.score):
            return None
        return _changed(attempt, "held", attempt.score, incoming.held, incoming.score)
    state = incoming.state or _unsaid(attempt)
    if incoming.source in DECIDES:
        return _changed(attempt, state, incoming.score, attempt.held, attempt.held_score)
    return _changed(attempt, state, incoming.score, "", None)


def _changed(
    attempt: Attempt, state: AttemptState, score: Score | None, held: str, held_score: Score | None
) -> Attempt:
    """As `dataclasses.replace` would, at a third of what that costs every grade message."""
    return Attempt(
        id=attempt.id,
        link_id=attempt.link_id,
        learner_id=attempt.learner_id,
        number=attempt.number,
        activity_id=attempt.activity_id,
        connection=attempt.connection,
        grade_policy=attempt.grade_policy,
        state=state,
        score=score,
        reference=attempt.reference,
        data=attempt.data,
        changed_at=attempt.changed_at,
        held=held,
        held_score=held_score,
    )


def placed(cell: GradeCell, attempt: Attempt, now: datetime) -> GradeCell:
    """The cell with its attempt as `received` left it.

    What is reported late must not open an attempt beside the learner's next one.
    """

    def changed(one: OfCell) -> OfCell:
        if one.attempt_id != attempt.id:
            return one
        if attempt.state == "held" and attempt.held:
            return replace(one, state=attempt.state)
        beside = any(other.is_open for other in cell.attempts if other is not one)
        return OfCell(
            attempt_id=one.attempt_id,
            number=one.number,
            state=attempt.state,
            score=attempt.score,
            scored_at=None if attempt.score is None else now,
            is_open=attempt.state in OPEN and not beside and one.number > 0,
        )

    return GradeCell(
        link_id=cell.link_id,
        learner_id=cell.learner_id,
        version=cell.version,
        score=cell.score,
        awaiting=cell.awaiting,
        target=cell.target,
        attempts=tuple(map(changed, cell.attempts)),
    )


def on_look(state: AttemptState, age: timedelta) -> OnLook:
    """Whether a provider is asked `again` about an attempt that has this age.

    Nobody waits longer than GIVE_UP_AFTER; a held one is a person's, however long that takes.
    """
    if state in CLOSED:
        return "never"
    if age <= GIVE_UP_AFTER:
        return "again"
    return "never" if state == "held" else "expire"


def stuck(
    state: AttemptState,
    *,
    since: timedelta,
    age: timedelta,
    pushing: bool,
    has_place: bool,
    is_watched: bool,
) -> Stuck:
    """Why somebody has to look at an attempt, or nothing; it is `since` then in its state.

    Nobody knows whether it was started, a person has to look at its result, or nothing was heard
    of it for too long: by who can be asked or calls (`is_watched`), or by LTI (`pushing`: nothing
    is heard before the grade), where the LMS has a place for a grade.
    """
    if state == "unclear" and since >= UNDER_WAY:
        return "unclear"
    if state == "held":
        return "held"
    if state == "created" and pushing and has_place and age >= NO_GRADE_AFTER:
        return "no-grade"
    if state in {"started", *MARKED} and is_watched and age >= SILENT_AFTER:
        return "silent"
    return ""


def _is_decided(attempt: Attempt, held: str, score: object) -> bool:
    """Whether this verdict is the one that waits for a person, or that one has decided about."""
    return (held, score) == (attempt.held, attempt.held_score)


def _unsaid(attempt: Attempt) -> AttemptState:
    """The state after a message that names none: a grade is taken back, else nothing changes."""
    return "invalidated" if attempt.state == "graded" else attempt.state
