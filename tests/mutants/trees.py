"""Copies of the project in which one file after the other is broken, and tests are run."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.mutants.places import ROOT, Change

TEST_TIMEOUT_S = 120
RUN_TIMEOUT_S = 900.0
WHOLE_TIMEOUT_S = 3600.0  # of a run without a fault, of everything that will be used
# What pytest says when tests ran and some failed; everything else but 0 is no verdict.
PASSED, FAILED = 0, 1
NO_END = "no end within"
# What is loaded once, and not by every run: a second and a half of each.
PRELOADED = [
    *("pytest", "hypothesis", "sqlalchemy", "flask", "pydantic", "cryptography.x509", "jwt"),
    *("lxml.etree", "psycopg", "urllib3", "requests", "oauthlib.oauth1", "pylti1p3", "click"),
]
OURS = ("tests", "lti_bridge")

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """How the tests ended with a fault in the code: "caught", "NOT CAUGHT" or "ERROR"."""

    word: str
    said: str = ""
    failed: tuple[str, ...] = ()  # the ids of what failed


class Trees:
    """So many copies of the project's files, each used by one run at a time."""

    def __init__(self, count: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bridge-mutants-"))
        self._free: queue.SimpleQueue[tuple[int, Path]] = queue.SimpleQueue()
        files = project_files()
        for number in range(count):
            tree = self._folder / str(number)
            for file in files:
                (tree / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, tree / file)
            self._free.put((number, tree))
        self.count = count
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(PRELOADED)

    def close(self) -> None:
        """Remove the copies."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def judge(self, change: Change | None, tests: Sequence[str], *options: str) -> Verdict:
        """Run the tests with the change in a copy; without one they have to pass."""
        with self._tree() as (number, tree):
            file = tree / change.path if change else None
            whole = file.read_bytes() if file else b""
            try:
                if file and change:
                    file.write_text(change.text, encoding="utf-8")
                limit_s = RUN_TIMEOUT_S if change else WHOLE_TIMEOUT_S
                return self._run(tree, number, options, tests, limit_s)
            finally:
                if file:
                    file.write_bytes(whole)

    @contextmanager
    def _tree(self) -> Iterator[tuple[int, Path]]:
        """A copy that nobody else uses, and its number."""
        number, tree = self._free.get()
        try:
            yield number, tree
        finally:
            self._free.put((number, tree))

    def _run(
        self,
        tree: Path,
        number: int,
        options: Sequence[str],
        tests: Sequence[str],
        limit_s: float,
    ) -> Verdict:
        written = self._folder / f"said-{number}.txt"
        arguments = [*options, *(("-x",) if len(tests) == 1 else ()), *tests]
        process = self._processes.Process(
            target=_tests, args=(str(tree), number, arguments, str(written))
        )
        process.start()
        process.join(limit_s)
        if process.exitcode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
            return Verdict("ERROR", f"{NO_END} {limit_s:.0f} s")
        lines = written.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        failed = [
            line.partition(" ")[2]
            for line in lines
            if line.startswith(("FAILED tests/", "ERROR tests/"))  # "ERROR x" may be of a log too
        ]
        blind = [test for test in tests if not any(one.startswith(test) for one in failed)]
        if process.exitcode == FAILED and not blind:
            return Verdict("caught", failed=tuple(failed))
        word = "NOT CAUGHT" if process.exitcode in (PASSED, FAILED) else "ERROR"
        # the first line says when nothing could be imported
        ends = [*lines[:1], *lines[1:][-15:]]
        said = "\n".join([*(f"passes: {test}" for test in blind), *ends])
        return Verdict(word, said, tuple(failed))


def each(
    trees: Trees, items: Sequence[T], judge: Callable[[T], Verdict]
) -> Iterator[tuple[T, Verdict]]:
    """The verdict on every item as soon as it is known, as many at a time as there are trees."""
    with ThreadPoolExecutor(trees.count) as pool:
        waited = {pool.submit(judge, item): item for item in items}
        for done in as_completed(waited):
            yield waited[done], done.result()


def _tests(tree: str, number: int, arguments: list[str], said: str) -> None:
    """Run pytest in a copy, in a process that has none of the project's own modules yet."""
    os.setsid()
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(tree)
    for name in [one for one in sys.modules if one.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path[:] = [tree, *(one for one in sys.path if one not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = tree
    os.environ["PYTEST_XDIST_WORKER"] = f"gw{number}"  # each copy's tests take ports of their own
    os.environ["COLUMNS"] = "400"  # else the reason of a failure is cut off behind a long name
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is started often is compiled once
    options = ["-q", "--no-header", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}"]
    sys.exit(int(pytest.main([*options, *arguments])))


def project_files() -> list[Path]:
    """What belongs to the project: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
