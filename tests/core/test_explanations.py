"""Validation errors in sentences for people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from lti_bridge.core.explanations import explain


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["inner"] = "inner"
    count: Annotated[int, Field(ge=1, le=3)] = 1
    level: Literal[1, 2, 3] = 1
    name: Annotated[str, Field(min_length=1)] = "x"
    shown: bool = False
    secret: SecretStr = SecretStr("x")
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def _checked(cls, value: str) -> str:
        if value:
            raise ValueError("must be what we like")
        return value


class Other(BaseModel):
    kind: Literal["other"]


class Outer(BaseModel):
    needed: str
    parts: list[Inner] = []
    either: Annotated[Inner | Other, Field(discriminator="kind")] = Inner()


def sentences(model: Any, values: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(values)
    return explain(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"count": "many"}, "count: must be a whole number"),
        ({"count": 1.5}, "count: must be a whole number"),
        ({"count": None}, "count: must be a whole number"),
        ({"count": 0}, "count: must be greater than or equal to 1"),
        ({"level": 4}, "level: must be 1, 2 or 3"),
        ({"name": 7}, "name: must be text"),
        ({"name": ""}, "name: is empty or too short"),
        ({"shown": "perhaps"}, "shown: must be true or false"),
        ({"shown": []}, "shown: must be true or false"),
        ({"nmae": "x"}, "nmae: is not known here; correct the spelling or remove it"),
        ({"checked": "x"}, "checked: must be what we like"),
        ("text", "must be a group of keys and values"),
    ],
)
def test_one_problem_is_one_sentence(values: object, expected: str) -> None:
    assert sentences(Inner, values) == [expected]


def test_every_problem_is_named_with_its_whole_key() -> None:
    values = {"parts": [{}, {"count": "x", "level": 9}]}
    assert sentences(Outer, values) == [
        "needed: is missing",
        "parts[1].count: must be a whole number",
        "parts[1].level: must be 1, 2 or 3",
    ]


class Derived(BaseModel):
    home: Annotated[str, Field(min_length=2)]
    page: str = Field(default_factory=lambda data: f"{data['home']}/page")


def test_what_follows_from_a_wrong_value_is_no_problem_of_its_own() -> None:
    assert sentences(Derived, {"home": "x"}) == ["home: is empty or too short"]


@pytest.mark.parametrize(
    ("either", "expected"),
    [
        ({"kind": "third"}, "either.kind: must be one of 'inner', 'other'"),
        ({}, "either.kind: is missing"),
    ],
)
def test_a_wrong_kind_names_the_key_that_decides(either: object, expected: str) -> None:
    assert sentences(Outer, {"needed": "x", "either": either}) == [expected]


@pytest.mark.parametrize("key", [*Inner.model_fields, "unknown"])
def test_the_value_is_never_repeated(key: str) -> None:
    value = ["hunter2"]
    told = sentences(Outer, {"needed": "x", "either": {"kind": "inner", key: value}})
    assert told
    assert "hunter2" not in " ".join(told)
    told = sentences(Outer, {"needed": "x", "either": {"kind": "hunter2"}})
    assert "hunter2" not in " ".join(told)
