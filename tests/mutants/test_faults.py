"""Every fault can be made where the table says, and its tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.places import ROOT, Fault, Moved, broken, read_table

FAULTS = read_table()
CODE = """
LIMIT = 3


class Door:
    def open(self) -> bool:
        '''Whether it is open.'''
        return LIMIT > 2 and LIMIT > 1


def close() -> None:
    return None
"""


def is_there(test: str) -> bool:
    """Whether a test of this id, or a file of this name, exists; parameters are not looked at."""
    file, _, name = test.partition("[")[0].partition("::")
    path = ROOT / file
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8") if name else ""
    return not name or bool(re.search(rf"^def {re.escape(name)}\b", text, re.MULTILINE))


def test_the_table_is_long_enough() -> None:
    assert len(FAULTS) >= 120


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.promise)
def test_a_fault_can_be_made_and_its_tests_are_there(fault: Fault) -> None:
    assert broken(fault).path.is_file() or (ROOT / broken(fault).path).is_file()
    assert fault.tests
    assert [test for test in fault.tests if not is_there(test)] == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of two modules."""
    (tmp_path / "lti_bridge").mkdir()
    for name in ("one.py", "two.py"):
        (tmp_path / "lti_bridge" / name).write_text(
            CODE if name == "one.py" else "def close(): 1\n"
        )
    return tmp_path


def test_a_fault_is_made_in_its_place_only(tree: Path) -> None:
    change = broken(Fault("p", "Door.open", ("t",), "LIMIT > 2", "LIMIT > 9"), tree)
    assert change.path == Path("lti_bridge/one.py")
    assert change.text == CODE.replace("LIMIT > 2", "LIMIT > 9")
    assert CODE.splitlines()[change.line - 1].strip().startswith("return")


def test_a_whole_body_can_be_replaced(tree: Path) -> None:
    change = broken(Fault("p", "one:close", ("t",), body="raise OSError"), tree)
    assert change.text == CODE.replace("return None", "raise OSError")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("p", "Door.shut", ("t",), "a", "b"), "not in one place but in 0"),
        (Fault("p", "close", ("t",), "1", "2"), "not in one place but in 2"),
        (Fault("p", "Door.open", ("t",), "LIMIT > 7", "b"), "stands there 0 times"),
        (Fault("p", "Door.open", ("t",), "LIMIT", "b"), "stands there 2 times"),
        (Fault("p", "LIMIT", ("t",), "3", "3"), "nothing would change"),
        (Fault("p", "LIMIT", ("t",), "3", "("), "not Python"),
    ],
)
def test_a_place_that_has_moved_is_an_error(tree: Path, fault: Fault, said: str) -> None:
    with pytest.raises(Moved, match=re.escape(said)):
        broken(fault, tree)
