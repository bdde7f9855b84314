"""Settings of the kind: what is refused with which sentence, and what a link may write out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lti_bridge.core.explanations import explain
from lti_bridge.providers.mettl import KIND
from tests.providers.mettl.account import Clock, provider_at

KEYS = {"public_key": "pub", "private_key": "secret"}


def problems(validate: Any, *values: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        validate(*values)
    assert "secret" not in str(caught.value)
    return explain(caught.value)


def test_defaults_of_a_connection() -> None:
    made = KIND.connection(KEYS)
    assert (made.base_url, made.api_version, made.post_style) == (
        "https://api.mettl.com",
        2,
        "form",
    )
    assert "secret" not in repr(made)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({**KEYS, "private_key": ""}, "private_key"),
        ({"private_key": "secret"}, "public_key"),
        ({**KEYS, "api_version": 3}, "api_version"),
        ({**KEYS, "post_style": "json"}, "post_style"),
        ({**KEYS, "privat_key": "secret"}, "privat_key"),
        ({**KEYS, "base_url": "http://api.mettl.com"}, "base_url"),
        ({**KEYS, "base_url": "https://api.mettl.com?x=1"}, "base_url"),
        ({**KEYS, "base_url": "https://u@api.mettl.com"}, "base_url"),
        ({**KEYS, "base_url": "api.mettl.com"}, "base_url"),
        ({**KEYS, "base_url": "https://["}, "base_url"),
    ],
)
def test_a_wrong_connection_is_named_by_its_key(values: dict[str, Any], key: str) -> None:
    (problem,) = problems(KIND.connection, values)
    assert problem.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://api.mercermettl.eu", "https://api.mercermettl.eu"),
        ("https://api.mercermettl.eu/", "https://api.mercermettl.eu"),
        ("http://127.0.0.1:8080/eu/", "http://127.0.0.1:8080/eu"),
    ],
)
def test_regions(written: str, used: str) -> None:
    assert KIND.connection({**KEYS, "base_url": written}).base_url == used


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "needs access_key or assessment_id"),
        ({"access_key": "a", "assessment_id": "1"}, "needs access_key or assessment_id"),
        ({"access_key": "a/b"}, "access_key: "),
        ({"access_key": "a", "timeLimitInSec": 0}, "timeLimitInSec: "),
        ({"access_key": "a", "duration_min": 0}, "duration_min: "),
        ({"access_key": "a", "second_attempt": "again"}, "second_attempt: "),
        ({"access_key": "a", "showCustomInstructions": "maybe"}, "showCustomInstructions: "),
        ({"access_key": "a", "registration": {"First Name": "x"}}, "registration: First Name"),
        ({"access_key": "a", "registration": {"E-Mail": "x"}, "email_field": "E-Mail"}, "E-Mail"),
        ({"access_key": "a", "registration": {"access_key": "x"}}, "registration: access_key"),
        ({"access_key": "a", "registration": "Last Name"}, "registration: must be written like"),
        ({"access_key": "a", "accesskey": "b"}, "accesskey: is not known"),
    ],
)
def test_a_wrong_activity_is_explained(values: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems(KIND.activity, values, None))


def test_an_activity_as_a_form_sends_it() -> None:
    made = KIND.activity(
        {
            "access_key": "",
            "assessment_id": 1001,
            "timeLimitInSec": "86400",
            "showCustomInstructions": "true",
            "duration_min": "",
        },
        None,
    )
    assert (made.access_key, made.assessment_id, made.timeLimitInSec) == (None, "1001", 86400)
    assert made.showCustomInstructions is True


def test_a_link_may_write_an_activity_out() -> None:
    made = KIND.inline(
        {
            "connection": "mettl",
            "accesskey": "k1",
            "timelimitinsec": "60",
            "show_custom_instructions": "$Unresolved",
            "registration": "Last Name = $Person.name.family; City=Lille;",
            "id": "7",
        },
        None,
    )
    assert (made.access_key, made.timeLimitInSec, made.showCustomInstructions) == ("k1", 60, False)
    assert made.registration == {"Last Name": "$Person.name.family", "City": "Lille"}


def test_what_needs_to_leave() -> None:
    assert KIND.needs == {"email", "given_name"}
    assert KIND.wants == {"family_name"}


def test_different_activities_have_different_parameters() -> None:
    """The id of an activity that a link writes out is made from these."""
    provider = provider_at("https://api.mettl.com", Clock())
    one = provider.custom(KIND.activity({"access_key": "k1"}, None))
    two = provider.custom(
        KIND.activity({"access_key": "k2", "registration": {"City": "$Context.label"}}, None)
    )
    assert dict(two) == {"access_key": "k2", "City": "$Context.label"}
    assert one != two
