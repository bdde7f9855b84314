"""Which tests run which lines of the bridge, as coverage.py saw them in a run without a fault.

As a plugin of pytest (`-p tests.mutants.seen --seen-in FOLDER`) it writes that down, each process
of a run into files of its own; `read_seen` reads them. What a test starts in another process is not
seen, and what was run as modules were imported, or tests collected, belongs to no test.
"""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.places import PACKAGE, ROOT

CAP_S = 45.0  # so much of the tests through a line is run, as long as they took without a fault


class Watch:
    """Notes for each test of this process which lines it runs, and how long it takes."""

    def __init__(self, folder: Path) -> None:
        from coverage import Coverage  # of the extra `mutants`, and only used by those who have it

        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._coverage = Coverage(
            data_file=str(folder / "lines"),
            data_suffix=True,
            config_file=False,
            source=[PACKAGE],
            messages=False,
        )
        self._coverage.set_option("run:relative_files", True)
        # the process that hands tests out to others sees nothing itself
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test, with all that is set up for it."""
        began = time.monotonic()
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")
            self._seconds[item.nodeid] = time.monotonic() - began

    def pytest_unconfigure(self) -> None:
        """Write it all down."""
        self._coverage.stop()
        self._coverage.save()
        if self._seconds:
            file = self._folder / f"seconds.{os.getpid()}.{time.time_ns()}.json"
            file.write_text(json.dumps(self._seconds), encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that the lines are written to."""
    parser.addoption("--seen-in", help="note which tests run which lines")


def pytest_configure(config: pytest.Config) -> None:
    """Watch, where that is asked for."""
    if folder := config.getoption("--seen-in"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        config.pluginmanager.register(Watch(Path(folder)), "seen-lines")


class Seen:
    """What was written down.

    `lines_of` gives, for a path in the project, the tests by the lines that they run, and None
    for a file of which nothing is known; `seconds` is what each test took.
    """

    def __init__(
        self,
        lines_of: Callable[[str], Mapping[int, Collection[str]] | None],
        seconds: Mapping[str, float],
    ) -> None:
        self._lines_of, self._seconds = lines_of, seconds

    def through(self, path: Path, line: int, root: Path = ROOT) -> list[str]:
        """The tests that run this line; those of its function where nothing is seen of it.

        Files of tests come after each other by what is run of them, the quickest first. None: it
        is run by imports alone, or in processes that tests start.
        """
        lines = self._lines_of(str(path)) or {}
        tests = {test for test in lines.get(line, ()) if test}
        if not tests:
            source = (root / path).read_text(encoding="utf-8")
            around = function_at(source, line)
            tests = {test for one in around for test in lines.get(one, ()) if test}
        return self._ordered(tests)

    def through_file(self, path: Path) -> list[str]:
        """The tests that run anything of this file, in the same order."""
        lines = self._lines_of(str(path)) or {}
        return self._ordered({test for tests in lines.values() for test in tests if test})

    def _ordered(self, tests: Collection[str]) -> list[str]:
        files: dict[str, list[str]] = {}
        for test in sorted(sorted(tests), key=self._cost):
            files.setdefault(test.partition("::")[0], []).append(test)
        ordered = sorted(files.values(), key=lambda of_one: sum(map(self._cost, of_one)))
        return [test for of_one in ordered for test in of_one]

    def within(self, tests: Sequence[str], cap_s: float = CAP_S) -> list[str]:
        """As many of these as took that long together, but one at least."""
        taken, sum_s = [], 0.0
        for test in tests:
            sum_s += self._cost(test)
            if taken and sum_s > cap_s:
                break
            taken.append(test)
        return taken

    def _cost(self, test: str) -> float:
        return self._seconds.get(test, 0.0)


def read_seen(folder: Path) -> Seen:
    """What one run or more have written into a folder; nothing, where there is none."""
    from coverage import CoverageData  # as above

    data = [CoverageData(str(file)) for file in sorted(folder.glob("lines.*"))]
    for one in data:
        one.read()
    seconds: dict[str, float] = {}
    for file in sorted(folder.glob("seconds.*")):
        seconds |= json.loads(file.read_text(encoding="utf-8"))

    @cache
    def lines_of(path: str) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for one in data:
            for line, tests in one.contexts_by_lineno(path).items():
                found.setdefault(line, set()).update(tests)
        return found

    return Seen(lines_of, seconds)


def function_at(source: str, line: int) -> Collection[int]:
    """The lines of the innermost function's body that this line is in; none outside of one."""
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body[0].lineno <= line <= (node.end_lineno or 0)
    ]
    if not around:
        return range(0)
    inner = max(around, key=lambda node: node.lineno)
    return range(inner.body[0].lineno, (inner.end_lineno or 0) + 1)
