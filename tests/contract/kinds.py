"""Which kinds have to keep the contract, and the parties by which they show it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import lti_bridge.providers
from lti_bridge.providers.registry import kinds
from tests.contract.party import Party

PROVIDERS = Path(lti_bridge.providers.__file__).parent
TESTS = Path(__file__).parents[1] / "providers"


@dataclass(frozen=True)
class Case:
    """One way in which connections of a kind are set up, and what it can do."""

    kind: str
    party: type[Party]
    capabilities: frozenset[str]

    def __str__(self) -> str:
        return f"{self.kind}-{self.party.__name__}"


@cache
def cases() -> tuple[Case, ...]:
    """All parties of all remote kinds; kinds without them are named by `problems`."""
    return tuple(case for name in remote_kinds() if has_contract(name) for case in _cases(name))


def remote_kinds(folder: Path = PROVIDERS) -> list[str]:
    """The kinds whose code knows the capability `remote`."""
    names = sorted(kinds()) if folder == PROVIDERS else [path.name for path in folder.iterdir()]
    return [name for name in names if any(map(_says_remote, (folder / name).rglob("*.py")))]


def problems(providers: Path = PROVIDERS, tests: Path = TESTS) -> list[str]:
    """A sentence for each remote kind without parties, saying what to write."""
    return [
        f"kind {name!r} calls its provider, so it has to keep the contract: write "
        f"tests/providers/{name}/contract.py with PARTIES = (YourParty,), a subclass of "
        "tests.contract.party.Party that starts your sandbox and pulls its strings "
        "(tests/providers/demo/contract.py is one; docs/adding-a-provider.md, step 6)"
        for name in remote_kinds(providers)
        if not has_contract(name, tests)
    ]


def has_contract(kind: str, tests: Path = TESTS) -> bool:
    """Whether somebody has written the kind's contract.py."""
    return (tests / kind / "contract.py").is_file()


def _cases(kind: str) -> Iterator[Case]:
    for party in import_module(f"tests.providers.{kind}.contract").PARTIES:
        made = party()
        made.url = "http://127.0.0.1:9"
        settings = kinds()[kind].connection(made.connection())
        yield Case(kind, party, kinds()[kind].capabilities(settings))


def _says_remote(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "REMOTE")
        or (isinstance(node, ast.Name) and node.id == "REMOTE")
        or (isinstance(node, ast.Constant) and node.value == "remote")
        for node in ast.walk(tree)
    )
