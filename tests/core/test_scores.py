"""Scores and the policies that pick the one for the gradebook."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.core.grade.scores import Score, Scored, grade_of
from lti_bridge.errors import OutcomeRefused

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

amounts = st.decimals(0, 1000, places=3)
maxima = st.decimals("0.001", 1000, places=3)
scores = st.builds(Score, amounts, maxima)
sittings = st.lists(st.none() | scores, max_size=6)


def score(given: str, maximum: str) -> Score:
    return Score(Decimal(given), Decimal(maximum))


def scored(value: Score | None, number: int, minutes: int = 0) -> Scored:
    return Scored(value, NOON + timedelta(minutes=minutes), number)


def one_each(values: list[Score | None]) -> list[Scored]:
    return [scored(value, number) for number, value in enumerate(values, 1)]


@pytest.mark.parametrize("maximum", ["0", "-0", "-1", "NaN", "Infinity"])
def test_no_usable_maximum_means_no_score(maximum: str) -> None:
    with pytest.raises(OutcomeRefused):
        score("1", maximum)


@pytest.mark.parametrize(
    "given", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E-999999"]
)
def test_only_finite_numbers_of_sensible_size_are_scores(given: str) -> None:
    with pytest.raises(OutcomeRefused):
        score(given, "1")


@pytest.mark.parametrize("number", [0.5, 1, "1"])
def test_only_decimals_are_taken(number: object) -> None:
    with pytest.raises(OutcomeRefused):
        Score(number, Decimal(1))  # type: ignore[arg-type]  # the point of the test


def test_zero_is_a_score() -> None:
    assert score("0", "10").fraction() == 0
    assert grade_of("best", [scored(score("0", "10"), 1)]) == score("0", "10")


@pytest.mark.spec("BR-10")
@pytest.mark.parametrize(
    ("given", "maximum", "fraction"),
    [
        ("363", "1000", "0.363"),
        ("2", "3", "0.6666666666666666666666666667"),
        ("12", "10", "1"),
        ("-1", "10", "0"),
        ("0.1", "0.3", "0.3333333333333333333333333333"),
    ],
)
def test_fraction_is_exact_and_clamped(given: str, maximum: str, fraction: str) -> None:
    assert score(given, maximum).fraction() == Decimal(fraction)


def test_the_callers_precision_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        assert score("2", "3").fraction() == Decimal("0.6666666666666666666666666667")
    assert getcontext().prec == 28


def test_scores_are_equal_by_value() -> None:
    assert score("5", "10") == score("5.00", "1E+1")
    assert hash(score("5", "10")) == hash(score("5.00", "1E+1"))
    assert score("5", "10") != score("50", "100")


@given(scores)
def test_fraction_stays_between_zero_and_one(value: Score) -> None:
    assert 0 <= value.fraction() <= 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("best", "8"), ("last", "5"), ("first", "3"), ("mean", "5.25")],
)
def test_each_policy(policy: str, expected: str) -> None:
    results = one_each([score(given, "10") for given in ("3", "8", "5", "5")])
    assert grade_of(policy, results) == score(expected, "10")


def test_mean_over_different_maxima_is_a_fraction() -> None:
    results = one_each([score("5", "10"), score("100", "100")])
    assert grade_of("mean", results) == score("0.75", "1")


def test_of_equal_bests_the_earliest_counts() -> None:
    results = one_each([score("1", "10"), score("5", "10"), score("50", "100")])
    assert grade_of("best", results) == score("5", "10")


def test_extra_credit_beats_the_maximum() -> None:
    results = one_each([score("10", "10"), score("12", "10")])
    assert grade_of("best", results) == score("12", "10")


@pytest.mark.parametrize("policy", ["best", "last", "first", "mean"])
def test_a_cleared_attempt_counts_for_nothing(policy: str) -> None:
    results = [scored(score("9", "10"), 1), scored(None, 1, minutes=5), scored(score("4", "10"), 2)]
    assert grade_of(policy, results) == score("4", "10")
    assert grade_of(policy, results[:2]) is None


@pytest.mark.parametrize("policy", ["best", "mean"])
def test_a_correction_replaces_the_score_of_its_attempt(policy: str) -> None:
    results = [scored(score("4", "10"), 1, minutes=5), scored(score("9", "10"), 1)]
    assert grade_of(policy, results) == score("4", "10")


def test_last_means_the_last_attempt_even_if_graded_earlier() -> None:
    results = [scored(score("7", "10"), 2), scored(score("3", "10"), 1, minutes=60)]
    assert grade_of("last", results) == score("7", "10")
    assert grade_of("first", results) == score("3", "10")


@given(sittings, st.sampled_from(["best", "last", "first", "mean"]), st.randoms())
def test_the_order_of_the_rows_does_not_matter(values: list, policy: str, random: object) -> None:
    results = one_each(values)
    shuffled = list(results)
    random.shuffle(shuffled)
    assert grade_of(policy, shuffled) == grade_of(policy, results)


@given(sittings)
def test_policies_pick_within_what_was_scored(values: list) -> None:
    results = one_each(values)
    there = [value for value in values if value is not None]
    if not there:
        assert all(
            grade_of(policy, results) is None for policy in ("best", "last", "first", "mean")
        )
        return
    ratios = [value.ratio() for value in there]
    assert grade_of("best", results).ratio() == max(ratios)
    assert grade_of("first", results) == there[0]
    assert grade_of("last", results) == there[-1]
    fractions = [value.fraction() for value in there]
    mean = grade_of("mean", results).fraction()
    tiny = Decimal("1E-25")
    assert min(fractions) - tiny <= mean <= max(fractions) + tiny
