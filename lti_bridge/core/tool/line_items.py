"""What LTI 1.3 tools keep at the bridge: line items, and scores that become results and grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.grade.results import Results, own
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.journal.hop import checking, note
from lti_bridge.core.records import Attempt, AttemptState, Incoming, Link, Locked
from lti_bridge.core.tool import absent
from lti_bridge.errors import NotFound, ScoreRefused, StaleScore

FULLY_GRADED = "FullyGraded"
INITIALIZED = "Initialized"
UNDER_WAY = frozenset({INITIALIZED, "Started", "InProgress"})
UNLISTED = (
    "userId is in this context neither by an attempt nor as an active learner of its list of"
    " members, as it was read last"
)
PENDING = frozenset({"Pending", "PendingManual"})


@dataclass(frozen=True, slots=True)
class ToolContext:
    """A course as one connection knows it; `context_id` is the LMS's own."""

    id: str
    connection: str
    registration: str
    deployment_id: str
    context_id: str


@dataclass(frozen=True, slots=True)
class ToolLineItem:
    """A gradebook column of one tool in one course; `link_id` is empty for one without a link.

    `by_tool` False: the bridge declared it for its link. `more` are members that are only kept.
    """

    id: str
    context_id: str
    label: str
    maximum: Decimal
    link_id: str = ""
    resource_id: str = ""
    tag: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    by_tool: bool = True


@dataclass(frozen=True, slots=True)
class ToolScore:
    """The newest score of one learner at one line item; `at` is in microseconds since 1970.

    `score` is what counts now, None when nothing does; `more` are comment, progress and times.
    """

    at: int
    score: Score | None
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScorePost:
    """One score as a tool posted it; times are microseconds since 1970.

    `activity` and `grading` are words of AGS 2.0 sections 3.4.7 and 3.4.8. `content` is equal
    for two posts that say the same.
    """

    user_id: str
    at: int
    activity: str
    grading: str
    score: Score | None
    content: str
    comment: str = ""
    scorer: str = ""
    started_at: int | None = None
    submitted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a score goes: the link of its line item, and whether its scores decide the grade there.

    `learner_id` is whom the tool means, empty for nobody whom it knows; `before` is their newest
    score at this line item.
    """

    link_id: str
    decides: bool
    learner_id: str
    before: ToolScore | None


class ToolTransaction(absent.AbsentSteps, Protocol):
    """The steps of a transaction that are about LTI 1.3 tools."""

    def place(
        self, connection: str, context_id: str, line_item_id: str, user_id: str
    ) -> Place | None:
        """The place of a score at a line item of this connection; None: it has no such line item.

        Nobody deletes the line item meanwhile, and one transaction at a time gets the learner.
        """

    def is_in_context(self, context_id: str, learner_id: str) -> bool:
        """Whether the tool knows them in this course: by an attempt, or from the list."""

    def save_member(self, context_id: str, learner_id: str, *, listed: bool) -> None:
        """Remember whether this course's list, as the tool read it last, has this learner."""

    def save_tool_score(self, line_item_id: str, learner_id: str, score: ToolScore) -> bool:
        """Keep the score; False when one of the same time or a later one is there."""

    def save_outcome(self, attempt: Attempt, score: Score | None, at: int) -> None:
        """Let the line item of the attempt's link show what Basic Outcomes said."""

    def save_tool_user(self, connection: str, user_id: str, learner_id: str) -> None:
        """Remember by which id a tool knows a learner."""


class ToolStore(Protocol):
    """Line items and scores of LTI 1.3 tools. Every method is one transaction."""

    def transaction(self) -> AbstractContextManager[ToolTransaction]:
        """Several steps as one."""

    def context(self, connection: str, context_id: str) -> ToolContext | None:
        """A course of this connection."""

    def link_in(self, context: ToolContext, link_id: str) -> Link | None:
        """A link of this course."""

    def add(self, item: ToolLineItem, now: datetime) -> None:
        """Keep a new line item."""

    def line_item(self, context_id: str, line_item_id: str) -> ToolLineItem | None:
        """One line item of a course."""

    def line_items(
        self, context_id: str, filters: Mapping[str, str], after: str, limit: int
    ) -> Sequence[ToolLineItem]:
        """Line items in the order of their ids; filters: link_id, resource_id, tag."""

    def change(self, item: ToolLineItem) -> bool:
        """Keep the new definition of a line item; False when it is gone."""

    def remove(self, line_item_id: str) -> bool:
        """Delete a line item with its scores, unless the bridge declared it; whether it did."""

    def scores(
        self, line_item_id: str, connection: str, user_id: str, after: str, limit: int
    ) -> Sequence[tuple[str, ToolScore]]:
        """Learners and their scores that count, always in the same order.

        `user_id` leaves at most one, `after` those behind that user, both as the connection
        knows them; empty: all.
        """


@dataclass(frozen=True, slots=True)
class ToolGrades:
    """Takes scores from LTI 1.3 tools, by AGS and by Basic Outcomes, which share one cell."""

    store: ToolStore
    results: Results
    catalogue: Catalogue

    def take(
        self, connection: str, context_id: str, line_item_id: str, post: ScorePost, now: datetime
    ) -> None:
        """Take one AGS score; when this returns, it is on disk and on its way.

        The same score again changes nothing. A learner whom the tool has read in the course's list
        needs not have been here. Raises NotFound for what is not this connection's, ScoreRefused
        for a user who is not in the list or for whose grade there is no place, StaleScore for an
        older timestamp.
        """
        with self.store.transaction() as tx:
            due = self._take(tx, connection, context_id, line_item_id, post, now)
        if due:
            self.results.wake()

    def record(self, attempt_id: str, connection: str, incoming: Incoming, now: datetime) -> None:
        """Record what a Basic Outcome said; OutcomeRefused when the attempt is another's."""
        with self.store.transaction() as tx:
            locked = own(tx, attempt_id, connection)
            due = self.results.keep(tx, locked, incoming, now)
            tx.save_outcome(locked.attempt, incoming.score, int(now.timestamp() * 1_000_000))
        if due:
            self.results.wake()

    def read(self, attempt_id: str, connection: str) -> Attempt:
        """The attempt with its present score; OutcomeRefused when it is another's."""
        with self.store.transaction() as tx:
            return own(tx, attempt_id, connection).attempt

    def _take(
        self,
        tx: ToolTransaction,
        connection: str,
        context_id: str,
        line_item_id: str,
        post: ScorePost,
        now: datetime,
    ) -> bool:
        place = tx.place(connection, context_id, line_item_id, post.user_id)
        if place is None:
            raise NotFound("no such line item")
        checking("user")
        learner_id, before = place.learner_id, place.before
        if not learner_id:
            raise NotFound("userId is not known in this context")
        note(learner=learner_id, link=place.link_id)
        locked = None
        if place.decides:
            locked = tx.lock_newest(place.link_id, learner_id, connection)
        if locked is None:
            if not tx.is_in_context(context_id, learner_id):
                raise ScoreRefused(UNLISTED)
            if place.decides:
                locked = self._unseen(tx, place.link_id, learner_id, connection, now)
        if not tx.save_tool_score(line_item_id, learner_id, _kept(before, post)):
            if before and (before.at, before.more.get("content")) == (post.at, post.content):
                return False
            raise StaleScore("a score with this timestamp or a later one is there")
        if locked is None:  # nobody's grade hangs on this line item
            return False
        incoming = _incoming(locked.attempt, line_item_id, post)
        return self.results.keep(tx, locked, incoming, now)

    def _unseen(
        self, tx: ToolTransaction, link_id: str, learner_id: str, connection: str, now: datetime
    ) -> Locked | None:
        new_id = self.results.new_id
        return absent.begin(tx, link_id, learner_id, connection, self.catalogue, new_id, now)


def _incoming(attempt: Attempt, line_item_id: str, post: ScorePost) -> Incoming:
    """What the score means for the attempt; only one that is fully graded is a grade."""
    score = post.score
    if score is not None and post.grading != FULLY_GRADED:
        score = attempt.score
    raw = {"activityProgress": post.activity, "gradingProgress": post.grading}
    if post.score is not None:
        raw |= {"scoreGiven": str(post.score.given), "scoreMaximum": str(post.score.maximum)}
    pending = post.grading if post.grading in PENDING else ""
    return Incoming("ags", f"ags:{line_item_id}:{post.at}", _state(post), score, raw, pending)


def _state(post: ScorePost) -> AttemptState | None:
    if post.grading == FULLY_GRADED:
        return None if post.score is None else "graded"
    if post.activity in UNDER_WAY:
        return "started"
    return "awaiting-marks" if post.grading in PENDING else "finished"


def _kept(before: ToolScore | None, post: ScorePost) -> ToolScore:
    """The row after this post (AGS section 3.4.10 for the times of the submission).

    What the tool said about an earlier score in a comment goes with that score.
    """
    former = before.more if before else {}
    started_at = post.started_at or former.get("startedAt")
    submitted_at = post.submitted_at or former.get("submittedAt")
    if post.activity == INITIALIZED:
        started_at = submitted_at = None
    elif post.activity in UNDER_WAY:
        started_at, submitted_at = started_at or post.at, None
    else:
        submitted_at = submitted_at or post.at
    score = post.score
    if score is not None and post.grading != FULLY_GRADED:
        score = before.score if before else None
    more = {
        "activityProgress": post.activity,
        "gradingProgress": post.grading,
        "comment": post.comment,
        "scoringUserId": post.scorer,
        "startedAt": started_at,
        "submittedAt": submitted_at,
        "content": post.content,
    }
    return ToolScore(post.at, score, {name: value for name, value in more.items() if value})
