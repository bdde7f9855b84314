"""A run that was stopped goes on where it was, as long as nothing has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.record import Record, is_in, state_of

STEPS = ("tests/core", "tests/core/test_a.py", "tests/flow/test_a.py")
BROKEN = ("tests/core/test_a.py::test_x[1]", "tests/core/test_b.py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "build" / "found.jsonl"


def filled(file: Path) -> Record:
    made = Record(file, "this")
    made.ran(STEPS, BROKEN)
    made.judged("a.py + 1", "caught", "test_x")
    made.judged("a.py + 2", "NOT CAUGHT", "no test")
    return made


def test_what_was_found_is_found_again(file: Path) -> None:
    before = filled(file)
    with file.open("a") as half:
        half.write('{"place": "a.py + 3", "wo')  # stopped as it was written
    again = Record(file, "this")
    assert (again.verdicts, again.whole) == (before.verdicts, before.whole)
    assert again.verdicts["a.py + 2"] == {"word": "NOT CAUGHT", "by": "no test"}
    assert again.whole == dict(zip(STEPS, ([*BROKEN], [BROKEN[0]], []), strict=True))


def test_of_another_state_nothing_counts(file: Path) -> None:
    filled(file)
    for state in ("another", "this"):
        made = Record(file, state)
        assert (made.verdicts, made.whole) == ({}, {})
    made.judged("a.py + 1", "caught", "test_x")
    assert Record(file, "this").verdicts.keys() == {"a.py + 1"}


def test_what_fails_anyway_is_known_of_the_parts_of_a_step_too(file: Path) -> None:
    made = filled(file)
    assert made.failing("tests/core") == [*BROKEN]
    assert made.failing("tests/core/test_b.py") == [BROKEN[1]]
    assert made.failing("tests/core/test_c.py") == []
    assert made.failing("tests/cor") is None
    assert made.failing("tests") is None


@pytest.mark.parametrize(
    ("step", "has"),
    [
        ("tests/core", True),
        ("tests/core/test_a.py", True),
        ("tests/core/test_a.py::test_x[1]", True),
        ("tests/cor", False),
        ("tests/core/test_a", False),
    ],
)
def test_which_step_a_test_is_of(step: str, has: bool) -> None:
    assert is_in(BROKEN[0], step) is has


def test_a_state_is_that_of_code_and_tests(tmp_path: Path) -> None:
    files = [Path("lti_bridge/a.py"), Path("tests/test_a.py"), Path("docs/a.md")]
    for one in files:
        (tmp_path / one).parent.mkdir()
        (tmp_path / one).write_text("before")
    states = [state_of(files, 1, root=tmp_path)]
    for one in files:
        (tmp_path / one).write_text("after")
        states.append(state_of(files, 1, root=tmp_path))
    assert len({*states}) == 3
    assert states[2] == states[3] != state_of(files, 2, root=tmp_path)
