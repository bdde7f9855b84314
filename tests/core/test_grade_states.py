"""The states of a grade's delivery, as tables: state and event, and what it is then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from lti_bridge.core.grade import states
from lti_bridge.core.grade.gradebook import Outcome, View
from lti_bridge.core.grade.scores import GradePolicy, Score
from lti_bridge.core.grade.states import AtLaunch, Event, Settled, Wish
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import AttemptState, Delivery, DeliveryState, GradeCell, OfCell

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
SEVEN, EIGHT = Score(Decimal(7), Decimal(10)), Score(Decimal(8), Decimal(10))
SCOPES = (
    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
    "https://purl.imsglobal.org/spec/lti-ags/scope/score",
)
AGS = GradeTarget("", "", "https://lms/item", "", SCOPES)
OUTCOMES = GradeTarget("https://lms/outcomes", "cell", "", "", ())

EVENTS: tuple[Event, ...] = ("sent again", "stuck sent again", "column lost", "overtaken")
AFTER = """
none       .        .        .        .
pending    pending  .        .        pending
delivered  pending  .        pending  pending
refused    pending  pending  .        .
waiting    pending  pending  .        .
"""


def test_what_follows_each_event_in_each_state() -> None:
    said = {
        state: [states.MOVES[event].after(state) or "." for event in EVENTS]
        for state in states.STATES
    }
    assert said == {row[0]: row[1:] for row in map(str.split, AFTER.strip().splitlines())}
    assert set(EVENTS) == states.MOVES.keys()


def test_what_was_said_of_the_absent_counts_until_they_have_a_score() -> None:
    """A zero that a tool wrote before a learner was here is none of their attempts."""
    zero = Score(Decimal(0), Decimal(10))
    absent = OfCell("a0", 0, "graded", zero, NOW, False)
    begun = OfCell("a1", 1, "started", None, None, True)
    graded = OfCell("a1", 1, "graded", SEVEN, NOW, False)
    policies: tuple[GradePolicy, ...] = ("best", "last", "first", "mean")
    for policy in policies:
        here = GradeCell("l", "p", 1, zero, "", AGS, (absent, begun))
        assert states.grade(here, policy) == zero
        done = GradeCell("l", "p", 1, zero, "", AGS, (absent, graded))
        assert states.grade(done, policy) == SEVEN


def cell(
    version: int,
    score: Score | None,
    awaiting: str = "",
    target: GradeTarget = AGS,
    *attempts: AttemptState,
) -> GradeCell:
    """A cell that wants this, with attempts in these states."""
    ours = tuple(
        OfCell(f"a{number}", number, state, None, None, True)
        for number, state in enumerate(attempts, 1)
    )
    return GradeCell("l", "p", version, score, awaiting, target, ours)


WANTED: list[tuple[GradeCell, Score | None, str, Wish | None]] = [
    # the cell, the score that counts, the tool's word of marks to come, and the wish
    (cell(0, None), SEVEN, "", Wish(SEVEN, "")),
    (cell(0, None), None, "", None),
    (cell(1, SEVEN), SEVEN, "", None),
    (cell(1, SEVEN), Score(Decimal("7.0"), Decimal(10)), "", None),
    (cell(1, SEVEN), EIGHT, "", Wish(EIGHT, "")),
    (
        cell(1, SEVEN),
        Score(Decimal(70), Decimal(100)),
        "",
        Wish(Score(Decimal(70), Decimal(100)), ""),
    ),
    (cell(2, SEVEN), None, "", Wish(None, "")),
    (cell(2, None), None, "", None),
    # marks are being made: AGS has a word for it, and only where it clears no grade of ours
    (cell(0, None, "", AGS, "awaiting-marks"), None, "", Wish(None, "Pending")),
    (cell(0, None, "", AGS, "held"), None, "", Wish(None, "Pending")),
    (cell(0, None, "", AGS, "held"), None, "PendingManual", Wish(None, "PendingManual")),
    (cell(0, None, "", AGS, "graded", "awaiting-marks"), None, "", Wish(None, "Pending")),
    (cell(0, None, "", AGS, "finished"), None, "Pending", None),
    (cell(0, None, "", AGS, "started"), None, "", None),
    (cell(1, None, "PendingManual", AGS, "held"), None, "", None),
    (cell(1, None, "PendingManual", AGS, "held"), None, "Pending", Wish(None, "Pending")),
    (cell(1, None, "Pending", AGS, "graded"), SEVEN, "", Wish(SEVEN, "")),
    (cell(1, None, "Pending", AGS, "expired"), None, "", Wish(None, "")),
    (cell(1, SEVEN, "", AGS, "graded", "awaiting-marks"), SEVEN, "Pending", None),
    (cell(0, None, "", OUTCOMES, "awaiting-marks"), None, "Pending", None),
]


@pytest.mark.parametrize(("was", "score", "pending", "wish"), WANTED)
def test_what_a_cell_wants(
    was: GradeCell, score: Score | None, pending: str, wish: Wish | None
) -> None:
    assert states.wanted(was, score, pending) == wish


HEARS: list[tuple[GradeTarget, bool]] = [
    (AGS, True),
    (GradeTarget("", "", "", "https://lms/items", SCOPES), True),
    (GradeTarget("", "", "https://lms/item", "", SCOPES[:1]), False),
    (GradeTarget("", "", "", "", SCOPES), False),
    (OUTCOMES, False),
    # Basic Outcomes is used where only a container is offered beside it
    (GradeTarget("https://lms/outcomes", "cell", "", "https://lms/items", SCOPES), False),
    (GradeTarget("https://lms/outcomes", "cell", "https://lms/item", "", SCOPES), True),
    (GradeTarget("https://lms/outcomes", "", "", "https://lms/items", SCOPES), True),
]


@pytest.mark.parametrize(("target", "hears"), HEARS)
def test_who_hears_that_marks_are_being_made(target: GradeTarget, hears: bool) -> None:
    assert states.hears_of_marking(target) is hears


@pytest.mark.parametrize(
    ("policy", "score"), [("best", EIGHT), ("last", SEVEN), ("first", EIGHT), ("mean", None)]
)
def test_only_attempts_with_a_result_count(policy: GradePolicy, score: Score | None) -> None:
    attempts = (
        OfCell("a1", 1, "graded", EIGHT, NOW, False),
        OfCell("a2", 2, "graded", SEVEN, NOW, False),
        OfCell("a3", 3, "started", None, None, True),
    )
    mean = Score(Decimal("7.5"), Decimal(10))
    was = GradeCell("l", "p", 1, None, "", AGS, attempts)
    assert states.grade(was, policy) == (score or mean)


def expected_at_launch(
    state: str, overridden: bool, moved: bool, departed: bool, leased: bool
) -> AtLaunch:
    if (state, overridden, moved) in {("refused", False, True), ("waiting", False, True)}:
        return "again"
    return "due" if (state, departed, leased) == ("pending", True, False) else ""


@pytest.mark.parametrize("state", states.STATES)
def test_what_a_launch_does(state: DeliveryState) -> None:
    for overridden, moved, departed, leased in product((False, True), repeat=4):
        said = states.at_launch(
            state, overridden=overridden, moved=moved, departed=departed, leased=leased
        )
        assert said == expected_at_launch(state, overridden, moved, departed, leased)


def delivery(tries: int) -> Delivery:
    return Delivery("g", 3, SEVEN, "lms", "", "u", AGS, NOW, tries, "lease")


SETTLES: list[tuple[Outcome, Settled, Settled]] = [
    # the outcome, after two tries before; how it stands; and if the grade has changed meanwhile
    (
        Outcome("delivered"),
        Settled("delivered", None, "", 3, True),
        Settled("pending", NOW, "", 0, True),
    ),
    (
        Outcome("pending", LATER, "HTTP 503"),
        Settled("pending", LATER, "HTTP 503", 3, False),
        Settled("pending", NOW, "", 0, False),
    ),
    (
        Outcome("pending", LATER, "another one is at it", count_try=False),
        Settled("pending", LATER, "another one is at it", 2, False),
        Settled("pending", NOW, "", 0, False),
    ),
    (
        Outcome("refused", error="HTTP 422"),
        Settled("refused", None, "HTTP 422", 3, False),
        Settled("pending", NOW, "", 0, False),
    ),
    (
        Outcome("waiting", error="a teacher's value"),
        Settled("waiting", None, "a teacher's value", 3, False),
        Settled("pending", NOW, "", 0, False),
    ),
]


@pytest.mark.parametrize(("outcome", "then", "superseded"), SETTLES)
def test_how_a_try_ends(outcome: Outcome, then: Settled, superseded: Settled) -> None:
    assert states.settled(delivery(2), outcome, NOW, superseded=False) == then
    assert states.settled(delivery(2), outcome, NOW, superseded=True) == superseded


@pytest.mark.parametrize("state", states.STATES)
def test_what_waits_for_a_teachers_value_is_free_when_a_look_finds_it_gone(
    state: DeliveryState,
) -> None:
    for overridden, now_overridden in product((False, True), (None, False, True)):
        view = View("-", now_overridden, None)
        said = states.is_free_again(state, overridden=overridden, view=view)
        assert said is ((state, overridden, now_overridden) == ("waiting", True, False))
