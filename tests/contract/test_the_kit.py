"""What the contract kit says to somebody who writes a kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.kinds import cases, parties, problem
from tests.contract.saying import sentence
from tests.contract.world import World

PARTY = """
from tests.contract.party import Party
from tests.providers.demo.contract import Demo
"""
WRITTEN = {
    "not Python": ("PARTIES = (", "cannot be imported: SyntaxError: '(' was never closed"),
    "no module": ("import no_such", "cannot be imported: ModuleNotFoundError: No module named"),
    "no PARTIES": ("class Mine(Demo): pass", "needs PARTIES = (YourParty,), a tuple of subclasses"),
    "none": ("PARTIES = ()", "needs PARTIES = (YourParty,), a tuple of subclasses"),
    "no tuple": ("PARTIES = Demo", "needs PARTIES = (YourParty,), a tuple of subclasses"),
    "an object": ("PARTIES = (Demo(),)", "needs PARTIES = (YourParty,), a tuple of subclasses"),
    "nothing written": (
        "class Mine(Party):\n    def app(self, hook_url): pass\nPARTIES = (Mine,)",
        "Mine of tests/providers/demo/contract.py has to say connection, wrong_secret, activity, "
        "paid_call, refusals, bought, hand_in, mark, unknown_status. connection: The kind's own "
        "keys of a [[connection]] that reaches self.url.",
    ),
    "not what its capabilities need": (
        "class Mine(Demo):\n"
        "    fetch_calls, tampered = Party.fetch_calls, Party.tampered\n"
        "PARTIES = (Mine,)",
        "has to say fetch_calls, tampered. fetch_calls: Which requests ask how a sitting stands",
    ),
    "keys that the kind refuses": (
        "class Mine(Demo):\n"
        "    def connection(self): return {'base_url': self.url}\n"
        "PARTIES = (Mine,)",
        "connection() is refused by the kind: api_key:",
    ),
    "an error of its own": (
        "class Mine(Demo):\n    def connection(self): return {}['url']\nPARTIES = (Mine,)",
        "Mine of tests/providers/demo/contract.py: KeyError: 'url'",
    ),
}


@pytest.mark.parametrize(("written", "said"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_missing_in_a_contract_is_a_sentence(
    written: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "contract.py").write_text(PARTY + written + "\n", encoding="utf-8")
    assert said in problem("demo", tmp_path)


def test_a_broken_promise_is_a_sentence(tmp_path: Path) -> None:
    (case,) = [one for one in cases() if one.kind == "demo"]
    world = World("demo", case.party(), tmp_path)
    try:
        name = world.begin()
        with pytest.raises(AssertionError) as failed:
            assert world.party.bought() == [name, name]
        said = sentence("test_bought_twice", "kind 'demo'", world.story, failed.value)
        assert said.startswith("kind 'demo' breaks the promise “bought twice”: after ann clicked ")
        assert "; the provider answered POST /sessions with 201 {" in said
        assert "expected `world.party.bought() == [name, name]` (tests/contract/test_the_" in said
        assert f"and found ['{name}'] == ['{name[:4]}" in said
        with pytest.raises(AssertionError, match="the sandbox answers POST /control/nothing with"):
            world.party.control("nothing")
        with pytest.raises(AssertionError, match=r"no call that fits \{'path': '/nowhere'\}"):
            world.party.answer({"path": "/nowhere"})
    finally:
        world.stop()


def test_whoever_should_be_refused_and_is_not_is_named() -> None:
    with pytest.raises(pytest.fail.Exception) as failed, pytest.raises(ValueError, match="no"):
        parties("demo")
    said = sentence("test_x_is_refused", "kind 'demo'", [], failed.value)
    assert said.startswith("kind 'demo' breaks the promise “x is refused”: after nothing, expected")
    assert 'pytest.raises(ValueError, match="no")' in said
    assert said.endswith("and found no error")
