"""Platforms for the tests of services: one for a module, and a fresh one on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.services.platform import Platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform on SQLite, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("platform")
    made = Platform(folder, f"sqlite:///{folder}/bridge.sqlite3")
    yield made
    made.stop()


@pytest.fixture
def fresh(tmp_path: Path, database_url: str) -> Iterator[Platform]:
    """A platform on each database, for one test."""
    made = Platform(tmp_path, database_url)
    yield made
    made.stop()
