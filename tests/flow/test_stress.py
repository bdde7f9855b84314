"""A small helping of what `make stress` does in full: two clicks of each student at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.stress import problems, stress

STUDENTS = 100


@pytest.mark.postgres
def test_two_clicks_of_everybody_at_once_are_one_attempt_each(
    tmp_path: Path, postgres_database: str
) -> None:
    found = stress(tmp_path, postgres_database, STUDENTS)
    assert [line for figures in found for line in problems(figures)] == []
    assert sum(figures.waited for figures in found) > 0  # some did meet
