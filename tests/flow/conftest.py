"""Worlds for flow tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.conftest import fresh_database
from tests.flow.rig import Rig
from tests.flow.scene import Scene, running_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running scene on SQLite, shared by the tests of a module; two web processes."""
    folder = tmp_path_factory.mktemp("scene")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3", "--workers", "2") as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """SQLite for tests that share a database and are not marked `on_each_database`."""
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "shared_database" in metafunc.fixturenames and "shared_database" not in given:
        metafunc.parametrize("shared_database", ["sqlite"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database for the tests of a module."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('shared')}/bridge.sqlite3"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def fresh_scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A running scene on each database, for one test; two web processes."""
    with running_scene(tmp_path, database_url, "--workers", "2") as made:
        yield made


@pytest.fixture
def check(tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """`lti-bridge config check` for the text of a file: exit status, and what it said."""

    def run(text: str) -> tuple[int, str]:
        path = tmp_path / "checked.toml"
        path.write_text(text, encoding="utf-8")
        ran = CliRunner().invoke(main, ["config", "check", "--config", str(path)])
        return ran.exit_code, ran.output

    return run


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A running rig on SQLite, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("rig")
    made = Rig(folder, f"sqlite:///{folder}/bridge.sqlite3")
    made.bridge.serve()
    yield made
    made.stop()


@pytest.fixture
def fresh_rig(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    """A running rig on each database, for one test."""
    made = Rig(tmp_path, database_url)
    made.bridge.serve()
    yield made
    made.stop()
