"""What can be set for an activity at Isograd, and how it looks on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lti_bridge.core.explanations import explain
from lti_bridge.core.launch.identity import PERSON_FIELDS
from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.launch.variables import Bindings, resolve, variable_in
from lti_bridge.providers.isograd.connections import (
    ApiConnection,
    ConnectionSettings,
    Lti11Connection,
    Lti13Connection,
)
from lti_bridge.providers.isograd.settings import (
    ACTIONS,
    NEEDS,
    ActivitySettings,
    activity_settings,
    custom_parameters,
    lms_parameters,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[3] / "docs" / "providers" / "isograd.md"
MINIMAL: dict[int, dict[str, Any]] = {
    1: {"gen_id": 3},
    2: {"tst_frm_id": "363"},
    6: {"tst_frm_id": "363"},
    8: {"tst_frm_id": "363", "gen_id": 3},
    9: {"tst_frm_id": "363"},
    38: {},
    58: {"of_activity": "excel"},
}
SAMPLES: dict[str, Any] = {
    "act_id": "8",
    "sub_com_id": "5",
    "gen_id": "1",
    "lan_id": "2",
    "ext_id": "$Person.sourcedId",
    "dep_id": "7",
    "psw": "$User.id",
    "no_psw_rst": "1",
    "job_id": "4",
    "xtr_tim_fac": "0",
    "tst_frm_id": "363",
    "nee_ful_scr": "1",
    "redirect": "1",
    "ses_id": "9",
    "add_pro": "1",
    "max_num_tst": "2",
    "max_num_tst_per": "30",
    "rtn_pag": "https://lms.example.edu/back?a=1",
    "cal_bac_pag": "$Message.returnUrl",
    "cpf_id": "$Context.label",
    "nb_test_by_credit": "2",
}


def route_of(action: int) -> Any:
    """A route on which an action can be set up."""
    return "api" if action == 58 else "lti-1.1"


def refusals(values: dict[str, Any], route: Any = "lti-1.1") -> list[str]:
    with pytest.raises(ValidationError) as caught:
        activity_settings(values, route)
    return explain(caught.value)


def with_8(**more: object) -> dict[str, Any]:
    return {"act_id": 8, **MINIMAL[8], **more}


def test_secrets_are_in_no_message() -> None:
    with pytest.raises(ValidationError) as caught:
        activity_settings(with_8(psw=["hunter2"]), "lti-1.1")
    assert "hunter2" not in str(caught.value) + " ".join(explain(caught.value))


def test_isograd_needs_a_name_and_an_address() -> None:
    assert {"given_name", "family_name", "email"} == NEEDS
    assert NEEDS < PERSON_FIELDS


# Activities


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_has_its_required_parameters(action: int) -> None:
    settings = activity_settings({"act_id": action, **MINIMAL[action]}, route_of(action))
    wanted = {"act_id": action, **MINIMAL[action]}
    assert custom_parameters(settings) == {key: str(value) for key, value in wanted.items()}
    for key in MINIMAL[action]:
        rest = {other: value for other, value in wanted.items() if other != key}
        assert refusals(rest) == [f"{key}: is missing"]


def test_everything_goes_on_the_wire_under_its_own_name() -> None:
    settings = activity_settings(SAMPLES, "lti-1.1")
    assert custom_parameters(settings) == SAMPLES
    group = {**SAMPLES, "ext_dep_id": "Group A", "html": "1"}
    del group["dep_id"], group["redirect"]
    assert custom_parameters(activity_settings(group, "lti-1.1")) == group
    assert SAMPLES.keys() | {"ext_dep_id", "html"} == set(ACTIONS[8].model_fields)


def test_numbers_and_flags_may_be_written_as_such() -> None:
    values = with_8(tst_frm_id=363, redirect=True, html=0, add_pro=False, xtr_tim_fac=50, dep_id=7)
    assert custom_parameters(activity_settings(values, "lti-1.1")) == {
        "act_id": "8",
        "tst_frm_id": "363",
        "gen_id": "3",
        "redirect": "1",
        "xtr_tim_fac": "50",
        "dep_id": "7",
    }


def test_an_empty_form_field_counts_as_left_out() -> None:
    assert custom_parameters(activity_settings(with_8(ext_id="", dep_id=None), "lti-1.1")) == {
        "act_id": "8",
        "tst_frm_id": "363",
        "gen_id": "3",
    }
    assert refusals(with_8(tst_frm_id="")) == ["tst_frm_id: is missing"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"gen_id": 4}, "gen_id: must be 1, 2 or 3"),
        ({"gen_id": True}, "gen_id: must be a whole number"),
        ({"lan_id": 9}, "lan_id: must be 1, 2, 3, 4, 5, 6, 7 or 8"),
        ({"nb_test_by_credit": "5"}, "nb_test_by_credit: must be 2, 3 or 4"),
        ({"redirect": 2}, "redirect: must be true or false"),
        ({"xtr_tim_fac": -1}, "xtr_tim_fac: must be greater than or equal to 0"),
        ({"xtr_tim_fac": "a lot"}, "xtr_tim_fac: must be a whole number"),
        ({"max_num_tst": 0}, "max_num_tst: must be greater than or equal to 1"),
        ({"max_num_tst_per": 3}, "max_num_tst_per: needs max_num_tst beside it"),
        (
            {"redirect": 1, "html": 1},
            "html: cannot be set together with redirect; keep one of them",
        ),
        (
            {"dep_id": 1, "ext_dep_id": "A"},
            "ext_dep_id: cannot be set together with dep_id; keep one of them",
        ),
        (
            {"tst_frm_id": "TOSA Excel"},
            "tst_frm_id: must be letters, digits, - and _ without spaces, "
            "or a variable such as $User.id",
        ),
        ({"ses_id": "0"}, "ses_id: must be a whole number above 0, or a variable such as $User.id"),
        ({"ses_id": "x"}, "ses_id: must be a whole number above 0, or a variable such as $User.id"),
        (
            {"rtn_pag": "http://lms.example.edu/"},
            "rtn_pag: must begin with https:// (http:// only on this very machine)",
        ),
        ({"rea_tst_id": "3"}, "rea_tst_id: is the old name of this parameter; write tst_frm_id"),
        (
            {"pla_tst_id": "3"},
            "pla_tst_id: is one student's test; of_activity names the activity it is taken from",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(more: dict[str, object], expected: str) -> None:
    assert refusals(with_8(**more)) == [expected]


def test_the_person_comes_from_the_launch() -> None:
    sentence = "comes from the launch (the person who clicked) and cannot be set"
    person = {"ema": "x@example.edu", "fst_nam": "$Person.name.given", "lst_nam": "E"}
    assert refusals(with_8(**person)) == [f"{key}: {sentence}" for key in person]


@pytest.mark.parametrize("action", [13, "13"])
@pytest.mark.parametrize("route", ["lti-1.1", "lti-1.3", "api"])
def test_nobody_becomes_administrator(action: object, route: str) -> None:
    (sentence,) = refusals({"act_id": action, "use_ema_for_adm": 1}, route)
    assert sentence.startswith("act_id: 13 would log the learner in as an administrator")


@pytest.mark.parametrize("action", [4, 5, 10, 11, 12, 14, 15, 16, 17, 23, 24, 42, "51"])
def test_other_known_actions_are_not_started_by_a_link(action: object) -> None:
    assert refusals({"act_id": action}) == [
        f"act_id: {action} is not started by a course link; use one of 1, 2, 6, 8, 9, 38, 58"
    ]


@pytest.mark.parametrize(
    "action", [99, 0, -8, 8.0, True, None, "", "$User.id", "²", [8], "9" * 5000]
)
def test_anything_else_is_no_action(action: object) -> None:
    assert refusals({"act_id": action}) == ["act_id: must be one of 1, 2, 6, 8, 9, 38, 58"]


def test_an_action_must_be_named_except_on_the_api_route() -> None:
    assert refusals(MINIMAL[8]) == ["act_id: must be one of 1, 2, 6, 8, 9, 38, 58"]
    assert activity_settings(MINIMAL[8], "api") == activity_settings(with_8(), "lti-1.1")


@pytest.mark.parametrize("key", ["rtn_pag", "cal_bac_pag"])
def test_on_the_api_route_the_bridge_sets_the_addresses(key: str) -> None:
    address = {key: "https://lms.example.edu/"}
    assert refusals(with_8(**address), "api") == [f"{key}: is set by the bridge on this route"]
    for route in ("lti-1.1", "lti-1.3"):
        assert custom_parameters(activity_settings(with_8(**address), route))[key] == address[key]


@pytest.mark.parametrize(
    "key",
    ["tst_frm_id", "ext_id", "ext_dep_id", "dep_id", "job_id", "cpf_id", "ses_id", "sub_com_id"],
)
def test_ids_and_texts_may_be_variables(key: str) -> None:
    settings = activity_settings(with_8(**{key: "$Context.label"}), "lti-1.1")
    assert custom_parameters(settings)[key] == "$Context.label"


@pytest.mark.parametrize("key", ["gen_id", "lan_id", "xtr_tim_fac", "redirect", "max_num_tst"])
def test_numbers_and_flags_are_never_variables(key: str) -> None:
    assert len(refusals(with_8(**{key: "$Context.label"}))) == 1


# Inline, in the custom parameters of the LMS


def test_a_link_may_write_the_activity_out() -> None:
    custom = {
        "connection": "tosa",
        "activity": "",
        "chapter": "9",
        "ext": "x",
        "act_id": "8",
        "tst_frm_id": "363",
        "gen_id": "3",
        "redirect": "1",
    }
    assert custom_parameters(lms_parameters(custom)) == {
        key: custom[key] for key in ("act_id", "tst_frm_id", "gen_id", "redirect")
    }


def test_a_variable_that_the_lms_did_not_resolve_is_no_value() -> None:
    custom = {"act_id": "2", "tst_frm_id": "363", "ses_id": "$Foo.bar", "max_num_tst": "$Canvas.x"}
    assert custom_parameters(lms_parameters(custom)) == {"act_id": "2", "tst_frm_id": "363"}
    with pytest.raises(ValidationError) as caught:
        lms_parameters({**custom, "tst_frm_id": "$Person.name.given"})
    assert explain(caught.value) == ["tst_frm_id: is missing"]


@given(
    st.from_regex(r"\\{1,3}\$[A-Z][a-z.]{0,4}", fullmatch=True) | st.text(min_size=1, max_size=5)
)
def test_what_the_lms_sent_is_never_read_as_a_variable(text: str) -> None:
    settings = lms_parameters({"act_id": "1", "gen_id": "3", "ext_id": text})
    launch = Launch("campus", "1.1", Once("nonce", "1", NOON), NOON)
    sent = resolve(custom_parameters(settings), launch, Bindings(PERSON_FIELDS)).values
    assert sent.get("ext_id") == (None if variable_in(text) else text)


@pytest.mark.parametrize("key", ["ema", "fst_nam", "lst_nam", "rea_tst_id"])
def test_a_link_cannot_set_what_may_not_be_set(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        lms_parameters({"act_id": "2", "tst_frm_id": "363", key: "eve@example.edu"})
    assert [text.split(":")[0] for text in explain(caught.value)] == [key]


# The one source for forms and docs


@pytest.mark.parametrize("settings", [ActivitySettings, ConnectionSettings])
def test_every_field_can_be_shown_in_a_form(settings: Any) -> None:
    schema = TypeAdapter(settings).json_schema()
    for model in schema["$defs"].values():
        for key, field in model["properties"].items():
            assert field["title"], key
            assert key == "route" or field["description"].endswith("."), key


@given(st.sampled_from(sorted(ACTIONS)), st.data())
def test_settings_read_back_are_the_same_settings(action: int, data: st.DataObject) -> None:
    optional = sorted(ACTIONS[action].model_fields.keys() & SAMPLES.keys() - {"act_id"})
    chosen = data.draw(st.sets(st.sampled_from(optional)))
    values = {"act_id": action, **MINIMAL[action], **{key: SAMPLES[key] for key in chosen}}
    if "max_num_tst" not in values:
        values.pop("max_num_tst_per", None)
    route = route_of(action)
    settings = activity_settings(values, route)
    assert activity_settings(custom_parameters(settings), route) == settings


def rows() -> list[str]:
    """The parameter table of the docs, one row per parameter, made from the models."""
    uses: dict[str, dict[bool, list[int]]] = {}
    texts: dict[str, str] = {}
    for action, model in ACTIONS.items():
        for key, field in model.model_fields.items():
            uses.setdefault(key, {True: [], False: []})[field.is_required()].append(action)
            texts[key] = field.description or ""
    every = [*ACTIONS]
    return [
        f"| `{key}` | {_listed(use[True], every)} | {_listed(use[False], every)} | {texts[key]} |"
        for key, use in uses.items()
    ]


def _listed(actions: list[int], every: list[int]) -> str:
    return "all" if actions == every else ", ".join(map(str, actions)) or "-"


def test_the_docs_hold_every_parameter_as_the_models_say() -> None:
    text = DOCS.read_text(encoding="utf-8")
    table = text.split("| parameter | required for |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `.*", table, re.M) == rows()


def test_the_docs_name_every_action_and_every_connection_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for action, model in ACTIONS.items():
        assert f"| {action} | {model.__doc__} |" in text
    for model in (Lti11Connection, Lti13Connection, ApiConnection):
        missing = [key for key in model.model_fields if f"`{key}`" not in text]
        assert missing == []
