"""Worlds for flow tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    with module_database(request.param, request, tmp_path_factory) as url:
        yield url


@contextmanager
def module_database(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of this engine; it may be used until the block ends."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('shared')}/bridge.sqlite3"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="module")
def each_database(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of each engine, for the tests of a module."""
    with module_database(engine, request, tmp_path_factory) as url:
        yield url


@pytest.fixture(scope="module")
def each_scene(each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running scene on each database; two web processes."""
    with running_scene(tmp_path_factory.mktemp("each"), each_database, "--workers", "2") as made:
        yield made


@pytest.fixture
def fresh_scene(each_scene: Scene, each_database: str) -> Scene:
    """The same one, in whose bridge nothing has happened yet."""
    each_scene.world.bridge.begin_anew(each_database)
    return each_scene


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


@pytest.fixture(scope="module")
def each_rig(each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A running rig on each database."""
    made = Rig(tmp_path_factory.mktemp("each"), each_database)
    made.bridge.serve()
    yield made
    made.stop()


@pytest.fixture
def fresh_rig(each_rig: Rig, each_database: str) -> Rig:
    """The same one, in which nothing has happened yet."""
    each_rig.bridge.begin_anew(each_database)
    each_rig.school.forget()
    return each_rig
