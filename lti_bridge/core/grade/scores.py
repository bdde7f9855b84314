"""Scores as exact decimals, and the one score that a gradebook should show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Literal

from lti_bridge.errors import OutcomeRefused

GradePolicy = Literal["best", "last", "first", "mean"]

DIGITS = 28
_FAR = 100  # powers of ten; beyond it a number is no score but an attempt to exhaust memory


@dataclass(frozen=True, slots=True)
class Score:
    """What was given out of what maximum; `given` above `maximum` is extra credit.

    Equal when both numbers are: 5/10 equals 5.0/10 but not 50/100.
    Raises OutcomeRefused for anything but finite Decimals with a maximum above zero.
    """

    given: Decimal
    maximum: Decimal

    def __post_init__(self) -> None:
        for value in (self.given, self.maximum):
            usable = isinstance(value, Decimal) and value.is_finite()
            if not usable or abs(value.adjusted()) > _FAR:
                raise OutcomeRefused("a score must be a finite decimal number of sensible size")
        if self.maximum <= 0:
            raise OutcomeRefused("the maximum of a score must be above zero")

    def ratio(self) -> Decimal:
        """Given divided by maximum, not clamped, to 28 significant digits."""
        return _decimals().divide(self.given, self.maximum)

    def fraction(self) -> Decimal:
        """The ratio clamped to 0..1, as Basic Outcomes wants it."""
        return min(max(self.ratio(), Decimal(0)), Decimal(1))


@dataclass(frozen=True, slots=True)
class Scored:
    """One result of one attempt; a `score` of None clears what the attempt had before."""

    score: Score | None
    at: datetime
    attempt_number: int


def grade_of(policy: GradePolicy, results: Sequence[Scored]) -> Score | None:
    """The score that counts by `policy`; None when no attempt has a score.

    Each attempt counts once, with its newest result, so a correction or a clear replaces what
    the same attempt had. First, last and ties of the best follow the order of the attempts.
    """
    scores = _standing(results)
    if not scores:
        return None
    if policy == "best":
        return max(scores, key=Score.ratio)  # of equals, max() keeps the earliest
    if policy == "mean":
        return _mean(scores)
    return scores[0] if policy == "first" else scores[-1]


def _standing(results: Sequence[Scored]) -> list[Score]:
    newest: dict[int, Scored] = {}
    for result in sorted(results, key=lambda result: (result.attempt_number, result.at)):
        newest[result.attempt_number] = result
    return [result.score for result in newest.values() if result.score is not None]


def _mean(scores: Sequence[Score]) -> Score:
    maximum = scores[0].maximum
    if all(score.maximum == maximum for score in scores):
        values = [score.given for score in scores]
    else:
        maximum = Decimal(1)
        values = [score.fraction() for score in scores]
    decimals = _decimals()
    total = Decimal(0)
    for value in values:
        total = decimals.add(total, value)
    return Score(decimals.divide(total, Decimal(len(values))), maximum)


def _decimals() -> Context:
    # Our own, so that no caller's precision or trap changes a grade.
    return Context(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
