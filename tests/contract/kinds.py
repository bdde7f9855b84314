"""Which kinds have to keep the contract, and the parties by which they show it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import lti_bridge.providers
from lti_bridge.core.explanations import explain
from lti_bridge.errors import ConfigurationError
from lti_bridge.providers.registry import GROUP, kinds
from tests.contract.party import Party

PROVIDERS = Path(lti_bridge.providers.__file__).parent
TESTS = Path(__file__).parents[1] / "providers"
# Each capability that there is, and the method of the provider that it promises.
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
    "stock": "running_out",
    "check": "check",
    "forget": "forget",
    "import": "import_results",
    "export": "export_registrations",
    "adopt": "adopt",
    "administer": "administrator_url",
    "preview": "start",
}
# What every party writes, and what it writes for one capability.
ALWAYS = ("app", "connection", "wrong_secret", "activity", "paid_call", "refusals")
ALWAYS += ("bought", "hand_in", "mark", "unknown_status")
FOR = {"fetch": "fetch_calls", "callback": "tampered", "verdict": "stop"}
AN_EXAMPLE = "(tests/providers/demo/contract.py is one; docs/adding-a-provider.md, step 6)"


class Incomplete(Exception):
    """What is missing or wrong in a kind or its contract.py, in a sentence that says what to do."""


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
    """All parties of all remote kinds; what is not complete is named by `problems`."""
    found: list[Case] = []
    for name in remote_kinds():
        try:
            found += _cases(name)
        except Incomplete:
            continue
    return tuple(found)


def remote_kinds(folder: Path = PROVIDERS) -> list[str]:
    """The kinds whose code knows the capability `remote`, and those that cannot be read."""
    names = [path.name for path in folder.iterdir() if any(path.glob("*.py"))]
    if folder == PROVIDERS:
        names = list({*names, *kinds()})
    return sorted(name for name in names if _is_remote(name, folder))


def problems(providers: Path = PROVIDERS, tests: Path = TESTS) -> list[str]:
    """A sentence for each remote kind that cannot show the contract, saying what to write."""
    return [said for name in remote_kinds(providers) if (said := problem(name, tests))]


def problem(kind: str, tests: Path = TESTS) -> str:
    """What keeps a remote kind from showing the contract, and what to write; empty for nothing."""
    try:
        list(_cases(kind, tests))
    except Incomplete as error:
        return str(error)
    return ""


def parties(kind: str, tests: Path = TESTS) -> tuple[type[Party], ...]:
    """PARTIES of a kind's contract.py. Raises Incomplete."""
    path, where = tests / kind / "contract.py", f"tests/providers/{kind}/contract.py"
    if not path.is_file():
        raise Incomplete(
            f"kind {kind!r} calls its provider, so it has to keep the contract: write "
            f"{where} with PARTIES = (YourParty,), a subclass of "
            f"tests.contract.party.Party that starts your sandbox and pulls its strings "
            f"{AN_EXAMPLE}"
        )
    try:
        found = getattr(_module(kind, path), "PARTIES", None)
    except Exception as error:
        raise Incomplete(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(found, tuple) and found and all(map(_is_party, found))):
        raise Incomplete(
            f"{where} needs PARTIES = (YourParty,), a tuple of subclasses of "
            f"tests.contract.party.Party, and has {found!r} {AN_EXAMPLE}"
        )
    return found


def home(kind: str) -> tuple[Path, str]:
    """The folder of a kind's code, and its name as a package."""
    if (PROVIDERS / kind).is_dir():
        return PROVIDERS / kind, f"lti_bridge.providers.{kind}"
    (point, *_) = entry_points(group=GROUP, name=kind)
    spec = find_spec(point.module)
    if spec is None or spec.origin is None:
        raise Incomplete(f"kind {kind!r}: there is no module {point.module}")
    package = point.module if spec.submodule_search_locations else spec.parent
    return Path(spec.origin).parent, package or point.module


def is_ours(kind: str) -> bool:
    """Whether a kind is a folder here, so that its documentation is here as well."""
    return (PROVIDERS / kind).is_dir()


def _is_party(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Party) and found is not Party


def _cases(kind: str, tests: Path = TESTS) -> Iterator[Case]:
    for party in parties(kind, tests):
        where = f"{party.__name__} of tests/providers/{kind}/contract.py"
        _require(party, ALWAYS, where)
        try:
            made = party()
            made.url = "http://127.0.0.1:9"
            found = kinds()[kind]
            capabilities = found.capabilities(found.connection(made.connection()))
        except ValidationError as error:
            said = "; ".join(explain(error))
            raise Incomplete(f"{where}: connection() is refused by the kind: {said}") from error
        except ConfigurationError as error:
            raise Incomplete(error.detail) from error
        except Exception as error:
            raise Incomplete(f"{where}: {type(error).__name__}: {error}") from error
        if unknown := sorted(set(capabilities) - set(METHODS)):
            raise Incomplete(
                f"kind {kind!r} has capabilities that do not exist: {', '.join(unknown)}; "
                "core/attempt/capabilities.py has all"
            )
        if "remote" not in capabilities:
            raise Incomplete(f"{where}: such a connection is not remote; leave it out of PARTIES")
        _require(party, [FOR[name] for name in FOR if name in capabilities], where)
        yield Case(kind, party, frozenset(capabilities))


def _require(party: type[Party], names: tuple[str, ...] | list[str], where: str) -> None:
    """Raises Incomplete, naming everything that a party has not written."""
    lacking = [name for name in names if getattr(party, name) is getattr(Party, name)]
    if lacking:
        told = " ".join(f"{name}: {_meaning(name)}" for name in lacking)
        raise Incomplete(f"{where} has to say {', '.join(lacking)}. {told}")


def _meaning(name: str) -> str:
    if name == "refusals":
        return "What the provider documents as refusals, see tests/contract/party.py."
    return str(getattr(Party, name).__doc__).strip().partition("\n")[0]


def _module(kind: str, path: Path) -> Any:
    if path.parents[1] == TESTS:
        return import_module(f"tests.providers.{kind}.contract")
    spec = spec_from_file_location(f"contract_of_{kind}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is_remote(name: str, folder: Path) -> bool:
    code = folder / name
    if folder == PROVIDERS:
        try:
            kinds()[name]
            code, _ = home(name)
        except (ConfigurationError, Incomplete):
            return True  # `problem` says what is wrong with it
    return any(map(_says_remote, code.rglob("*.py")))


def _says_remote(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "REMOTE")
        or (isinstance(node, ast.Name) and node.id == "REMOTE")
        or (isinstance(node, ast.Constant) and node.value == "remote")
        for node in ast.walk(tree)
    )
