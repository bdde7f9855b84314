"""Tries that fail for now: how long each pause is, and when a person has to look."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from lti_bridge.core.course.learners import Cell, merge
from lti_bridge.core.grade.deliveries import (
    AWAY_S,
    DELAYS_S,
    DEPARTED,
    DEPARTED_FOR,
    GIVE_UP_AFTER,
    Passback,
)
from lti_bridge.core.grade.gradebook import Outcome, Receipt
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.lanes import AWAY_AFTER
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import Delivery, Shown
from lti_bridge.errors import (
    BridgeError,
    DeliveryFailed,
    DeliveryHeld,
    DeliveryRefused,
    LmsAway,
    LmsBusy,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HALF = Score(Decimal(1), Decimal(2))
DUE = Delivery("g", 1, HALF, "campus", "1", "4", GradeTarget(), NOW, tries=0, lease="l")


@dataclass
class Gradebook:
    """An LMS that always answers with this error."""

    error: BridgeError

    def deliver(self, delivery: Delivery) -> Receipt:
        raise self.error

    def readable(self, delivery: Delivery) -> bool:
        return False


@dataclass
class Settled:
    """What is recorded of each try."""

    outcomes: list[Outcome] = field(default_factory=list)

    def settle(self, delivery: Delivery, now: datetime, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def outcomes(
    error: BridgeError, tries: int, spread: float = 0.5, due: Delivery = DUE
) -> list[Outcome]:
    """How the first tries of one grade end."""
    store = Settled()
    passback = Passback(store, Gradebook(error), lambda: NOW, lambda: spread)  # type: ignore[arg-type]
    for number in range(tries):
        passback.deliver(replace(due, tries=number))
    return store.outcomes


@pytest.mark.spec("BR-16", "T11O-09")
@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_pauses_grow_for_a_month_and_then_a_person_has_to_look(spread: float) -> None:
    *passing, last = outcomes(DeliveryFailed("down"), GIVE_UP_AFTER, spread)
    assert {one.state for one in passing} == {"pending"}
    pauses = [one.due_at - NOW for one in passing if one.due_at]
    assert len(pauses) == GIVE_UP_AFTER - 1
    growing = pauses[: len(DELAYS_S)]
    assert all(earlier < later for earlier, later in pairwise(growing))
    assert set(pauses[len(DELAYS_S) :]) == {growing[-1]}
    assert timedelta(days=14) < sum(pauses, timedelta()) < timedelta(days=60)
    assert (last.state, last.due_at, last.error) == ("waiting", None, "down")


@pytest.mark.spec("BR-16")
@pytest.mark.parametrize(
    ("error", "tries"), [(DeliveryRefused("404"), 1), (DeliveryFailed("down"), GIVE_UP_AFTER)]
)
def test_what_is_tried_no_more_stands_on_the_instructors_page(
    error: BridgeError, tries: int
) -> None:
    last = outcomes(error, tries)[-1]
    assert last.due_at is None
    [line] = merge([], [Cell("4", "graded", HALF, last.state)])
    assert line.stage == "refused"


@pytest.mark.spec("T13NR-04")
def test_the_grade_of_somebody_who_has_left_waits_and_is_looked_at_every_day() -> None:
    left = replace(DUE, departed=True)
    refused = DeliveryRefused("the LMS was asked")
    assert outcomes(refused, GIVE_UP_AFTER + 1, due=left) == [
        Outcome("pending", NOW + DEPARTED_FOR, DEPARTED, count_try=False)
    ] * (GIVE_UP_AFTER + 1)
    (sent,) = outcomes(refused, 1, due=replace(left, forced=True))
    assert (sent.state, sent.error) == ("refused", "the LMS was asked")


@dataclass
class Observed:
    """What an observer hears."""

    heard: list[tuple[str, str, float]] = field(default_factory=list)

    def delivered(self, registration: str, outcome: str, seconds: float) -> None:
        self.heard.append((registration, outcome, seconds))

    def asked(self, connection: str, outcome: str) -> None:
        raise AssertionError("no provider was asked")


def test_an_observer_hears_how_each_try_ended_and_how_long_it_took() -> None:
    observed, clock = Observed(), [NOW]

    def tick() -> datetime:
        clock[0] += timedelta(seconds=1)
        return clock[0]

    for error in (DeliveryRefused("no"), DeliveryFailed("down")):
        gradebook = Gradebook(error)
        passback = Passback(Settled(), gradebook, tick, lambda: 0.5, observer=observed)  # type: ignore[arg-type]
        passback.deliver(DUE)
    assert [one[:2] for one in observed.heard] == [("campus", "refused"), ("campus", "pending")]
    assert all(seconds >= 1 for *_, seconds in observed.heard)


@dataclass
class Unreadable(Gradebook):
    """An LMS that shows grades, if it is there, and answers this when it is asked for one."""

    sent: list[Delivery] = field(default_factory=list)

    def deliver(self, delivery: Delivery) -> Receipt:
        self.sent.append(delivery)
        return Receipt()

    def readable(self, delivery: Delivery) -> bool:
        return True

    def read(self, delivery: Delivery) -> Shown:
        raise self.error


def corrected(error: BridgeError) -> tuple[Passback, Settled, Unreadable]:
    store, lms = Settled(), Unreadable(error)
    return Passback(store, lms, lambda: NOW, lambda: 0.5), store, lms  # type: ignore[arg-type]


def test_an_lms_that_does_not_tell_what_it_shows_is_away_too() -> None:
    passback, store, lms = corrected(LmsAway("no answer in time"))
    correction = replace(DUE, delivered_before=True)
    for _ in range(AWAY_AFTER):
        passback.deliver(correction)
    assert passback.lanes.is_away("campus")
    assert lms.sent == []
    pauses = [one.due_at - NOW for one in store.outcomes if one.due_at]
    assert pauses == [timedelta(seconds=AWAY_S)] * AWAY_AFTER
    assert not any(one.count_try for one in store.outcomes)


@pytest.mark.parametrize("due", [replace(DUE, departed=True), DUE], ids=["departed", "held"])
def test_what_was_not_sent_says_nothing_of_the_lms(due: Delivery) -> None:
    store = Settled()
    gradebook = Gradebook(DeliveryHeld("another worker looks for its column"))
    passback = Passback(store, gradebook, lambda: NOW, lambda: 0.5)  # type: ignore[arg-type]
    for _ in range(AWAY_AFTER):
        passback.lanes.unreached("campus")
    passback.deliver(due)
    assert passback.lanes.is_away("campus")


def test_a_grade_that_was_tried_even_more_often_waits_for_a_person() -> None:
    *_, last, after, later = outcomes(DeliveryFailed("down"), GIVE_UP_AFTER + 2)
    assert last == after == later == Outcome("waiting", error="down", unanswered=True)


@dataclass
class Waking(Settled):
    """What was woken, too."""

    woken: list[str] = field(default_factory=list)

    def wake_deliveries(self, registration: str, now: datetime) -> None:
        self.woken.append(registration)


@dataclass
class Moody:
    """An LMS that fails with each of these in turn, and then takes what comes."""

    errors: list[BridgeError]

    def deliver(self, delivery: Delivery) -> Receipt:
        if self.errors:
            raise self.errors.pop(0)
        return Receipt()

    def readable(self, delivery: Delivery) -> bool:
        return False


AWAY, DOWN = LmsAway("503"), DeliveryFailed("500")


@pytest.mark.parametrize(
    ("errors", "times"),
    [
        ([AWAY] * AWAY_AFTER, 2),
        ([DOWN] * AWAY_AFTER, 2),  # maintenance that says 500
        ([DOWN, AWAY, DOWN], 2),
        ([AWAY] * (AWAY_AFTER - 1), 1),
        ([DOWN], 1),  # one grade that cannot be stored is no outage
        ([DeliveryRefused("locked")] * 9, 1),
    ],
)
def test_one_success_after_an_outage_wakes_what_waits(
    errors: list[BridgeError], times: int
) -> None:
    store, lms = Waking(), Moody([])
    passback = Passback(store, lms, lambda: NOW, lambda: 0.5)  # type: ignore[arg-type]
    passback.deliver(DUE)
    assert store.woken == ["campus"]  # this process knows of no time before
    lms.errors = list(errors)
    for _ in range(len(errors) + 3):
        passback.deliver(DUE)
    assert store.woken == ["campus"] * times


def test_what_is_too_much_for_an_lms_has_spent_no_try_and_comes_soon() -> None:
    [busy] = outcomes(LmsBusy("too many", 1), 1, due=replace(DUE, tries=100))
    soon = timedelta(seconds=AWAY_S)
    assert busy == Outcome("pending", NOW + soon, "too many", count_try=False)
