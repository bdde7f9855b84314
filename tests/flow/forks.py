"""Starts commands of the bridge as processes of their own, without loading its code for each.

A second of processor time goes into every start of Python with all the bridge's modules. So one
process loads them, once for each process of a test run, and forks: what is started is the same
command with the same arguments, environment and descriptors, in a session of its own.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOOK_S = 0.02


class Forked:
    """A started process, with as much of subprocess.Popen as the tests use."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self._starter = starter
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None as long as it runs."""
        if self.returncode is None:
            self.returncode = self._starter.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(LOOK_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Let it stop at once."""
        self.send_signal(signal.SIGKILL)


class Starter:
    """The process that has everything loaded; it ends with the one that made it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flow.forks"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: Sequence[str], log: Path) -> Forked:
        """`lti-bridge` with these arguments; `log` gets all that it writes."""
        told = self.ask(start=list(arguments), log=str(log), environment=dict(os.environ))
        return Forked(self, told)

    def ask(self, **request: Any) -> Any:
        """One question and its answer."""
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


@cache
def starter() -> Starter:
    """The one of this process."""
    return Starter()


def _become(log: str, environment: Mapping[str, str]) -> None:
    """What subprocess would have made of a child."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.close(written)
    os.close(nothing)


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _serve() -> list[str]:
    """Answer until the tests are gone; in a child, the arguments of what it has to become."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = os.fork()
            if not answer:
                _become(request["log"], request["environment"])
                return list(request["start"])
        else:
            answer = _ended(request["ended"])
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    from lti_bridge import serving, worker  # noqa: F401 - loaded for those who follow
    from lti_bridge.cli import main

    gc.collect()
    gc.freeze()
    main(args=_serve(), prog_name="lti-bridge")
