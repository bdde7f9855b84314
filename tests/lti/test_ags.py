"""AGS addresses, bodies and answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from lti_bridge.errors import DeliveryFailed, DeliveryRefused
from lti_bridge.lti import ags

NOON = datetime(2017, 4, 16, 18, 54, 36, 736_900, tzinfo=UTC)


def body(**changes: Any) -> bytes:
    values: dict[str, Any] = {
        "user_id": "u",
        "score": Decimal("83.50"),
        "maximum": Decimal(100),
        "timestamp": NOON,
        "activity": "Completed",
        "grading": "FullyGraded",
    }
    return ags.score_body(**(values | changes))


@pytest.mark.spec("T13AG-01", "T13AG-02")
@pytest.mark.parametrize(
    ("line_item", "scores"),
    [
        ("https://lms.example.edu/42?type_id=1", "https://lms.example.edu/42/scores?type_id=1"),
        ("https://lms.example.edu/42", "https://lms.example.edu/42/scores"),
        ("https://lms.example.edu/42/", "https://lms.example.edu/42/scores"),
        ("https://lms.example.edu/a;b=1?q=x/y?z", "https://lms.example.edu/a;b=1/scores?q=x/y?z"),
        ("https://lms.example.edu/42?a=%2F#f", "https://lms.example.edu/42/scores?a=%2F"),
    ],
)
def test_service_addresses_extend_the_path_and_keep_the_query(line_item: str, scores: str) -> None:
    assert ags.scores_url(line_item) == scores
    results = ags.results_url(line_item, "a&b ü")
    assert results.startswith(scores.replace("/scores", "/results"))
    assert results.endswith(f"{'&' if '?' in scores else '?'}user_id=a%26b%20%C3%BC")


@pytest.mark.spec("T13AG-08")
def test_a_score_is_compact_json_with_exact_numbers() -> None:
    assert body(comment='"well" done\nü') == (
        b'{"userId":"u","scoreGiven":83.50,"scoreMaximum":100,'
        b'"timestamp":"2017-04-16T18:54:36.736Z","activityProgress":"Completed",'
        b'"gradingProgress":"FullyGraded","comment":"\\"well\\" done\\n\\u00fc"}'
    )


@pytest.mark.parametrize(
    ("score", "text"),
    [
        ("0.1", b'"scoreGiven":0.1,'),
        ("0", b'"scoreGiven":0,'),
        ("1E+2", b'"scoreGiven":100,'),
        ("0.333333333333333333333333333333", b'"scoreGiven":0.333333333333333333333333333333,'),
        ("1E-7", b'"scoreGiven":0.0000001,'),
        ("120", b'"scoreGiven":120,'),
    ],
)
def test_no_digit_is_lost(score: str, text: bytes) -> None:
    assert text in body(score=Decimal(score))


@pytest.mark.spec("T13AG-04")
@pytest.mark.parametrize(
    ("score", "maximum"),
    [("-1", "100"), ("NaN", "100"), ("1", "0"), ("1", "-5"), ("1", "Infinity"), ("1", None)],
)
def test_impossible_numbers_are_refused(score: str, maximum: str | None) -> None:
    with pytest.raises(DeliveryRefused):
        body(score=Decimal(score), maximum=None if maximum is None else Decimal(maximum))


@pytest.mark.spec("T13AG-04")
def test_more_than_the_maximum_may_be_given() -> None:
    sent = json.loads(body(score=Decimal("1.1"), maximum=Decimal(1)))
    assert (sent["scoreGiven"], sent["scoreMaximum"]) == (1.1, 1)


@pytest.mark.spec("T13AG-08")
@pytest.mark.parametrize("change", [{"activity": "Done"}, {"grading": "fullyGraded"}])
def test_other_words_for_progress_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(DeliveryRefused):
        body(**change)


def test_clearing_a_grade_sends_no_score() -> None:
    sent = json.loads(body(score=None, maximum=None, grading="NotReady", activity="Initialized"))
    assert sorted(sent) == ["activityProgress", "gradingProgress", "timestamp", "userId"]


@pytest.mark.spec("T13AG-05")
def test_timestamps_have_milliseconds_and_utc() -> None:
    assert ags.timestamp(NOON) == "2017-04-16T18:54:36.736Z"
    assert ags.timestamp(NOON.replace(microsecond=0)) == "2017-04-16T18:54:36.000Z"
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert ags.timestamp(east) == "2017-04-16T18:54:36.736Z"


@pytest.mark.spec("T13AG-11")
def test_a_submission_never_ends_before_it_starts() -> None:
    later = NOON + timedelta(minutes=5)
    sent = json.loads(body(started_at=NOON, submitted_at=later))["submission"]
    assert sent == {
        "startedAt": "2017-04-16T18:54:36.736Z",
        "submittedAt": "2017-04-16T18:59:36.736Z",
    }
    swapped = json.loads(body(started_at=later, submitted_at=NOON))["submission"]
    assert swapped == {"submittedAt": "2017-04-16T18:54:36.736Z"}


def test_a_line_item_body() -> None:
    made = ags.line_item_body(label="Excel", maximum=Decimal("20.5"), resource_id="r", tag="grade")
    assert made == b'{"label":"Excel","scoreMaximum":20.5,"resourceId":"r","tag":"grade"}'
    with pytest.raises(DeliveryRefused):
        ags.line_item_body(label="Excel", maximum=Decimal(0))


def test_filters_join_the_query_of_the_container() -> None:
    assert ags.filtered("https://lms.example.edu/i?type_id=1#x", tag="a&b", resource_id="ü") == (
        "https://lms.example.edu/i?type_id=1&tag=a%26b&resource_id=%C3%BC"
    )
    assert ags.filtered("https://lms.example.edu/i", tag="t") == "https://lms.example.edu/i?tag=t"


def test_line_items_are_read_and_those_without_an_address_passed_over() -> None:
    entries = [7, None, {"tag": "t"}, {"id": ""}, {"id": 4}, {"id": "i", "resourceLinkId": 5}]
    found = ags.parse_line_items(json.dumps([*entries, {"id": "j", "tag": None}]).encode())
    assert found == [ags.LineItem("i", resource_link_id="5"), ags.LineItem("j")]
    assert ags.parse_line_item(b'{"id":"i","resourceId":"r","tag":"t"}') == ags.LineItem(
        "i", resource_id="r", tag="t"
    )


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b"[" * 100_000, b"\xff"])
def test_what_is_no_line_item_can_be_asked_again(answer: bytes) -> None:
    with pytest.raises(DeliveryFailed):
        ags.parse_line_items(answer)
    with pytest.raises(DeliveryFailed):
        ags.parse_line_item(answer)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{"userId": "u", "resultScore": 0.83, "resultMaximum": 1}], ("0.83", "1")),
        ([{"userId": "u", "resultScore": 0}], ("0", "1")),
        ([{"userId": "u", "resultScore": 4.0, "resultMaximum": None}], ("4.0", "1")),
        ([{"userId": "v", "resultScore": 1}, {"userId": "u", "resultScore": 2}], ("2", "1")),
        ([{"userId": "u", "resultScore": None}], None),
        ([{"userId": "u"}], None),
        ([{"userId": "u", "resultScore": "4"}], None),
        ([{"userId": "U", "resultScore": 4}, 7, None], None),
        ([], None),
    ],
)
def test_results_are_read_exactly(entries: list[Any], expected: tuple[str, str] | None) -> None:
    found = ags.parse_results(json.dumps(entries).encode(), "u")
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (str(found.score), str(found.maximum)) == expected


def test_a_result_keeps_its_comment() -> None:
    found = ags.parse_results(b'[{"userId":"u","resultScore":1,"comment":"ok"}]', "u")
    assert found is not None
    assert found.comment == "ok"


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"{}", b"[" * 100_000, b"[1e9999999999999999999]", b"\xff"]
)
def test_what_is_no_result_container_can_be_asked_again(answer: bytes) -> None:
    with pytest.raises(DeliveryFailed):
        ags.parse_results(answer, "u")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://lms.example.com/s/2923/lineitems/69?p=2>; rel="next"', True),
        ("<https://lms.example.com/s/2923/lineitems/69?p=2>;rel=next", True),
        ('<https://o.example.com/>; rel="prev", <https://lms.example.com/s/2923/lineitems/69?p=2>'
         '; title="a, b"; REL="last NEXT"', True),
        ('<https://lms.example.com/memberships?since=1>; rel="differences"', False),
        ('<https://lms.example.com/next>; title="rel=next"', False),
        ("", False),
        ("next", False),
    ],
)  # fmt: skip
def test_the_next_page_is_found(header: str, expected: bool) -> None:
    wanted = "https://lms.example.com/s/2923/lineitems/69?p=2" if expected else None
    assert ags.next_link(header) == wanted


def test_typographic_quotes_and_escaped_ampersands_are_read() -> None:
    sent = "<http://lms.example.edu/items?type_id=2&amp;limit=2&amp;from=2>; rel=“next”"
    expected = "http://lms.example.edu/items?type_id=2&limit=2&from=2"
    assert ags.next_link(sent) == expected
    assert ags.next_link(sent.encode().decode("latin-1")) == expected
