"""Both grade scales, for every type of grade that Isograd documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.providers.answers import decimal_of
from lti_bridge.providers.isograd.client import Result
from lti_bridge.providers.isograd.grades import as_isograd, fraction


def result(kind: int | None, num: Any, top: Any = None, text: str = "") -> Result:
    return Result(kind, num, top, text, 60)


@pytest.mark.parametrize(
    ("kind", "num", "top", "by_isograd", "by_maximum"),
    [
        (1, 5, 5, "0.5", "1"),
        (1, 3, 5, "0.3", "0.6"),
        (2, Decimal("750.5"), 1000, "0.7505", "0.7505"),
        (3, "1000", "1000", "1", "1"),
        (4, 27, 30, "0.9", "0.9"),
        (5, Decimal("175.5"), 1000, "0.1755", "0.1755"),
        (15, 100, 100, "0.1", "1"),
        (15, Decimal("62.5"), 100, "0.0625", "0.625"),
    ],
)
def test_both_scales(kind: int, num: Any, top: Any, by_isograd: str, by_maximum: str) -> None:
    asked = result(kind, num, top)
    assert as_isograd(asked).ratio() == Decimal(by_isograd)
    assert fraction(asked).ratio() == Decimal(by_maximum)


@pytest.mark.parametrize(
    ("num", "text", "middle"),
    [
        (0, "", "175.5"),
        (1, "", "175.5"),
        (349, "", "175.5"),
        (350, "", "525"),
        (699, "", "525"),
        (700, "", "850"),
        (1000, "", "850"),
        (350, "1-350", "175.5"),
        (700, "350 – 700", "525"),
        ("700-1000", "", "850"),
        ("?", "700-1000", "850"),
        (400, "400/1000", "525"),
        (400, "2021-2022", "525"),
    ],
)
def test_a_range_counts_as_its_middle(num: Any, text: str, middle: str) -> None:
    assert as_isograd(result(5, num, 1000, text)).given == Decimal(middle)


@pytest.mark.parametrize("num", [1001, -1, "high", None])
def test_no_range_no_grade(num: Any) -> None:
    assert as_isograd(result(5, num, 1000)) is None


@pytest.mark.parametrize("kind", [None, 0, 6, 99])
def test_an_unknown_type_has_a_fraction_only(kind: int | None) -> None:
    assert as_isograd(result(kind, 5, 10)) is None
    assert fraction(result(kind, 5, 10)).ratio() == Decimal("0.5")


@pytest.mark.parametrize(
    ("num", "top"),
    [
        (None, 10),
        ("x", 10),
        (True, 10),
        ([5], 10),
        ("NaN", 10),
        ("Infinity", 10),
        (Decimal("1e500"), 10),
        (5, None),
        (5, 0),
        (5, -10),
        (5, "many"),
    ],
)
def test_no_number_no_grade(num: Any, top: Any) -> None:
    assert fraction(result(2, num, top)) is None
    assert as_isograd(result(4, num, top)) is None


@given(st.one_of(st.integers(), st.text(), st.none(), st.decimals(), st.lists(st.integers())))
def test_whatever_comes_is_a_number_or_nothing(value: object) -> None:
    number = decimal_of(value)
    assert number is None or number.is_finite()
    for kind in (1, 4, 5, 15):
        for score in (as_isograd(result(kind, value, 5)), fraction(result(kind, value, value))):
            assert score is None or score.maximum > 0
