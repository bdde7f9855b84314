"""Breaks the bridge at 200 places chosen by chance, with the operators of Cosmic Ray.

`make mutants-random`. The seed is fixed: everybody gets the same places of the same code. What
a fault is tested with are the tests that run its line, or any line of its file if only imports run
that one; and then, if none of them fails, those of its own name and a few that start servers.
All are run once without a fault, which shows what runs which lines; what fails then is left out.
A run that was stopped goes on where it was, as long as code and tests are the same. What is not
caught is either mended by a test or reasoned in docs/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.places import ROOT, Change
from tests.mutants.record import FILE, Record, is_in, state_of
from tests.mutants.seen import Seen, read_seen
from tests.mutants.trees import NO_END, Trees, Verdict, each, project_files

SEED, COUNT = 20, 200
NO_IMPORT = "ImportError while loading conftest"  # a fault in what every test needs
ROOMS = ("core", "lti", "lms", "providers", "platform")  # as far as there are such folders
SEEN_IN = FILE.with_suffix("")  # a folder: what was seen in the run without a fault
# The tests that run the bridge in their own process, where it is seen which lines they run.
WATCHED = (
    *("tests/core", "tests/store", "tests/lti", "tests/lms", "tests/platform", "tests/providers"),
    *("tests/contract", "tests/cli", "tests/test_overrides.py", "tests/test_hostile.py"),
)
# Those that start servers, whose lines are not seen: as few as go through the whole of a folder.
SERVING = {
    "core": ("tests/flow/test_launch_core.py", "tests/flow/test_outcomes.py"),
    "core/course": ("tests/flow/test_placing.py",),
    "lti": ("tests/flow/test_outcomes.py",),
    "lms": ("tests/flow/test_lms11.py", "tests/flow/test_lms_habits.py"),
    "platform": ("tests/flow/test_outcomes.py", "tests/flow/test_tool13.py"),
    "providers": ("tests/flow/test_outcomes.py",),
    "providers/demo": ("tests/flow/test_demo_kind.py",),
    "providers/isograd": ("tests/flow/test_isograd_api.py",),
    "providers/itep": ("tests/flow/test_itep.py",),
    "providers/mettl": ("tests/flow/test_mettl.py",),
    "providers/prov": ("tests/flow/test_prov.py",),
}


@dataclass(frozen=True)
class Chance:
    """One place: the n-th of an operator in a file."""

    path: Path
    operator: str
    occurrence: int
    line: int

    @property
    def key(self) -> str:
        """What its verdict is kept by."""
        return f"{self.path} {self.operator} {self.occurrence}"

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
    """The files of tests for a fault in this file: those of its own name, and servers."""
    _, room, *rest = path.with_suffix("").parts
    mirror = Path("tests", room, *rest[:-1])
    moved = not (ROOT / mirror).is_dir()
    own = _named(f"tests/{room}", path.stem) if moved else [mirror / f"test_{path.stem}.py"]
    there = [str(one) for one in own if (ROOT / one).exists()]
    serving = SERVING.get("/".join([room, *rest[:1]]), SERVING[room])
    if gone := [one for one in (*serving, *WATCHED) if not (ROOT / one).exists()]:
        raise SystemExit(f"these tests are not there: {', '.join(gone)}")
    return tuple(dict.fromkeys([*there, *serving]))


def _named(folder: str, stem: str) -> list[Path]:
    """Tests of this name anywhere in a folder: code has moved, and its tests have not."""
    return [one.relative_to(ROOT) for one in sorted((ROOT / folder).rglob(f"test_{stem}.py"))]


@dataclass(frozen=True)
class Judge:
    """Runs the tests of a place; `broken` are those that fail anyway, `seen` says what runs it."""

    trees: Trees
    broken: Collection[str]
    seen: Seen

    def whole(self, steps: Collection[str]) -> Verdict:
        """All tests of these steps without a fault, each once, and what lines they run."""
        outer = [one for one in steps if not any(is_in(one, other) for other in {*steps} - {one})]
        spread = ("-n", str(self.trees.count), "--dist", "worksteal")
        watched = ("-p", "tests.mutants.seen", f"--seen-in={SEEN_IN}")
        return self.trees.judge(None, outer, "--continue-on-collection-errors", *spread, *watched)

    def through(self, one: Chance) -> list[str]:
        """The tests that run this place; those that run its file where only imports run it."""
        tests = self.seen.through(one.path, one.line) or self.seen.through_file(one.path)
        return [test for test in tests if not any(is_in(test, step) for step in self.broken)]

    def __call__(self, one: Chance) -> Verdict:
        """Caught by a test that runs it, else by those of its own name and its room.

        What nothing can be collected with any more is noticed too, and so is what never ends.
        """
        change, tests = Change(one.path, one.text, one.line), self.through(one)
        if not _is_python(change.text):
            return Verdict("caught", "it is not Python any more")
        verdict = self._at_once(change, tests) if tests else Verdict("ERROR", "no tests are left")
        steps = [*tests_of(one.path)]
        if tests and verdict.word == "ERROR":  # one of them is not there any more, with the fault
            steps[:0] = dict.fromkeys(test.partition("::")[0] for test in tests)
        for step in steps:
            if verdict.word == "caught":
                break
            if step not in self.broken:
                found = _read(self.trees.judge(change, [step], *self._without(step)), step)
                if found.word == "caught" or verdict.word == "ERROR":
                    verdict = found
        return verdict

    def _at_once(self, change: Change, tests: Sequence[str]) -> Verdict:
        """What these tests say, of which the first one that fails ends the run."""
        taken = self.seen.within(tests)
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write("".join(f"{test}\n" for test in taken))
            file.flush()
            found = _read(self.trees.judge(change, [f"@{file.name}"]), f"{len(taken)} tests")
        if found.word != "NOT CAUGHT" or len(taken) == len(tests):
            return found
        return Verdict("NOT CAUGHT", f"{found.said}; {len(tests) - len(taken)} were left out")

    def _without(self, step: str) -> Iterator[str]:
        for one in self.broken:
            if is_in(one, step):
                yield f"--deselect={one}" if "::" in one else f"--ignore={one}"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _read(found: Verdict, step: str) -> Verdict:
    """The verdict of one run, which says what has caught the fault; any test is enough."""
    if NO_IMPORT in found.said:
        return Verdict("caught", "nothing can be imported")
    if found.failed:
        test, _, reason = found.failed[0].partition(" - ")
        return Verdict("caught", f"{test}, by its time limit" if "Timeout" in reason else test)
    if found.said.startswith(NO_END):
        return Verdict("caught", f"{step}: {NO_END}")
    return Verdict("NOT CAUGHT", "no test") if found.word == "NOT CAUGHT" else found


def first_run(judge: Judge, record: Record, steps: Collection[str]) -> list[str]:
    """The tests that fail without a fault, which prove nothing; those of a run before are known.

    Raises SystemExit when they cannot be run.
    """
    new = sorted(one for one in {*steps} if record.failing(one) is None)
    if new:
        print(f"Without a fault, the tests of {len(new)} files and folders have to pass:")
        print("".join(f"  {one}\n" for one in new), end="", flush=True)
        began, verdict = time.monotonic(), judge.whole(new)
        if verdict.word == "ERROR" and not verdict.failed:
            raise SystemExit(f"they cannot be run.\n{verdict.said}")
        record.ran(new, [one.partition(" - ")[0] for one in verdict.failed])
        print(f"run in {time.monotonic() - began:.0f} s.")
    broken = sorted({one for step in steps for one in record.failing(step) or ()})
    said = "these fail anyway, and are left out:" if broken else "they do."
    print(said, *(f"  {one}" for one in broken), sep="\n", flush=True)
    return broken


class Progress:
    """Says how far a run is, a line for each verdict."""

    def __init__(self, words: Collection[str], count: int) -> None:
        self._words, self._count = [*words], count
        self._before, self._began = len(self._words), time.monotonic()

    def say(self, one: Chance, word: str, by: str) -> None:
        """One more is judged."""
        self._words.append(word)
        done, caught = len(self._words), self._words.count("caught")
        each_s = (time.monotonic() - self._began) / (done - self._before)
        left = f"{each_s * (self._count - done):,.0f} s left"
        counts = f"{caught} caught, {self._words.count('NOT CAUGHT')} survived"
        print(f"{done:4}/{self._count}  {counts}, {left}  {word:10}  {one}  [{by}]", flush=True)


def main() -> int:
    """Run all that is not judged yet, and say what is not caught; 1 when there is such a one."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.chance", description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--count", type=int, default=COUNT, help="only so many, the first ones")
    parser.add_argument("--list", action="store_true", help="say which places, and run nothing")
    parser.add_argument("--anew", action="store_true", help="forget what a run before has found")
    arguments = parser.parse_args()
    places = chosen()[: arguments.count]
    if arguments.list:
        print("\n".join(map(str, places)))
        return 0
    if arguments.anew:
        FILE.unlink(missing_ok=True)
    record = Record(FILE, state_of(project_files(), SEED))
    trees = Trees(max(arguments.jobs, 1))
    try:
        _run(trees, record, places)
    finally:
        trees.close()
    return _report(record, places)


def _run(trees: Trees, record: Record, places: Sequence[Chance]) -> None:
    if not record.whole:
        shutil.rmtree(SEEN_IN, ignore_errors=True)
    steps = {*WATCHED, *(step for one in places for step in tests_of(one.path))}
    broken = first_run(Judge(trees, (), read_seen(SEEN_IN)), record, steps)
    judge = Judge(trees, broken, read_seen(SEEN_IN))
    left = [one for one in places if one.key not in record.verdicts]
    known = [record.verdicts[one.key]["word"] for one in places if one.key in record.verdicts]
    print(f"{len(known)} of {len(places)} places are judged already.", flush=True)
    progress = Progress(known, len(places))
    for one, verdict in each(trees, left, judge):
        if verdict.word != "ERROR":  # what could not be judged is tried again the next time
            record.judged(one.key, verdict.word, verdict.said)
        progress.say(one, verdict.word, verdict.said)


def _report(record: Record, places: Sequence[Chance]) -> int:
    words = {one: record.verdicts.get(one.key, {"word": "ERROR"})["word"] for one in places}
    left = [one for one, word in words.items() if word != "caught"]
    for one in left:
        print(f"\n{words[one]}: {one}")
    print(f"\n{len(places) - len(left)} of {len(places)} caught; all verdicts are in {FILE}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
