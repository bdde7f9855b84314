"""Worlds for flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.scene import Scene, running_scene
from tests.flow.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A running world on each database."""
    made = make_world(tmp_path, database_url)
    made.bridge.serve()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running scene on SQLite, shared by the tests of a module; two web processes."""
    folder = tmp_path_factory.mktemp("scene")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3", "--workers", "2") as made:
        yield made


@pytest.fixture
def fresh_scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A running scene on each database, for one test; two web processes."""
    with running_scene(tmp_path, database_url, "--workers", "2") as made:
        yield made
