"""A settings model as a form: what its inputs are, what was typed, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from lti_bridge.core import form_fields as forms
from lti_bridge.core.course.placements import TERMS, Terms
from lti_bridge.providers.registry import kinds


class Model(BaseModel):
    """Everything at once. More is said here."""

    name: Annotated[str, Field(min_length=2, title="Name", description="Help.")]
    secret: SecretStr = SecretStr("x")
    number: int | None = None
    scale: Decimal = Decimal("1.5")
    flag: bool = Field(False, title="Flag", json_schema_extra={"preset": "true"})
    action: Literal[8] = 8
    language: Literal[1, 2] | None = None
    pairs: dict[str, str] = Field(default_factory=dict)
    at: datetime | None = None


FIELDS = {one.name: one for one in forms.fields_of(Model)}


def test_every_field_gets_its_input_and_secrets_get_none() -> None:
    assert {name: one.control for name, one in FIELDS.items()} == {
        "name": "text",
        "number": "number",
        "scale": "number",
        "flag": "checkbox",
        "action": "fixed",
        "language": "select",
        "pairs": "pairs",
        "at": "moment",
    }
    name = FIELDS["name"]
    assert (name.label, name.help, name.required, name.default) == ("Name", "Help.", True, "")
    assert [one.name for one in FIELDS.values() if one.required] == ["name"]
    assert (FIELDS["scale"].default, FIELDS["language"].options) == ("1.5", ("1", "2"))
    assert FIELDS["flag"].default == "true"
    assert forms.title_of(Model) == "Everything at once. More is said here"


def test_what_is_typed_becomes_what_the_model_takes_and_back() -> None:
    typed = {
        "name": " Ann ",
        "number": "7",
        "flag": "true",
        "action": "13",
        "language": "2",
        "pairs": "a = 1\n\nb=x=y",
        "at": "2030-01-02T03:04",
        "secret": "never",
    }
    values = forms.typed(tuple(FIELDS.values()), {f"p.{k}": v for k, v in typed.items()}, "p.")
    assert values["pairs"] == {"a": "1", "b": "x=y"}
    assert (values["action"], "secret" in values) == ("8", False)
    shown = forms.shown(tuple(FIELDS.values()), values)
    assert shown["pairs"] == "a = 1\nb = x=y"
    assert (shown["flag"], shown["number"], shown["at"]) == ("true", "7", "2030-01-02T03:04")


def test_pairs_that_cannot_be_read_are_a_problem_and_not_lost() -> None:
    values = forms.typed((FIELDS["pairs"],), {"pairs": "no equals sign"})
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"name": "Ann", **values})
    assert list(forms.problems(caught.value, "set.")) == ["set.pairs"]


def test_problems_are_told_by_field_without_the_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"name": "x", "number": "hidden"})
    found = forms.problems(caught.value)
    assert set(found) == {"name", "number"}
    assert "hidden" not in str(found)


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_kind_has_a_form_whose_inputs_are_labelled(kind: str) -> None:
    class Api:
        route = "api"

    models = kinds()[kind].forms(Api())
    assert models
    for model in models:
        assert forms.title_of(model)
        for field in forms.fields_of(model):
            assert field.label, (model, field.name)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"title": ""}, "title"),
        ({"maximum": "0"}, "maximum"),
        ({"maximum": "NaN"}, "maximum"),
        ({"maximum": "Infinity"}, "maximum"),
        ({"maximum": "10001"}, "maximum"),
        ({"grade": "worst"}, "grade"),
        ({"attempts": "-1"}, "attempts"),
        ({"attempts": "1.5"}, "attempts"),
        ({"opens_at": "soon"}, "opens_at"),
        ({"opens_at": "2030-01-02T00:00", "closes_at": "2030-01-02T00:00"}, ""),
    ],
)
def test_terms_that_make_no_sense_are_refused(typed: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Terms.model_validate(forms.typed(TERMS, {"title": "x", **typed}))
    assert wrong in forms.problems(caught.value)


def test_times_are_utc() -> None:
    terms = Terms.model_validate({"title": "x", "opens_at": "2030-01-02T03:04"})
    assert terms.opens_at == datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
