"""What runs a line of the bridge is seen, and the tests for a fault in it follow from that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.mutants.seen import Seen, function_at

CODE = """
LIMIT = 3


class Door:
    def open(self) -> bool:
        return LIMIT > len(
            "a name"
        )

    def shut(self) -> None:
        def bolt() -> None:
            print("bolted")

        bolt()
"""
DOOR = Path("lti_bridge/door.py")
QUICK, SLOW = "tests/a.py::test_quick", "tests/a.py::test_slow"
OTHER, LONG = "tests/b.py::test_other[x::1]", "tests/c.py::test_long"
SECONDS = {QUICK: 1.0, SLOW: 6.0, OTHER: 2.0, LONG: 90.0}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lti_bridge").mkdir()
    (tmp_path / DOOR).write_text(CODE)
    return tmp_path


def seen(lines: Mapping[int, set[str]]) -> Seen:
    return Seen({str(DOOR): lines}.get, SECONDS)


def test_the_tests_through_a_line_the_quickest_file_first(root: Path) -> None:
    found = seen({7: {LONG, SLOW, OTHER, QUICK}, 15: {LONG}})
    assert found.through(DOOR, 7, root) == [OTHER, QUICK, SLOW, LONG]
    assert found.through(DOOR, 15, root) == [LONG]


def test_a_line_that_goes_on_is_judged_by_its_function(root: Path) -> None:
    found = seen({7: {QUICK}, 13: {SLOW}, 15: {LONG}})
    assert found.through(DOOR, 8, root) == [QUICK]
    assert found.through(DOOR, 12, root) == [SLOW, LONG]  # of shut, with what stands in it


def test_what_only_imports_run_has_no_tests(root: Path) -> None:
    found = seen({2: {""}, 6: {""}, 7: {"", QUICK}})
    assert found.through(DOOR, 2, root) == []
    assert found.through(DOOR, 6, root) == []
    assert found.through(DOOR, 7, root) == [QUICK]
    assert found.through(DOOR, 15, root) == []  # and neither has what nothing runs


def test_the_tests_through_a_file() -> None:
    found = seen({2: {""}, 7: {QUICK, SLOW}, 13: {SLOW, OTHER}})
    assert found.through_file(DOOR) == [OTHER, QUICK, SLOW]
    assert found.through_file(Path("lti_bridge/gate.py")) == []


def test_as_many_as_took_so_long_but_one_at_least() -> None:
    found = seen({})
    assert found.within([QUICK, OTHER, SLOW], 9) == [QUICK, OTHER, SLOW]
    assert found.within([QUICK, OTHER, SLOW], 8) == [QUICK, OTHER]
    assert found.within([LONG, QUICK], 8) == [LONG]
    assert found.within([], 8) == []


@pytest.mark.parametrize(
    ("line", "lines"),
    [(2, range(0)), (6, range(0)), (7, range(7, 10)), (13, range(13, 14)), (15, range(12, 16))],
)
def test_which_function_a_line_is_of(line: int, lines: range) -> None:
    assert function_at(CODE, line) == lines
