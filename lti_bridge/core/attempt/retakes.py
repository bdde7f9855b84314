"""Coming back to a link whose test is over: nobody begins, or buys, another one unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lti_bridge.core.attempt import limits
from lti_bridge.core.attempt.states import CLOSED
from lti_bridge.core.grade.scores import Score, grade_of
from lti_bridge.core.launch.handoff import ConfirmPage
from lti_bridge.core.records import Activity, Adjustment, Begun
from lti_bridge.core.store import Transaction
from lti_bridge.errors import NotAvailable

HUNDRED = Decimal(100)
CENTS = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Again:
    """The next attempt, which nobody has asked for yet.

    `number` is the one that it would have at its link, and the proof that it was asked for is
    good for no other. `place` counts it among those at its activity, of which `allowed` may be
    made (0: any number). `said` tells what the learner has so far, in words. With a `refusal` it
    may not begin.
    """

    number: int
    place: int
    allowed: int
    said: str
    refusal: NotAvailable | None = None

    def ask(self) -> ConfirmPage:
        """The question. Raises the refusal, which tells what the learner has, too."""
        if self.refusal is not None:
            raise self.refusal
        of = f" of {self.allowed}" if self.allowed else ""
        return ConfirmPage(
            title=f"{self.said} Start attempt {self.place}{of}?",
            paragraphs=("Nothing begins until you press the button.",),
            button=f"Start attempt {self.place}",
            token="",
            number=self.number,
        )


def is_over(activity: Activity, begun: Sequence[Begun], *, switched: bool) -> bool:
    """Whether attempts at this activity are over, of those that have `begun` at the link.

    An attempt at another activity that is still open (`switched`) means that its link was changed;
    what was only left behind by such a change is no attempt that is over. Nor is one that another
    click at the same moment has just begun.
    """
    over = {one.state for one in begun if one.activity_id == activity.id} & CLOSED
    goes_on = switched or any(one.state not in CLOSED for one in begun)
    return bool(over - {"expired"} if goes_on else over)


def offer(
    tx: Transaction,
    activity: Activity,
    begun: Sequence[Begun],
    more: Adjustment,
    now: datetime,
) -> Again:
    """What to ask a learner who has `begun` before at this link, at this activity among others."""
    last = begun[-1]
    at_activity = [one for one in begun if one.activity_id == activity.id]
    scores = tx.scores(last.link.id, last.learner_id)
    numbers = {one.number for one in at_activity}
    score = grade_of(activity.grade, [one for one in scores if one.attempt_number in numbers])
    said = f"You have {shown(score, activity.maximum)}." if score else "Your last attempt is over."
    refusal = None
    try:
        limits.check_start(activity, more, len(at_activity), last.created_at, now)
    except NotAvailable as refused:
        refusal = refused.saying(said)
    allowed = activity.attempts + more.extra_attempts if activity.attempts else 0
    return Again(last.number + 1, len(at_activity) + 1, allowed, said, refusal)


def shown(score: Score, maximum: str) -> str:
    """A score as learners read it: of the column's maximum; of 100 where it is a fraction."""
    most = Decimal(maximum) if maximum else HUNDRED if score.maximum == 1 else score.maximum
    given = (score.given * most / score.maximum).quantize(CENTS)
    return f"{_plain(given)} of {_plain(most)}"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
