"""What an iTEP connection and an activity must and may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lti_bridge.core.explanations import explain
from lti_bridge.providers.itep import KIND
from lti_bridge.providers.itep.errors import REFUSALS
from lti_bridge.providers.itep.registration import FIELDS, OURS

CONNECTION: dict[str, Any] = {
    "endpoint": "https://itep.example.org/fulfil",
    "secret": "key",
    "header_name_gtx": "X-G",
    "header_name_stx": "X-S",
    "sig_encoding": "hex",
    "sequence_mode": "none",
    "response_test_id_path": "id",
    "enum_gender": ["Female", "Male"],
    "enum_education": ["Bachelor"],
    "enum_field_of_study": ["Biology"],
}


def refused(**changes: Any) -> list[str]:
    values = {key: value for key, value in {**CONNECTION, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        KIND.connection(values)
    return explain(caught.value)


def activity(**values: Any) -> Any:
    return KIND.activity({"product_code": "GTX-Academic-Plus", **values}, connection())


def connection(**changes: Any) -> Any:
    return KIND.connection({**CONNECTION, **changes})


def not_allowed(**values: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        activity(**values)
    return explain(caught.value)


@pytest.mark.parametrize(
    "key", ["endpoint", "secret", "sig_encoding", "sequence_mode", "response_test_id_path"]
)
def test_what_itep_has_to_tell_is_asked_for_by_name(key: str) -> None:
    assert refused(**{key: None}) == [f"{key}: is missing"]
    assert refused(**{key: ""})[0].startswith(f"{key}: ")


def test_a_header_name_is_needed() -> None:
    (said,) = refused(header_name_gtx=None, header_name_stx=None)
    assert said.startswith("header_name_gtx: is missing")
    only_gtx = connection(header_name_stx="")
    KIND.activity({"product_code": "GTX-A"}, only_gtx)
    with pytest.raises(ValidationError) as caught:
        KIND.activity({"product_code": "STX-A"}, only_gtx)
    assert "header_name_stx" in explain(caught.value)[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("endpoint", "http://itep.example.org/"),
        ("endpoint", "https://user@itep.example.org/"),
        ("header_name_gtx", "X G"),
        ("sig_encoding", "Hex"),
        ("sequence_mode", "random"),
        ("response_test_id_path", "a..b"),
        ("response_password_path", "a."),
        ("launch_template", "https://itep.example.org/{password}"),
        ("launch_template", "javascript:alert({test_id})"),
        ("stock", {"Academic-Plus": -1}),
        ("secrets", "x"),
    ],
)
def test_bad_values_are_named(key: str, value: Any) -> None:
    assert refused(**{key: value})[0].startswith((f"{key}: ", f"{key}."))


def test_the_hooks_header_and_its_value_go_together() -> None:
    assert refused(hook_header_name="X-Hook")[0].startswith("hook_header_name: ")
    assert refused(hook_header_value="x")[0].startswith("hook_header_name: ")


@pytest.mark.parametrize("secret", ["secret", "hook_header_value"])
def test_secrets_are_not_shown(secret: str) -> None:
    made = connection(**{"hook_header_name": "X-H", "hook_header_value": "v", secret: "s3cr3t"})
    assert "s3cr3t" not in repr(made)


@pytest.mark.parametrize("code", ["Academic-Plus", "gtx-Academic", "GTX-", "XTX-A", ""])
def test_product_codes(code: str) -> None:
    assert not_allowed(product_code=code)[0].startswith("product_code: ")


def test_a_copy_is_for_stx_only() -> None:
    assert not_allowed(bcc="desk@example.org") == ["bcc: works with STX product codes only"]
    made = activity(product_code="STX-A", bcc="desk@example.org")
    assert KIND.build(connection(), None).custom(made)["bcc"] == "desk@example.org"  # type: ignore[arg-type]
    assert not_allowed(product_code="STX-A", bcc="desk")[0].startswith("bcc: ")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("DOB_Month", 13, "Out of range Birth Month [13]."),
        ("DOB_Month", "x", "Out of range Birth Month [x]."),
        ("DOB_Day", 0, "Out of range Birth Day [0]."),
        ("DOB_Year", 1900, "Out of range Birth Year [1900]."),
        ("Birthday", "5/1955", "Unable to parse Birth Date [5/1955]."),
        ("Birthday", "yesterday", "Unable to parse Birth Date [yesterday]."),
        ("Birthday", "13/1/1999", "Out of range Birth Month [13]."),
        ("Birthday", "32-1-1999", "Out of range Birth Day [32]."),
        ("Gender", "Femal", "Invalid Gender [Femal]."),
        ("Education", "none", "Invalid Education [none]."),
        ("Field_Of_Study", "bio", "Invalid Study Field [bio]."),
    ],
)
def test_fixed_values_are_refused_in_iteps_own_words(field: str, value: Any, said: str) -> None:
    assert not_allowed(registration={field: value}) == [f"registration.{field}: {said}"]
    assert said.split(" [")[0] in REFUSALS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("DOB_Month", 12),
        ("DOB_Day", "31"),
        ("DOB_Year", 1901),
        ("DOB_Year", "$User.username"),
        ("Birthday", "7/28/1955"),
        ("Birthday", "28-7-1955"),
        ("Birthday", "1955-07-28"),
        ("Gender", "FEMALE"),
        ("Gender", "$X.y"),
        ("City", ""),
    ],
)
def test_good_values_and_variables_are_taken(field: str, value: Any) -> None:
    assert activity(registration={field: value}).registration == {field: str(value)}


def test_unknown_fields_ours_and_those_without_a_list() -> None:
    assert not_allowed(registration={"last_name": "x"})[0].startswith("registration.last_name: ")
    assert OURS not in FIELDS
    assert "set by the bridge" in not_allowed(registration={OURS: "x"})[0]
    with pytest.raises(ValidationError) as caught:
        KIND.activity(
            {"product_code": "GTX-A", "registration": {"Gender": "Female"}},
            connection(enum_gender=[]),
        )
    assert "needs enum_gender" in explain(caught.value)[0]


def test_a_link_may_write_its_activity_out() -> None:
    custom = {
        "product_code": "STX-Academic-Plus",
        "track": "RC",
        "last_name": "$Person.name.family",
        "city": "Oslo",
        "Education": "bachelor",
        "color": "blue",
    }
    made = KIND.inline(custom, connection())
    assert (made.product_code, made.track) == ("STX-Academic-Plus", "RC")
    names = ("Last_Name", "City", "Education")
    assert made.registration == {name: f"$Custom.{name}" for name in names}
    with pytest.raises(ValidationError):
        KIND.inline({"track": "RC"}, connection())


@pytest.mark.parametrize("key", ["expire_days", "stock_warning"])
def test_days_and_warnings_are_not_below_zero(key: str) -> None:
    assert refused(**{key: -1}) == [f"{key}: must be greater than or equal to 0"]
    assert getattr(connection(**{key: 0}), key) == 0


def test_what_is_not_said_of_expiry_and_stock() -> None:
    made = connection()
    assert (made.expire_days, made.stock_warning) == (0, 5)
