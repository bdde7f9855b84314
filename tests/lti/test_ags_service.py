"""Reading line items and scores as a platform, and writing exact JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.errors import BadRequest
from lti_bridge.lti import ags_service

GOOD: dict[str, Any] = {
    "userId": "u",
    "timestamp": "2017-04-16T18:54:36.736Z",
    "activityProgress": "Completed",
    "gradingProgress": "FullyGraded",
}


def parsed(**members: Any) -> ags_service.Posted:
    return ags_service.parse_score(json.dumps(GOOD | members).encode())


@pytest.mark.spec("P13AS-10")
def test_the_examples_of_the_specification_are_one_instant() -> None:
    texts = ("36.736+00:00", "36.736Z", "36.736+00", "36.736000Z")
    assert {ags_service.instant(f"2017-04-16T18:54:{text}", "x") for text in texts} == {
        1492368876736000
    }


@pytest.mark.spec("P13AS-10")
@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_the_same_in_every_zone(moment: datetime, one: int, other: int) -> None:
    utc = moment.replace(tzinfo=UTC)
    zones = [timezone(timedelta(minutes=offset)) for offset in (one, other)]
    texts = [utc.astimezone(zone).isoformat() for zone in zones]
    found = {ags_service.instant(text, "x") for text in texts}
    assert found == {(utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)}


@pytest.mark.spec("P13AS-20")
@given(st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=9))
def test_numbers_are_read_and_written_exactly(number: Decimal) -> None:
    text = format(number, "f")
    body = json.dumps(GOOD)[:-1] + f', "scoreGiven": {text}, "scoreMaximum": 1}}'
    score = ags_service.parse_score(body.encode())
    assert score.given == number
    assert Decimal(ags_service.written(score.given)) == number
    assert "E" not in ags_service.written({"a": [number]})


def test_content_is_equal_only_for_what_says_the_same() -> None:
    same = [
        parsed(scoreGiven=0.5, scoreMaximum=1),
        parsed(scoreGiven=0.5, scoreMaximum=1.0, timestamp="2017-04-16T20:54:36.736+02:00"),
        parsed(scoreMaximum=1, scoreGiven=0.5, comment=" ", extension={"a": 1}),
    ]
    assert len({one.content for one in same}) == 1
    changes: list[dict[str, Any]] = [
        {"userId": "v"},
        {"comment": "x"},
        {"scoreGiven": 0.6, "scoreMaximum": 1},
        {"gradingProgress": "Pending"},
        {"submission": {"startedAt": "2017-04-16T18:54:36Z"}},
        {},
    ]
    assert len({parsed(**change).content for change in changes} | {same[0].content}) == 7


@given(st.text(max_size=12))
def test_a_limit_is_a_number_or_refused(text: str) -> None:
    try:
        assert 1 <= ags_service.parse_limit([text]) <= ags_service.MAX_PAGE
        assert text.isascii()
        assert text.isdigit()
    except BadRequest:
        assert not text.isdigit() or not text.strip("0") or len(text) > 9 or not text.isascii()
