"""docs/promises.md names tests that exist, and that were seen to fail when a promise is broken."""

from __future__ import annotations

import re

import pytest

from tests.mutants.places import ROOT, read_table
from tests.mutants.test_faults import is_there

PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!promise|---)", line)]
# What a fault does not show: these look at the whole of the settings.
WITHOUT_FAULT = {
    "tests/test_configuration.py::test_a_check_cannot_be_widened_beyond_its_limit",
    "tests/test_configuration.py::test_every_switch_is_known",
}


def named_in(row: str) -> list[str]:
    """The ids in the last column."""
    return re.findall(r"`([^`]+)`", row.rstrip(" |").rpartition("|")[2])


def test_there_are_promises() -> None:
    assert len(ROWS) >= 13


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:40].strip())
def test_a_promise_names_tests_that_fail_without_it(row: str) -> None:
    named = named_in(row)
    assert named, row
    assert [test for test in named if "::" not in test or not is_there(test)] == []
    breakable = {test for fault in read_table() for test in fault.tests} | WITHOUT_FAULT
    assert [test for test in named if test not in breakable] == []
