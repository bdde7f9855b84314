"""What a Prov connection and an exam must and may say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lti_bridge.core.explanations import explain
from lti_bridge.providers.prov import KIND
from tests.providers.prov.customer import HALL, PAT, WIRE

BASE = {"base_url": "https://api.prov.example.org/v1/", **WIRE}
EXAM = {"exam_code": "NB1", "score_min": 200, "score_max": 800}


def refused(**changes: Any) -> list[str]:
    values = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        KIND.connection(values)
    return explain(caught.value)


def not_allowed(connection: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    values = {key: value for key, value in {**EXAM, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        KIND.activity(values, KIND.connection({**BASE, **(connection or {})}))
    return explain(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "auth_style",
        "auth_name",
        "auth_value",
        "event_path",
        "event_body",
        "event_id_path",
        "candidate_path",
        "candidate_body",
        "centre_body",
        "proctor_path",
        "result_score_path",
    ],
)
def test_what_is_missing_is_named(key: str) -> None:
    assert refused(**{key: None}) == [f"{key}: is missing"]


def test_all_that_is_missing_is_said_at_once() -> None:
    said = refused(auth_value=None, event_path=None)
    assert said == ["auth_value: is missing", "event_path: is missing"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base_url", "http://prov.example.org"),
        ("base_url", "https://prov.example.org/?a=b"),
        ("auth_style", "oauth"),
        ("auth_name", "X Key"),
        ("event_path", "events"),
        ("event_path", "//other.example.org/"),
        ("event_path", "/a b"),
        ("result_path", "/r/{score}"),
        ("event_body", "{event}"),
        ("event_body", '{"at": {starts_at}}'),
        ("event_body", '["{name}"]'),
        ("event_body", '{"at": ["{start}"]}'),
        ("candidate_body", '{"exam": "{exam_code}"}'),
        ("result_score_path", "a..b"),
        ("candidate_id", "email"),
        ("url", "x"),
    ],
)
def test_bad_values_are_named(key: str, value: str) -> None:
    assert refused(**{key: value})[0].startswith(f"{key}: ")


def test_an_unknown_placeholder_is_answered_with_the_known_ones() -> None:
    (said,) = refused(candidate_body='{"n": "{nam}"}')
    assert "{nam}" in said
    assert "family_name" in said


def test_places_have_codes_of_their_own() -> None:
    assert refused(centres=[HALL, HALL]) == ["centres: two places have the same code"]
    assert refused(centres=[HALL], remote_locations=["H1"])[0].startswith("centres: ")
    assert refused(centres=[HALL], proctors=[{**PAT, "centre_codes": ["H2"]}])[0].startswith(
        "proctors: "
    )
    assert refused(centres=[{**HALL, "seats": -1}])[0].startswith("centres[0].seats: ")


def test_secrets_are_not_shown() -> None:
    made = KIND.connection({**BASE, "centres": [HALL], "proctors": [PAT]})
    assert WIRE["auth_value"] not in repr(made)
    assert "pat's" not in repr(made)


def test_capabilities_follow_the_settings() -> None:
    def found(**changes: Any) -> frozenset[str]:
        values = {key: v for key, v in {**BASE, **changes}.items() if v is not None}
        return KIND.capabilities(KIND.connection(values))

    always, told = {"remote", "costs", "import", "export", "adopt"}, {"callback", "judge"}
    assert found() == {*always, "fetch", *told}
    assert found(result_path="") == {*always, *told}
    assert found(result_path="", result_event_id_path="") == always
    assert found(result_path="", result_event_id_path="", candidate_id="attempt") >= told
    with_hook = '{"u": "{callback_url}"}'
    assert found(result_path="", result_event_id_path="", event_body=with_hook) >= told
    assert "check" in found(check_path="/ping")
    assert KIND.capabilities(KIND.connection({})) == always


@pytest.mark.parametrize("key", ["exam_code", "score_min", "score_max"])
def test_an_exam_needs_its_code_and_its_scale(key: str) -> None:
    assert not_allowed(**{key: None}) == [f"{key}: is missing"]


@pytest.mark.parametrize("scale", [(100, 100), (100, 0)])
def test_a_scale_rises(scale: tuple[int, int]) -> None:
    low, high = scale
    assert not_allowed(score_min=low, score_max=high) == ["score_max: must be above score_min"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "2000000", "x"])
def test_a_scale_has_numbers(value: str) -> None:
    assert not_allowed(score_max=value)[0].startswith("score_max: ")


@pytest.mark.parametrize(
    "value",
    ["2030-01-01", "2030-01-01T10:00:00", "10:00", datetime(2030, 1, 1)],
)
def test_a_time_has_a_zone(value: Any) -> None:
    assert not_allowed(starts_at=value)[0].startswith("starts_at: ")


@pytest.mark.parametrize(
    "value", ["2030-01-01T10:00:00Z", datetime.fromisoformat("2030-01-01T10:00:00+01:00"), "$X.y"]
)
def test_times_and_variables(value: Any) -> None:
    made = KIND.activity({**EXAM, "starts_at": value}, KIND.connection(BASE))
    assert made.starts_at == (value if isinstance(value, str) else value.isoformat())


def test_a_location_is_known_when_there_are_centres() -> None:
    known = {"centres": [HALL], "remote_locations": ["HOME"]}
    assert not_allowed(known, location_code="H2")[0].startswith("location_code: ")
    for code in ("H1", "HOME"):
        KIND.activity({**EXAM, "location_code": code}, KIND.connection({**BASE, **known}))
    KIND.activity({**EXAM, "location_code": "H2"}, KIND.connection(BASE))


def test_a_link_may_write_its_exam_out() -> None:
    custom = {**{name: str(value) for name, value in EXAM.items()}, "color": "blue"}
    made = KIND.inline(
        {**custom, "exam_name": "$X", "address": "\\$5 Street"}, KIND.connection(BASE)
    )
    assert (made.exam_code, str(made.score_max), made.exam_name) == ("NB1", "800", "")
    with pytest.raises(ValidationError):
        KIND.inline({"exam_code": "NB1"}, KIND.connection(BASE))
