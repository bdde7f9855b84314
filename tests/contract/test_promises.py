"""What a kind says of itself is true: capabilities, settings, errors."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Choice, Sitting
from lti_bridge.errors import BridgeError, Unsupported
from lti_bridge.providers.registry import kinds
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case, problems, remote_kinds
from tests.contract.world import World

ROOT = Path(__file__).parents[2]
LOGS = ("hooks", "callbacks")
METHODS = {
    "remote": "resume",
    "costs": "start",
    "callback": "read_callback",
    "verdict": "start",
    "builds-on": "builds_on",
    "by-address": "known_as",
    "judge": "judge",
    "fetch": "fetch",
    "choices": "choices",
    "check": "check",
    "forget": "forget",
    "import": "import_results",
    "export": "export_registrations",
    "adopt": "adopt",
    "administer": "administrator_url",
    "preview": "start",
}


def test_every_remote_kind_keeps_the_contract() -> None:
    assert not problems(), "\n".join(problems())


def test_a_kind_without_a_contract_is_told_what_to_write(tmp_path: Path) -> None:
    kind = tmp_path / "providers" / "acme"
    kind.mkdir(parents=True)
    (kind / "kind.py").write_text(
        "from lti_bridge.core.attempt.capabilities import REMOTE\nX = REMOTE\n"
    )
    plain = tmp_path / "providers" / "plain"
    plain.mkdir()
    (plain / "kind.py").write_text('KIND = "plain"\n')
    assert remote_kinds(tmp_path / "providers") == ["acme"]
    (sentence,) = problems(tmp_path / "providers", tmp_path / "tests")
    assert "tests/providers/acme/contract.py" in sentence
    assert "PARTIES" in sentence


def test_a_contract_is_of_a_remote_connection(case: Case) -> None:
    assert "remote" in case.capabilities
    assert case.capabilities <= set(METHODS)


def test_capabilities_are_those_it_has(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    ports = {
        "remote": capabilities.resumes,
        "callback": capabilities.reads_callbacks,
        "judge": capabilities.judges,
        "fetch": capabilities.fetches,
        "choices": capabilities.offers,
        "check": capabilities.checks,
        "forget": capabilities.forgets,
        "import": capabilities.imports,
        "export": capabilities.exports,
        "adopt": capabilities.adopts,
        "administer": capabilities.administers,
    }
    for name, port in ports.items():
        if name in case.capabilities:
            assert callable(getattr(port(world.connection), METHODS[name]))
        else:
            with pytest.raises(Unsupported):
                port(world.connection)
    for name in ("builds-on", "by-address"):
        if name in case.capabilities:
            assert callable(getattr(world.connection.provider, METHODS[name]))
    if "builds-on" not in case.capabilities:
        assert capabilities.builds_on(world.connection, _activity(world)) == ""
    if "by-address" not in case.capabilities:
        with pytest.raises(Unsupported):
            capabilities.known_as(world.connection, {})


def test_choices_fit_the_settings(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    if "choices" not in case.capabilities:
        return
    found = capabilities.offers(world.connection).choices()
    assert found
    for choice in found:
        assert isinstance(choice, Choice)
        assert choice.value
        assert choice.label
        assert choice.setting in type(_activity(world)).model_fields


def test_check_is_a_sentence(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    if "check" not in case.capabilities:
        return
    said = capabilities.checks(world.connection).check()
    assert said.endswith(".")
    assert not any(text in said for text in world.private())


def test_forgetting_may_be_asked_twice(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    if "forget" not in case.capabilities:
        return
    world.begin()
    world.finish("ann", world.party.scores[0])
    attempt = world.attempt()
    sitting = Sitting(
        attempt_id=attempt.id,
        learner_id="pairwise",
        reference=attempt.reference,
        data=attempt.data,
        settings=_activity(world),
        state=attempt.state,
        started_at=world.clock(),
    )
    forgets = capabilities.forgets(world.connection)
    forgets.forget(sitting)
    # what it has sent before is its own business
    kept = {key: rows for key, rows in world.party.state().items() if key not in LOGS}
    assert not any(text in str(kept) for text in ("Neilson", "ann@people"))
    forgets.forget(sitting)


def test_settings_refuse_what_they_do_not_know(case: Case) -> None:
    party, kind = case.party(), kinds()[case.kind]
    party.url = "https://provider.example.org"
    connection = kind.connection(party.connection())
    with pytest.raises(ValidationError) as wrong:
        kind.connection({**party.connection(), "no_such_key": "very-secret"})
    assert "very-secret" not in str(wrong.value)
    with pytest.raises(ValidationError):
        kind.activity({**party.activity(), "no_such_key": 1}, connection)


def test_settings_keep_secrets_to_themselves(case: Case) -> None:
    party, kind = case.party(), kinds()[case.kind]
    party.url = "https://provider.example.org"
    settings = kind.connection(party.connection())
    for key in party.wrong_secret():
        assert party.connection()[key] not in repr(settings)
        with pytest.raises(ValidationError):
            kind.connection({**party.connection(), key: ""})


def test_settings_are_described(case: Case) -> None:
    party, kind = case.party(), kinds()[case.kind]
    party.url = "https://provider.example.org"
    connection = kind.connection(party.connection())
    models: list[BaseModel] = [connection, kind.activity(party.activity(), connection)]
    for model in models:
        bare = [
            name
            for name, field in type(model).model_fields.items()
            if not field.title or not field.description
        ]
        assert bare == [], f"{type(model).__name__}: Field(title=…, description=…)"


def test_errors_are_named_and_documented(case: Case) -> None:
    module = import_module(f"lti_bridge.providers.{case.kind}.errors")
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    own: list[type[BridgeError]] = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing)
        and issubclass(thing, BridgeError)
        and thing.__module__ == module.__name__
    ]
    assert own
    for error in own:
        if "code" not in vars(error):
            assert error.__subclasses__(), f"{error.__name__} has no code of its own"
            continue
        assert error.code.startswith(f"{case.kind}-")
        assert f"`{error.code}`" in page, "docs/errors.md does not list it"
        assert error.__doc__, error.__name__
    codes = [error.code for error in own if "code" in vars(error)]
    assert len(codes) == len(set(codes))


def test_the_example_and_a_page_show_it(case: Case) -> None:
    page = ROOT / "docs" / "providers" / f"{case.kind}.md"
    assert page.is_file()
    example = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    assert f'kind = "{case.kind}"' in example


def _activity(world: World) -> Any:
    activity = world.bridge.catalogue.activity("test")
    assert activity is not None
    return activity.settings
