"""Kinds of other packages are found by their entry point, and what is wrong with one has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest
from click.testing import CliRunner

import lti_bridge.providers
from lti_bridge.cli import main
from lti_bridge.errors import ConfigurationError
from lti_bridge.providers.registry import GROUP, Kinds, kinds

DEMO = "lti_bridge.providers.demo:KIND"  # a Kind called demo
FOLDER = Path(lti_bridge.providers.__file__).parent
OWN = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))
BROKEN = {
    "an own name": (
        ["demo = json:dumps"],
        "demo",
        "package0 1.5 brings a kind 'demo', which is a kind of the bridge itself: uninstall",
    ),
    "twice": (
        ["acme = json:dumps", "acme = json:loads"],
        "acme",
        "package0 1.5 and package1 1.5 bring a kind 'acme' each: uninstall all but one",
    ),
    "no module": (
        ["acme = no_such_module:KIND"],
        "acme",
        "package0 1.5, entry point acme = 'no_such_module:KIND': cannot be imported "
        "(ModuleNotFoundError: No module named 'no_such_module'); install what it needs",
    ),
    "no attribute": (["acme = json:KIND"], "acme", "cannot be imported (AttributeError: "),
    "ends the process": (
        ["acme = tests.providers.test_registry:stopping.kind"],
        "acme",
        "cannot be imported (SystemExit: 3)",
    ),
    "no kind": (
        ["acme = json:dumps"],
        "acme",
        "'json:dumps': KIND has to be an lti_bridge.providers.contract.Kind, and is <function",
    ),
    "another name": (
        [f"acme = {DEMO}"],
        "acme",
        "its kind is called 'demo'; both have to be called the same",
    ),
}
CONNECTION = """
[bridge]
keys_dir = "{folder}/keys"
database_url = "sqlite:///{folder}/bridge.sqlite3"
queue_url = "sqlite:///{folder}/queue.sqlite3"
[[connection]]
name = "try-it"
kind = "{kind}"
base_url = "http://127.0.0.1:9"
api_key = "k"
"""


class Stopping:
    """What happens when a module is imported that was meant to be run."""

    @property
    def kind(self) -> object:
        """End the process."""
        raise SystemExit(3)


stopping = Stopping()


def install(folder: Path, *points: str) -> Path:
    """A package for each of these lines of an entry_points.txt."""
    for number, point in enumerate(points):
        told = folder / f"package{number}-1.5.dist-info"
        told.mkdir(parents=True)
        (told / "METADATA").write_text(f"Name: package{number}\nVersion: 1.5\n")
        (told / "entry_points.txt").write_text(f"[{GROUP}]\n{point}\n")
    return folder


def brought(folder: Path) -> list[EntryPoint]:
    found = sorted(distributions(path=[str(folder)]), key=lambda package: package.name)
    return [point for package in found for point in package.entry_points]


@pytest.mark.parametrize(("points", "name", "said"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_used_is_said_when_it_is_asked_for(
    points: list[str], name: str, said: str, tmp_path: Path
) -> None:
    found = Kinds(brought(install(tmp_path, *points)))
    assert found["isograd"].name == "isograd"
    with pytest.raises(ConfigurationError) as refused:
        found[name]
    assert said in refused.value.detail
    assert refused.value.detail.startswith("package0 1.5")
    assert found.problems() == [refused.value.detail]
    assert name in list(found)


def test_the_own_ones_are_the_folders(tmp_path: Path) -> None:
    found = Kinds(brought(tmp_path))
    assert list(found) == OWN
    assert {"demo", "isograd", "itep", "lti", "mettl", "prov"} <= set(OWN)
    assert [found[name].name for name in found] == list(found)
    assert found.problems() == []
    with pytest.raises(ConfigurationError, match="'tests' is none of " + ", ".join(OWN)):
        found["tests"]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process with a package beside it whose kind cannot be imported."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "packages", "acme = no_such_module:KIND")))
    kinds.cache_clear()
    yield
    kinds.cache_clear()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """A command about a bridge with one connection: exit status, and what it said."""

    def command(*words: str, kind: str) -> tuple[int, str]:
        config = tmp_path / "config.toml"
        config.write_text(CONNECTION.format(folder=tmp_path, kind=kind), encoding="utf-8")
        ran = CliRunner().invoke(main, [*words, "--config", str(config)])
        return ran.exit_code, ran.output

    return command


@pytest.mark.usefixtures("broken")
def test_a_broken_package_stops_only_who_uses_it(run: Callable[..., tuple[int, str]]) -> None:
    what = "package0 1.5, entry point acme = 'no_such_module:KIND': cannot be imported"
    status, said = run("config", "check", kind="demo")
    assert status == 0, said
    assert f"No connection can use this kind of provider: {what}" in said
    status, said = run("config", "check", kind="acme")
    assert status == 1
    assert f"connection 'try-it': kind: {what}" in said
    assert run("migrate", kind="demo")[0] == 0
    status, said = run("doctor", kind="demo")
    assert f"wrong  kinds: {what}" in said
    assert "Mend or uninstall the package" in said
    assert status == 1


def test_doctor_names_the_kinds(run: Callable[..., tuple[int, str]]) -> None:
    assert run("migrate", kind="demo")[0] == 0
    assert f"good   kinds: {', '.join(OWN)}" in run("doctor", kind="demo")[1]
