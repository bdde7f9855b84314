"""Processes that are killed, LMSs that refuse, databases that stop, disks that are full."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import urllib3

from tests.flow import signing
from tests.flow.faults.ground import (
    Ledger,
    Line,
    Receive,
    Slowly,
    not_ready,
    own_server,
    postgres_rig,
    readiness,
    say,
    sqlite_rig,
    told,
)
from tests.flow.rig import ONE, Rig, Sitting
from tests.flow.school import Call, Err
from tests.flow.test_crashes import processes
from tests.flow.world import eventually, free_port

LEARNERS, SCORES = 120, 5
KILLS = 14
LOCKED_S = 20.0
DISK = "24m"
REFUSED_S = 12.0
AWAY = Err(503, b"<p>down for maintenance</p>")


def kills(server: str) -> Iterator[Line]:
    """kill -9 at every step: of all, of web and worker, before, during and after a delivery."""
    with postgres_rig(server) as rig:
        rig.bridge.serve("--workers", "2")
        ledger, steps = Ledger(rig, LEARNERS, SCORES), _AtSteps(rig)
        with Slowly(rig, steps.hook):
            ledger.report(lambda: _kill_again_and_again(rig, steps))
        yield ledger.check(f"killed {steps.killed} times at every step")


class _AtSteps:
    """Kills the worker when a grade comes, once it is taken, and while the answer is on its way."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.killed, self.step = rig, 0, ""

    def hook(self, call: Call, receive: Receive) -> tuple[Any, ...] | None:
        """What the LMS does with a call."""
        step, self.step = self.step, ""
        if step == "before":
            self.kill("worker")
        answer = receive(call)
        if step == "taken":
            self.kill("worker")
            return None
        return answer

    def kill(self, kind: str) -> None:
        """Kill one process of a kind, if one runs just now."""
        serving = self.rig.bridge.processes[0]
        if pid := processes(serving.pid).get(kind):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed += 1


def _kill_again_and_again(rig: Rig, steps: _AtSteps) -> None:
    for number in range(KILLS):
        time.sleep(random.uniform(0.3, 1.2))
        step = ("before", "taken", "web", "worker", "all")[number % 5]
        if step in ("before", "taken"):
            steps.step = step
        elif step == "all":
            rig.bridge.kill(rig.bridge.processes[0])
            rig.bridge.serve("--workers", "2")
            steps.killed += 1
        else:
            steps.kill(step)


def lms(server: str) -> Iterator[Line]:
    """An LMS that is away, answers with garbage, hangs up after success, refuses for good."""
    with postgres_rig(server) as rig:
        rig.bridge.serve()
        ledger, storm = Ledger(rig, LEARNERS, SCORES), _Storm()
        found: list[Line] = []
        with Slowly(rig, storm.hook):
            ledger.report(lambda: found.extend(_storm(rig, storm)))
        yield from found
        _end_pauses(rig)
        yield ledger.check("an LMS away, with garbage, hanging up after success")
        yield from _refuses(rig, ledger)


class _Storm:
    """What the LMS does now with grades, and with nothing else."""

    def __init__(self) -> None:
        self.kind = ""

    def hook(self, call: Call, receive: Receive) -> tuple[Any, ...] | None:
        """Err as it is told to."""
        if call.path == "/token" or call.reads or not self.kind:
            return receive(call)
        kind = self.kind if self.kind != "mixed" else random.choice(["", "away", "garbage", "drop"])
        if kind == "away":
            return AWAY.answer
        if kind == "garbage":
            return 200, "text/html", b"<html><body>Welcome</body></html>", ""
        answer = receive(call)
        return None if kind == "drop" else answer


def _storm(rig: Rig, storm: _Storm) -> Iterator[Line]:
    for kind, words in (("away", ("HTTP 503", "since")), ("garbage", ("since",))):
        storm.kind = kind
        yield told(rig, "grades to old", *words)
    for kind in ("drop", "mixed"):
        storm.kind = kind
        say(f"the LMS: {kind}")
        time.sleep(REFUSED_S)
    storm.kind = ""


def _end_pauses(rig: Rig) -> None:
    """Who got garbage many times would wait for an hour by now; nobody here does."""
    now = int(time.time() * 1000)
    due = "UPDATE grades SET due_at = :now WHERE delivery = 'pending' AND lease IS NULL"
    rig.write(due, now=now)


def _refuses(rig: Rig, ledger: Ledger) -> Iterator[Line]:
    """An LMS that refuses for good for a while; put right by one command."""

    def refuse(call: Call, receive: Receive) -> tuple[Any, ...] | None:
        if call.path == "/token" or call.reads:
            return receive(call)
        return 422, "text/plain", b"grading is closed", ""

    ledger.scores = 1
    with Slowly(rig, refuse):
        ledger.report()
        stuck = "SELECT count(*) AS n FROM grades WHERE delivery IN ('refused', 'waiting')"
        eventually(lambda: rig.rows(stuck)[0]["n"], len(ledger.told), 120)
        yield told(rig, "grades", "refused", "grading is closed")
    config = ["--config", str(rig.bridge.config)]
    command = ["-m", "lti_bridge", "results", "resend", "--stuck", "--yes", *config]
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    yield ledger.check("refused for good, then results resend --stuck")


def late(server: str) -> Iterator[Line]:
    """An LMS that carries out a request after our time limit, and one that cannot be looked at."""
    for reads in (True, False):
        with postgres_rig(server) as rig:
            rig.bridge.serve()
            ledger = Ledger(rig, LEARNERS // 2, 2, pause_s=3)
            ledger.lms = ("old",)
            slow = _Late(rig, reads=reads)
            with Slowly(rig, slow.hook):
                ledger.report()
                time.sleep(8)
                slow.over = True
                eventually(lambda: rig.school.cells == {}, False, 60)
                time.sleep(3)
                again = ledger.check("", overtaken=True)
            kind = "readable" if reads else "unreadable"
            what = f"an LMS, {kind}, that carries out {slow.late} requests too late"
            yield again._replace(what=what)


class _Late:
    """Some requests are carried out seconds after the bridge gave up on them."""

    def __init__(self, rig: Rig, *, reads: bool) -> None:
        self.rig, self.reads, self.late, self.over = rig, reads, 0, False

    def hook(self, call: Call, receive: Receive) -> tuple[Any, ...] | None:
        """Carry it out now, or later than anybody waits."""
        if call.reads and not self.reads:
            said = signing.reply_document("unsupported", "")
            return 200, "application/xml", said, ""
        if call.reads or self.over or random.random() > 0.3:
            return receive(call)
        self.late += 1
        time.sleep(random.uniform(4.5, 9.0))  # the bridge waits for four
        receive(call)
        # that is what it is about: the next one may be there by now
        problems = self.rig.school.problems
        problems[:] = [one for one in problems if "two calls at once" not in one]
        return None


def postgres(_server: str) -> Iterator[Line]:
    """PostgreSQL stopped at once, and started again, while grades come and go."""
    with own_server() as server, postgres_rig(server.url) as rig:
        rig.bridge.serve("--workers", "2")
        ledger = Ledger(rig, LEARNERS, SCORES)
        found: list[Line] = []

        def stop() -> None:
            for number in range(3):
                time.sleep(3)
                server.stop()
                if not number:
                    found.append(not_ready(rig, "does not answer", "since"))
                    found.append(told(rig, "database", "does not answer"))
                time.sleep(3)
                server.start()

        ledger.report(stop)
        yield from found
        yield ledger.check("PostgreSQL stopped at once, three times")
        eventually(lambda: readiness(rig)[0], 200, 60)


def queue(server: str) -> Iterator[Line]:
    """Redis carries the hints, is killed for a while, and comes back empty."""
    if not Path("/usr/bin/redis-server").exists():
        yield Line("a queue in Redis that is killed", "not run: no redis-server here", "")
        return
    with postgres_rig(server) as rig, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        text = rig.bridge.config.read_text("utf-8")
        sqlite = f"sqlite:///{rig.bridge.folder}/queue.sqlite3"
        text = text.replace(sqlite, f"redis://127.0.0.1:{port}/0")
        rig.bridge.config.write_text(text, encoding="utf-8")
        redis = _redis(port, folder)
        rig.bridge.serve()
        ledger, found = Ledger(rig, LEARNERS, SCORES), list[Line]()

        def kill() -> None:
            nonlocal redis
            time.sleep(3)
            redis.kill()
            redis.wait()
            found.append(told(rig, "queue"))
            time.sleep(5)
            redis = _redis(port, folder)

        try:
            ledger.report(kill)
            yield from found
            yield ledger.check("a queue in Redis that is killed")
        finally:
            redis.kill()
            redis.wait()


def _redis(port: int, folder: str) -> subprocess.Popen[bytes]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    made = subprocess.Popen([*command, "--dir", folder], **quiet)  # type: ignore[call-overload]
    eventually(lambda: _answers(port), True, 30)
    return made  # type: ignore[no-any-return]


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def disk(_server: str) -> Iterator[Line]:
    """A disk that is full for a while: a small one, in memory."""
    with _small_disk() as folder:
        if folder is None:
            yield Line("a full disk", "not run: nothing may be mounted here", "")
            return
        with sqlite_rig(folder) as rig:
            rig.bridge.serve()
            ledger = Ledger(rig, LEARNERS // 2, SCORES)
            ledger.sit()
            found: list[Line] = []
            filler = folder / "filler"

            def fill() -> None:
                time.sleep(2)
                _fill(filler)
                found.append(not_ready(rig, "since"))
                found.append(told(rig, "database", "last written"))
                time.sleep(10)
                filler.unlink()

            ledger.report(fill)
            yield from found
            yield ledger.check("a disk that is full for a while")
            whole = rig.rows("PRAGMA integrity_check")
            good = whole == [{"integrity_check": "ok"}]
            yield Line("the database afterwards", str(whole[0]), "ok", good)


def _fill(filler: Path) -> None:
    """Take all that is left, and what becomes free in the next moments."""
    until = time.monotonic() + 4
    with filler.open("ab", buffering=0) as file:
        while time.monotonic() < until:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass
            time.sleep(0.05)


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    folder = Path(tempfile.mkdtemp(prefix="bridge-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
    else:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=False)
    folder.rmdir()


def locked(_server: str) -> Iterator[Line]:
    """SQLite that another program holds for 20 seconds."""
    with sqlite_rig() as rig:
        rig.bridge.serve()
        ledger = Ledger(rig, LEARNERS // 2, SCORES)
        ledger.sit()
        found: list[Line] = []

        def lock() -> None:
            time.sleep(2)
            connection = sqlite3.connect(str(rig.engine.url.database), isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            found.append(not_ready(rig, "since"))
            found.append(told(rig, "database", "locked", "last written"))
            time.sleep(max(0.0, LOCKED_S - (time.monotonic() - began)))
            connection.close()

        ledger.report(lock)
        yield from found
        yield ledger.check(f"SQLite locked for {LOCKED_S:.0f} s")


def doubled(server: str) -> Iterator[Line]:
    """Messages that come twice at the same time, and those of yesterday that come again."""
    with postgres_rig(server) as rig:
        rig.bridge.serve("--workers", "2")
        ledger, again = Ledger(rig, LEARNERS, SCORES), _Doubled(rig)
        ledger.send = again.send(ledger)  # type: ignore[method-assign]
        ledger.report()
        yield ledger.check(f"{again.twice} messages twice at once, {again.old} old ones again")
        yield Line("old messages that counted", str(again.counted), "0", not again.counted)


class _Doubled:
    """Sends each message twice at the same time, and then an old one that was captured."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.twice, self.old, self.counted = rig, 0, 0, 0
        self._sent: dict[str, tuple[bytes, str]] = {}
        self._pool = ThreadPoolExecutor(16)
        self._http = urllib3.PoolManager(maxsize=16, retries=False, timeout=60)

    def send(self, ledger: Ledger) -> Callable[[Sitting, str], None]:
        """In the place of the ledger's way to send."""

        def both(sitting: Sitting, score: str) -> None:
            ledger.told[sitting.learner].append(score)
            body = signing.document("replaceResult", sitting.sourced_id, score)
            header = ONE.header(f"{self.rig.bridge.url}/platform/outcomes", body)
            pair = [self._pool.submit(self.rig.post, body, header) for _ in range(2)]
            said = sorted(one.result().major for one in pair)
            assert said[-1] == "success", said
            self.twice += 1
            if sitting.learner in self._sent:
                old = self.rig.post(*self._sent[sitting.learner])
                self.old += 1
                self.counted += old.major == "success"
            self._sent[sitting.learner] = (body, header)

        return both
