"""The states of an attempt, as tables: state and event, and what it is then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lti_bridge.core.attempt import states
from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.attempt.states import Event, OnClick, OnLook, Stuck
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import Attempt, AttemptState, GradeCell, Incoming, OfCell

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SEVEN, EIGHT = Score(Decimal(7), Decimal(10)), Score(Decimal(8), Decimal(10))
VERDICT, OTHER = "under review", "stopped"
INSTANT = timedelta(milliseconds=1)


def attempt(
    state: AttemptState, score: Score | None = None, held: str = "", aside: Score | None = None
) -> Attempt:
    """An attempt of this state; `held` is the verdict about it, `aside` the score of that."""
    return Attempt("a", "l", "p", 1, "excel", "c", "best", state, score, "", {}, NOW, held, aside)


# state: what follows each event, in the order of the columns; . is an event that changes nothing
EVENTS: tuple[Event, ...] = (
    "start",
    "start again",
    "started",
    "not started",
    "found",
    "freed",
    "ended",
    "left",
    "forgotten",
)
AFTER = """
created         unclear .       started .       .       .       .       expired expired
unclear         .       unclear started created started created expired expired expired
started         .       .       .       .       .       .       .       expired expired
finished        .       .       .       .       .       .       .       expired expired
awaiting-marks  .       .       .       .       .       .       .       expired expired
held            .       .       .       .       .       .       .       expired expired
graded          .       .       .       .       .       .       .       .       .
invalidated     .       .       .       .       .       .       .       .       .
expired         .       .       .       .       .       .       .       .       .
"""


def test_what_follows_each_event_in_each_state() -> None:
    said = {
        state: [states.MOVES[event].after(state) or "." for event in EVENTS]
        for state in states.STATES
    }
    assert said == {row[0]: row[1:] for row in map(str.split, AFTER.strip().splitlines())}
    assert set(EVENTS) == states.MOVES.keys()


def test_which_states_are_closed() -> None:
    assert {"graded", "invalidated", "expired"} == states.CLOSED
    assert set(states.STATES) == states.OPEN | states.CLOSED


CLICKS: list[tuple[AttemptState, timedelta, OnClick, OnClick]] = [
    # state, since when, what a click does, and where starting twice gives the same attempt
    ("created", timedelta(0), "start", "start"),
    ("created", timedelta(days=9), "start", "start"),
    ("unclear", timedelta(0), "wait", "wait"),
    ("unclear", states.UNDER_WAY - INSTANT, "wait", "wait"),
    ("unclear", states.UNDER_WAY, "person", "start again"),
    ("unclear", timedelta(days=9), "person", "start again"),
    ("started", timedelta(0), "resume", "resume"),
    ("finished", timedelta(0), "marking", "marking"),
    ("awaiting-marks", timedelta(0), "marking", "marking"),
    ("held", timedelta(0), "reviewed", "reviewed"),
    ("graded", timedelta(0), "resume", "resume"),
    ("invalidated", timedelta(0), "resume", "resume"),
    ("expired", timedelta(0), "resume", "resume"),
]


@pytest.mark.parametrize(("state", "since", "once", "twice"), CLICKS)
def test_what_a_click_does(
    state: AttemptState, since: timedelta, once: OnClick, twice: OnClick
) -> None:
    now = NOW + since
    assert states.on_click(attempt(state), now, repeatable=False) == once
    assert states.on_click(attempt(state), now, repeatable=True) == twice


def test_a_click_knows_every_state() -> None:
    assert {state for state, *_ in CLICKS} == set(states.STATES)


# (state, score, verdict and its score) of the attempt; (source, state, score, verdict) of what is
# said; and what the attempt is then: (state, score, verdict and its score), or None
RECEIVED: list[tuple[tuple, tuple, tuple | None]] = [  # type: ignore[type-arg]
    # a provider's word counts, in whatever order it comes
    *(
        ((was, None), ("provider", then, score), (then, score, "", None))
        for was in states.STATES
        for then, score in (
            ("started", None),
            ("finished", None),
            ("awaiting-marks", None),
            ("graded", SEVEN),
            ("invalidated", None),
        )
    ),
    # a correction, and what is taken back
    (("graded", SEVEN), ("provider", "graded", EIGHT), ("graded", EIGHT, "", None)),
    (("graded", SEVEN), ("provider", "finished", SEVEN), ("finished", SEVEN, "", None)),
    (("graded", SEVEN), ("provider", "invalidated", None), ("invalidated", None, "", None)),
    # no word of a state: a grade is taken back, else nothing changes but the score
    (("graded", SEVEN), ("provider", None, None), ("invalidated", None, "", None)),
    (("started", None), ("provider", None, None), ("started", None, "", None)),
    (("held", None, VERDICT, SEVEN), ("provider", None, None), ("held", None, "", None)),
    # a verdict is held, and what counted goes on counting
    *(
        (
            (was, EIGHT),
            ("provider", "graded", SEVEN, VERDICT),
            ("held", EIGHT, VERDICT, SEVEN),
        )
        for was in states.STATES
    ),
    (
        ("held", None, VERDICT, SEVEN),
        ("provider", "graded", EIGHT, VERDICT),
        ("held", None, VERDICT, EIGHT),
    ),
    (
        ("held", None, VERDICT, SEVEN),
        ("provider", "graded", SEVEN, OTHER),
        ("held", None, OTHER, SEVEN),
    ),
    # the same one is held once, also when a person has decided about it
    (("held", None, VERDICT, SEVEN), ("provider", "graded", SEVEN, VERDICT), None),
    (("graded", SEVEN, VERDICT, SEVEN), ("provider", "graded", SEVEN, VERDICT), None),
    (("invalidated", None, VERDICT, None), ("provider", "graded", None, VERDICT), None),
    (
        ("graded", SEVEN, VERDICT, SEVEN),
        ("provider", "graded", EIGHT, VERDICT),
        ("held", SEVEN, VERDICT, EIGHT),
    ),
    # a person, and the clock, end it, and what they decided about stays known
    (
        ("held", None, VERDICT, SEVEN),
        ("person", "graded", SEVEN),
        ("graded", SEVEN, VERDICT, SEVEN),
    ),
    (
        ("held", EIGHT, VERDICT, SEVEN),
        ("person", "invalidated", None),
        ("invalidated", None, VERDICT, SEVEN),
    ),
    (
        ("started", None, VERDICT, SEVEN),
        ("clock", "expired", None),
        ("expired", None, VERDICT, SEVEN),
    ),
    # a later word without a verdict ends it, and forgets it
    (("held", None, VERDICT, SEVEN), ("provider", "graded", EIGHT), ("graded", EIGHT, "", None)),
    (("held", None, VERDICT, SEVEN), ("import", "graded", EIGHT), ("graded", EIGHT, "", None)),
]


@pytest.mark.parametrize(("was", "said", "then"), RECEIVED)
def test_what_a_result_makes_of_an_attempt(was: tuple, said: tuple, then: tuple | None) -> None:  # type: ignore[type-arg]
    source, state, score, held = (*said, "")[:4]
    before = attempt(*was)
    incoming = Incoming(source, "event", state, score, held=held)
    after = states.received(before, incoming)
    assert (after and (after.state, after.score, after.held, after.held_score)) == then
    if after is not None:
        kept = {"state": before.state, "score": before.score}
        assert replace(after, **kept, held=before.held, held_score=before.held_score) == before


NEWS: list[tuple[Attempt, Report, bool]] = [
    (attempt("started"), Report(), False),
    (attempt("started"), Report(state="graded", score=SEVEN, hint=True), False),
    (attempt("started"), Report(state="started"), False),
    (attempt("started"), Report(state="finished"), True),
    (attempt("graded", SEVEN), Report(state="graded", score=SEVEN), False),
    (attempt("graded", SEVEN), Report(state="graded", score=EIGHT), True),
    (attempt("graded", SEVEN), Report(state="invalidated"), True),
    (attempt("finished"), Report(state="graded", score=SEVEN, held=VERDICT), True),
    (
        attempt("held", None, VERDICT, SEVEN),
        Report(state="graded", score=SEVEN, held=VERDICT),
        False,
    ),
    (attempt("held", None, VERDICT, SEVEN), Report(state="graded", score=SEVEN, held=OTHER), True),
    (
        attempt("held", None, VERDICT, SEVEN),
        Report(state="graded", score=EIGHT, held=VERDICT),
        True,
    ),
    (
        attempt("graded", SEVEN, VERDICT, SEVEN),
        Report(state="graded", score=SEVEN, held=VERDICT),
        False,
    ),
    # no word about the verdict
    (attempt("held", None, VERDICT, SEVEN), Report(state="finished"), False),
    (attempt("held", None, VERDICT, SEVEN), Report(state="awaiting-marks"), False),
    (attempt("held", None, VERDICT, SEVEN), Report(state="graded", score=SEVEN), True),
    (attempt("held", None, VERDICT, SEVEN), Report(state="invalidated"), True),
]


@pytest.mark.parametrize(("known", "report", "news"), NEWS)
def test_what_is_news(known: Attempt, report: Report, news: bool) -> None:
    assert states.is_news(known, report) is news


EARLIER = NOW - timedelta(days=1)


def of_cell(number: int, state: AttemptState, *, is_open: bool) -> OfCell:
    return OfCell("a" if number == 1 else "b", number, state, EIGHT, EARLIER, is_open)


def cell(*attempts: OfCell) -> GradeCell:
    return GradeCell("l", "p", 1, None, "", GradeTarget(), attempts)


PLACED: list[tuple[AttemptState, bool, AttemptState, bool, bool]] = [
    # was, and open; is; another one is open; is it open then
    ("started", True, "finished", False, True),
    ("started", True, "graded", False, False),
    ("graded", False, "finished", False, True),
    ("graded", False, "finished", True, False),
    ("graded", False, "graded", True, False),
    ("expired", False, "awaiting-marks", True, False),
    ("invalidated", False, "started", False, True),
]


@pytest.mark.parametrize(("was", "was_open", "state", "beside", "is_open"), PLACED)
def test_a_cell_has_one_open_attempt(
    was: AttemptState, was_open: bool, state: AttemptState, beside: bool, is_open: bool
) -> None:
    other = of_cell(2, "started", is_open=beside)
    now = attempt(state, SEVEN)
    after = states.placed(cell(of_cell(1, was, is_open=was_open), other), now, NOW)
    assert after.attempts == (OfCell("a", 1, state, SEVEN, NOW, is_open), other)


@pytest.mark.parametrize("was_open", [True, False])
def test_what_is_held_leaves_in_its_cell_what_counts(was_open: bool) -> None:
    was = of_cell(1, "graded", is_open=was_open)
    after = states.placed(cell(was), attempt("held", EIGHT, VERDICT, SEVEN), NOW)
    assert after.attempts == (OfCell("a", 1, "held", EIGHT, EARLIER, was_open),)


def test_a_score_that_is_taken_back_counts_no_more() -> None:
    after = states.placed(cell(of_cell(1, "graded", is_open=False)), attempt("invalidated"), NOW)
    assert after.attempts == (OfCell("a", 1, "invalidated", None, None, False),)


LOOKS: dict[AttemptState, tuple[OnLook, OnLook]] = {
    # young, and older than anybody waits
    "created": ("again", "expire"),
    "unclear": ("again", "expire"),
    "started": ("again", "expire"),
    "finished": ("again", "expire"),
    "awaiting-marks": ("again", "expire"),
    "held": ("again", "never"),
    "graded": ("never", "never"),
    "invalidated": ("never", "never"),
    "expired": ("never", "never"),
}


@pytest.mark.parametrize("state", states.STATES)
def test_how_long_a_provider_is_asked(state: AttemptState) -> None:
    young, old = LOOKS[state]
    assert states.on_look(state, timedelta(0)) == young
    assert states.on_look(state, states.GIVE_UP_AFTER) == young
    assert states.on_look(state, states.GIVE_UP_AFTER + INSTANT) == old


NEEDS: list[tuple[AttemptState, timedelta, timedelta, str, Stuck]] = [
    # since, age; p: its tool says nothing before the grade, g: there is a place for a grade, w: it
    # is watched; why somebody has to look
    ("unclear", states.UNDER_WAY, states.UNDER_WAY, "", "unclear"),
    ("unclear", states.UNDER_WAY - INSTANT, timedelta(days=99), "pgw", ""),
    ("held", timedelta(0), timedelta(0), "", "held"),
    ("created", timedelta(0), states.NO_GRADE_AFTER, "pg", "no-grade"),
    ("created", timedelta(days=99), states.NO_GRADE_AFTER - INSTANT, "pgw", ""),
    ("created", timedelta(days=99), timedelta(days=99), "gw", ""),
    ("created", timedelta(days=99), timedelta(days=99), "pw", ""),
    ("started", timedelta(0), states.SILENT_AFTER, "w", "silent"),
    ("finished", timedelta(0), states.SILENT_AFTER, "w", "silent"),
    ("awaiting-marks", timedelta(0), states.SILENT_AFTER, "w", "silent"),
    ("started", timedelta(0), states.SILENT_AFTER - INSTANT, "pgw", ""),
    ("started", timedelta(days=99), timedelta(days=99), "pg", ""),
    ("graded", timedelta(days=99), timedelta(days=99), "pgw", ""),
    ("invalidated", timedelta(days=99), timedelta(days=99), "pgw", ""),
    ("expired", timedelta(days=99), timedelta(days=99), "pgw", ""),
]


@pytest.mark.parametrize(("state", "since", "age", "facts", "why"), NEEDS)
def test_what_needs_somebody(
    state: AttemptState, since: timedelta, age: timedelta, facts: str, why: Stuck
) -> None:
    said = states.stuck(
        state,
        since=since,
        age=age,
        pushing="p" in facts,
        has_place="g" in facts,
        is_watched="w" in facts,
    )
    assert said == why
