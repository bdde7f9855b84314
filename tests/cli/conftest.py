"""Offices for the tests of commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.office import Office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office on SQLite, shared by the tests of a module; each has learners of its own."""
    folder = tmp_path_factory.mktemp("office")
    made = Office(folder, f"sqlite:///{folder}/bridge.sqlite3")
    yield made
    made.stop()


@pytest.fixture
def fresh_office(tmp_path: Path, database_url: str) -> Iterator[Office]:
    """An office on each database, for one test."""
    made = Office(tmp_path, database_url)
    yield made
    made.stop()
