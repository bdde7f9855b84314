"""Worlds for flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A running world on each database."""
    made = make_world(tmp_path, database_url)
    made.bridge.serve()
    yield made
    made.stop()
