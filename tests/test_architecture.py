"""docs/architecture.md says what is there: places, states, imports, modules."""

from __future__ import annotations

import ast
import re
from typing import Any, get_args

import pytest

from lti_bridge.core.attempt import states as attempt_states
from lti_bridge.core.grade import states as grade_states
from lti_bridge.core.records import AttemptState, DeliveryState
from tests.architecture import PAGE, written
from tests.test_house import PACKAGE

TEXT = PAGE.read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`((?:[\w]+/)*[\w]+\.py)(?::([\w.]+))?`", TEXT)))
DRAWN = dict(
    zip(("attempt", "delivery"), re.findall(r"stateDiagram-v2\n(.*?)```", TEXT, re.S), strict=True)
)


def names_of(path: str) -> set[str]:
    """Everything that a module defines: functions, classes, methods, constants."""
    found = set()
    for node in ast.parse((PACKAGE / path).read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                methods = [one.name for one in body if isinstance(one, ast.FunctionDef)]
                found |= {name, *(f"{name}.{method}" for method in methods)}
            case ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {one.id for one in targets if isinstance(one, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_a_place_that_is_named_is_there(path: str, name: str) -> None:
    assert (PACKAGE / path).is_file(), path
    assert not name or name in names_of(path), f"{path} has no {name}"


def test_the_tables_are_those_of_the_code() -> None:
    assert written(TEXT) == TEXT, "run: python -m tests.architecture"


def arrows(drawing: str) -> set[tuple[str, str]]:
    """From which state to which a drawing leads."""
    return set(re.findall(r"^  (\S+) --> (\S+?)(?::|$)", DRAWN[drawing], re.M))


@pytest.mark.parametrize(
    ("drawing", "moves"),
    [("attempt", attempt_states.MOVES), ("delivery", grade_states.MOVES)],
)
def test_every_move_of_the_core_is_drawn(drawing: str, moves: Any) -> None:
    made = {(state, move.to) for move in moves.values() for state in move.of}
    assert made - arrows(drawing) == set()


@pytest.mark.parametrize(
    ("drawing", "states"), [("attempt", AttemptState), ("delivery", DeliveryState)]
)
def test_every_state_is_drawn_and_no_other(drawing: str, states: object) -> None:
    drawn = arrows(drawing)
    assert {state for pair in drawn for state in pair} - {"[*]"} == set(get_args(states))
