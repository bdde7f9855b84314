"""What instructors may ask of an activity: the bounds that the form and its page name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from lti_bridge.core.course.placements import Terms


@pytest.mark.parametrize(
    ("name", "least", "most", "step"),
    [
        ("maximum", "0.01", "10000", "0.01"),
        ("attempts", "0", "100", "1"),
        ("days_between", "0", "365", "1"),
    ],
)
def test_bounds_are_taken_and_what_is_beyond_is_not(
    name: str, least: str, most: str, step: str
) -> None:
    for value in (least, most):
        assert getattr(terms(**{name: value}), name) == Decimal(value)
    for value in (Decimal(least) - Decimal(step), Decimal(most) + Decimal(step)):
        with pytest.raises(ValidationError) as caught:
            terms(**{name: str(value)})
        assert [one["loc"] for one in caught.value.errors()] == [(name,)]


def test_what_an_activity_is_when_nothing_is_asked_for() -> None:
    assert terms().model_dump(exclude={"title"}) == {
        "maximum": 100,
        "grade": "best",
        "attempts": 0,
        "days_between": 0,
        "opens_at": None,
        "closes_at": None,
        "ungraded": False,
        "label": "",
    }


def terms(**values: Any) -> Terms:
    return Terms(title="A test", **values)
