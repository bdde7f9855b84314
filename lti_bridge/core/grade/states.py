"""The states of a grade's delivery: what happens to it, and what it is then.

Every rule is here, as functions that change nothing; the store keeps what they say, and where
workers race it writes only while the grade is still what was judged: its version tells, or its
lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from lti_bridge.core.grade.gradebook import Outcome, View
from lti_bridge.core.grade.scores import GradePolicy, Score, Scored, grade_of
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.moves import Move
from lti_bridge.core.records import AttemptState, Delivery, DeliveryState, GradeCell

STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)
SETTLED = frozenset(STATES) - {"none"}
STUCK: frozenset[DeliveryState] = frozenset({"refused", "waiting"})  # nothing more by itself
BEING_MARKED: frozenset[AttemptState] = frozenset({"awaiting-marks", "held"})
SCORE_SCOPE = "/lti-ags/scope/score"
PENDING = "Pending"  # AGS 2.0 section 3.4.8
# How long an LMS, or a worker that was stopped, may be late with a request: so long after a newer
# grade it is looked for, or the newer one is sent once more. What is later still, later looks find.
LATE_FOR = timedelta(seconds=30)
MOST_UNANSWERED = 20
ONCE_MORE = "it is there; sent once more, for an earlier request may be carried out late"

Event = Literal["sent again", "stuck sent again", "column lost", "overtaken"]
AtLaunch = Literal["", "again", "due"]


# What a wish, a launch, a try and a look make of it is in the functions below. Each of these makes
# a new version: an LMS may refuse the time of a score that it was told before.
MOVES: Mapping[Event, Move[DeliveryState]] = {
    # a person wants it sent, whatever became of it, or all that came to nothing
    "sent again": Move(SETTLED, "pending"),
    "stuck sent again": Move(STUCK, "pending"),
    # its column was found empty in the place of another
    "column lost": Move(frozenset({"delivered"}), "pending"),
    # the LMS was told an older version after this one: by a worker that had lost its lease, or by a
    # request that it carried out late
    "overtaken": Move(SETTLED - STUCK, "pending"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a cell is to show: a score, nothing, or that marks are being made (`awaiting`)."""

    score: Score | None
    awaiting: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How a delivery stands after a try. `delivered`: the LMS holds its version now.

    `again`: what it holds is wanted once more, as a new version.
    """

    state: DeliveryState
    due_at: datetime | None
    error: str
    tries: int
    delivered: bool
    again: bool = False


def grade(cell: GradeCell, policy: GradePolicy) -> Score | None:
    """The score that counts of all attempts of a cell.

    What was said of a learner who was not here (number 0) counts until they have a score.
    """
    scored = [
        Scored(one.score, one.scored_at, one.number)
        for one in cell.attempts
        if one.scored_at is not None
    ]
    return grade_of(policy, [one for one in scored if one.attempt_number] or scored)


def wanted(cell: GradeCell, score: Score | None, pending: str) -> Wish | None:
    """What a cell is to show from now on, so that it is pending; None when nothing is new.

    Without a score, an LMS that can hear it is told that marks are being made, if an attempt
    awaits them; in the word `pending`, or in the one that was used before, or Pending. A cell that
    never showed anything is not cleared.
    """
    wish = Wish(score, _awaiting(cell, score, pending))
    if wish == Wish(cell.score, cell.awaiting):
        return None
    if cell.version == 0 and wish == Wish(None, ""):
        return None
    return wish


def at_launch(
    state: DeliveryState, *, overridden: bool, moved: bool, departed: bool, leased: bool
) -> AtLaunch:
    """What a launch, with its place for the grade, does with a delivery.

    One that found no place, and is offered another one now (`moved`), is sent `again`, from the
    first try on. A launch is the LMS's newest word on who is in the course: a grade that waited
    for a learner who had `departed` is `due`.
    """
    if state in STUCK and moved and not overridden:
        return "again"
    if state == "pending" and departed and not leased:
        return "due"
    return ""


def settled(delivery: Delivery, outcome: Outcome, now: datetime, *, superseded: bool) -> Settled:
    """How a delivery stands after a try that ended so.

    A grade that changed while an older version was on its way (`superseded`) is due again at once.
    One that an earlier request may still overtake, where nobody can look, is sent once more.
    """
    delivered = outcome.state == "delivered"
    if superseded:
        return Settled("pending", now, "", 0, delivered)
    if delivered and delivery.overdue and outcome.read_at is None:
        return Settled("pending", now + LATE_FOR, ONCE_MORE, 0, delivered, again=True)
    tries = delivery.tries + (1 if outcome.count_try else 0)
    return Settled(outcome.state, outcome.due_at, outcome.error, tries, delivered)


def unanswered(delivery: Delivery, outcome: Outcome, then: Settled) -> tuple[str, ...]:
    """The values of requests that the LMS may still carry out late, after a try."""
    if then.again:
        return ()
    if then.delivered:
        return delivery.overdue
    sent = (delivery.told[-1],) if outcome.unanswered and delivery.told else ()
    return (*delivery.unanswered, *sent)[-MOST_UNANSWERED:]


def may_have_overtaken(outcome: Outcome) -> bool:
    """Whether the LMS may hold what was sent by a worker that had lost its lease by the end.

    It has taken it, or nobody knows: only what it refused, or was never sent, it has not.
    """
    return outcome.state == "delivered" or (outcome.state == "pending" and outcome.count_try)


def is_free_again(state: DeliveryState, *, overridden: bool, view: View) -> bool:
    """Whether a look has found that the teacher's value is gone that a grade `waiting` waits for.

    Then it is pending, and due.
    """
    return state == "waiting" and overridden and view.overridden is False


def hears_of_marking(target: GradeTarget) -> bool:
    """Whether an LMS can be told that marks are being made.

    AGS has a word for it (AGS 2.0 §3.4.8), Basic Outcomes has none.
    """
    by_outcomes = not target.line_item and target.outcome_url and target.sourced_id
    scores = any(SCORE_SCOPE in scope for scope in target.scopes)
    return bool(target.line_item or target.line_items) and scores and not by_outcomes


def _awaiting(cell: GradeCell, score: Score | None, pending: str) -> str:
    """How the LMS is told that marks are being made; only where that clears no grade of ours."""
    marking = any(one.state in BEING_MARKED for one in cell.attempts)
    if score is not None or not marking or not hears_of_marking(cell.target):
        return ""
    return pending or cell.awaiting or PENDING
