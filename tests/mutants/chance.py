"""Breaks the bridge at 200 places chosen by chance, with the operators of Cosmic Ray.

`make mutants-random`. The seed is fixed: everybody gets the same places of the same code. What
a fault is tested with follows from where it is: the tests of the folder of the same name first,
then those that go through it. What is not caught is either mended by a test or reasoned in
docs/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.places import ROOT, Change
from tests.mutants.trees import Trees, Verdict, each

SEED, COUNT = 20, 200
ROOMS = ("core", "lti", "lms", "providers")
# Tests that go through a room, the cheap ones first.
THROUGH = {
    "core": (
        *("tests/core", "tests/store", "tests/contract", "tests/cli", "tests/providers/services"),
        *("tests/flow/test_launch_core.py", "tests/flow/test_placing.py", "tests/lms"),
        *("tests/flow/test_deliveries.py", "tests/flow/test_notice.py", "tests/test_overrides.py"),
    ),
    "lti": ("tests/lti", "tests/lms", "tests/providers/services", "tests/flow/test_outcomes.py"),
    "lms": (
        *("tests/lms", "tests/flow/test_lms11.py", "tests/flow/test_deliveries.py"),
        *("tests/flow/test_placing.py", "tests/flow/test_answers.py", "tests/flow/test_trust.py"),
        *("tests/flow/test_lms_habits.py", "tests/flow/test_registrations.py"),
    ),
    "providers": (
        *("tests/providers", "tests/contract", "tests/flow/test_outcomes.py"),
        *("tests/flow/test_consumer11.py", "tests/flow/test_consumer11_privacy.py"),
        *("tests/flow/test_people_named.py", "tests/flow/test_people_candidates.py"),
    ),
}


@dataclass(frozen=True)
class Chance:
    """One place: the n-th of an operator in a file."""

    path: Path
    operator: str
    occurrence: int
    line: int

    @property
    def text(self) -> str:
        """The file with the fault in it."""
        source = (ROOT / self.path).read_text(encoding="utf-8")
        return str(mutate_code(source, get_operator(self.operator)(), self.occurrence))

    def __str__(self) -> str:
        source = (ROOT / self.path).read_text(encoding="utf-8").splitlines()
        lines = [*difflib.unified_diff(source, self.text.splitlines(), n=0, lineterm="")][3:]
        return f"{self.path}:{self.line}  " + "  ".join(" ".join(one.split()) for one in lines)


def chosen(count: int = COUNT, seed: int = SEED) -> list[Chance]:
    """The places, always the same ones of the same code."""
    files = [
        file.relative_to(ROOT)
        for room in ROOMS
        for file in (ROOT / "lti_bridge" / room).rglob("*.py")
    ]
    found = [one for file in sorted(files) for one in _in_file(file)]
    return random.Random(seed).sample(found, min(count, len(found)))


def _in_file(path: Path) -> Iterator[Chance]:
    source = (ROOT / path).read_text(encoding="utf-8")
    silent = _silent(source)
    nodes = list(ast_nodes(get_ast(source)))
    for name in sorted(operator_names()):
        try:
            operator = get_operator(name)()
        except TypeError:  # one that wants to be told what to put in
            continue
        number = 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if not any(first <= start < last for first, last in silent):
                    yield Chance(path, name, number, start[0])
                number += 1


def _silent(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """What nobody runs: annotations, the options of dataclasses, and the bodies of protocols."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        quiet: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            quiet.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            quiet.append(node.returns)
        elif isinstance(node, ast.ClassDef):
            quiet += node.decorator_list
            if any("Protocol" in ast.unparse(base) for base in node.bases):
                quiet.append(node)
        spans += [
            ((one.lineno, one.col_offset), (one.end_lineno or 0, one.end_col_offset or 0))
            for one in quiet
            if isinstance(one, ast.expr | ast.stmt)
        ]
    return spans


@cache
def tests_of(path: Path) -> tuple[str, ...]:
    """The tests for a fault in this file: those of its own name first."""
    _, room, *rest = path.with_suffix("").parts
    mirror = Path("tests", room, *rest[:-1])
    own = mirror / f"test_{path.stem}.py"
    first = [str(own)] if (ROOT / own).is_file() else []
    if rest[:-1] and (ROOT / mirror).is_dir():
        first.append(str(mirror))
        first += (
            [f"tests/flow/test_{rest[0]}.py"]
            if (ROOT / f"tests/flow/test_{rest[0]}.py").is_file()
            else []
        )
    return tuple(dict.fromkeys([*first, *THROUGH[room]]))


def judge(trees: Trees, one: Chance) -> Verdict:
    """Caught by the tests of its own name, else by those that go through it."""
    change = Change(one.path, one.text, one.line)
    verdict = Verdict("ERROR")
    for step in tests_of(one.path):
        verdict = trees.judge(change, [step])
        if verdict.word == "caught" or verdict.word == "ERROR":
            return Verdict("caught", step)  # that nothing can be collected any more is noticed too
    return verdict


def main() -> int:
    """Run all and print a line for each; 1 when one is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.chance", description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--list", action="store_true", help="say which places, and run nothing")
    arguments = parser.parse_args()
    places = chosen()[: arguments.count]
    if arguments.list:
        print("\n".join(map(str, places)))
        return 0
    trees, began, left = Trees(arguments.jobs), time.monotonic(), []
    try:
        for done, (one, verdict) in enumerate(each(trees, places, lambda p: judge(trees, p)), 1):
            print(f"{done:4}/{len(places)}  {verdict.word:10}  {one}", flush=True)
            left += [one] if verdict.word != "caught" else []
    finally:
        trees.close()
    caught = len(places) - len(left)
    print(f"{caught} of {len(places)} caught, {time.monotonic() - began:.0f} s")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
