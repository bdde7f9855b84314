"""What a kind says of itself is true: capabilities, settings, errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Choice, Sitting
from lti_bridge.errors import BridgeError, Unsupported
from lti_bridge.providers.registry import kinds
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import METHODS, Case, home, is_ours, problem, problems, remote_kinds
from tests.contract.world import World

ROOT = Path(__file__).parents[2]
LOGS = ("hooks", "callbacks")


@pytest.mark.parametrize("kind", remote_kinds())
def test_every_remote_kind_keeps_the_contract(kind: str) -> None:
    if said := problem(kind):
        pytest.fail(said, pytrace=False)


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
    _, package = home(case.kind)
    every = dict.fromkeys(_all(BridgeError))
    own = [error for error in every if f"{error.__module__}.".startswith(f"{package}.")]
    assert own, f"{package}.errors: write a class for each refusal that the provider documents"
    for error in own:
        if "code" not in vars(error):
            assert error.__subclasses__(), f"{error.__name__} has no code of its own"
            continue
        assert error.code.startswith(f"{case.kind}-"), f"{error.__name__}: {error.code}"
        assert error.__doc__, f"{error.__name__}: its docstring says what the staff does"
    codes = [error.code for error in own if "code" in vars(error)]
    assert len(codes) == len(set(codes)), "two errors have one code"
    if is_ours(case.kind):
        bare = [code for code in codes if f"`{code}`" not in _pages(case.kind)]
        assert bare == [], f"docs/providers/{case.kind}.md says nothing of {', '.join(bare)}"


def test_the_example_and_a_page_show_it(case: Case) -> None:
    if not is_ours(case.kind):
        return
    page = ROOT / "docs" / "providers" / f"{case.kind}.md"
    assert page.is_file(), f"write docs/providers/{case.kind}.md: how to connect an account"
    example = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    shown = example + page.read_text(encoding="utf-8")
    assert f'kind = "{case.kind}"' in shown, f"{page.name} has no example of a connection"


def _all(parent: type[BridgeError]) -> Iterator[type[BridgeError]]:
    for error in parent.__subclasses__():
        yield error
        yield from _all(error)


def _pages(kind: str) -> str:
    """Where people look a code up."""
    pages = (ROOT / "docs" / "errors.md", ROOT / "docs" / "providers" / f"{kind}.md")
    return "".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())


def _activity(world: World) -> Any:
    activity = world.bridge.catalogue.activity("test")
    assert activity is not None
    return activity.settings
