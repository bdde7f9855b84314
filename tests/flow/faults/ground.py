"""What every scene stands on: bridges, servers that can be stopped, a ledger, and the doctor."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

import urllib3

from tests.conftest import fresh_database
from tests.flow.rig import HTTP, Rig, Sitting
from tests.flow.school import Call
from tests.flow.world import eventually, free_port

ROOT = Path(__file__).parents[3]
PATIENCE_S = 300.0
SENDERS = 8
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
POSTGRES = "/usr/lib/postgresql/*/bin"
# What scenes need beside Python, by what shows that it is there.
NEEDED = {
    POSTGRES: "postgresql",
    FAKETIME: "libfaketime",
    "/usr/bin/redis-server": "redis-server",
    "/usr/sbin/ip": "iproute2",
}
Receive = Callable[[Call], "tuple[Any, ...] | None"]


class Line(NamedTuple):
    """A row of the table: what was looked at, what came of it, what was wanted."""

    what: str
    said: str
    wanted: str
    good: bool = True


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"  {text}", flush=True)


def install() -> None:
    """Install what is missing, where this may be done."""
    missing = [package for place, package in NEEDED.items() if not glob(place)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {' '.join(missing)}")
        for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *missing]):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", *command], check=False, env=quiet, stdout=subprocess.DEVNULL)


@contextmanager
def sqlite_rig(folder: Path | None = None) -> Iterator[Rig]:
    """A rig on SQLite, in this folder or in one of its own."""
    with _folder() as made:
        yield from _running(made, f"sqlite:///{folder or made}/bridge.sqlite3")


@contextmanager
def postgres_rig(server: str) -> Iterator[Rig]:
    """A rig on a database of its own of this server."""
    with fresh_database(server) as url, _folder() as made:
        yield from _running(made, url)


def _running(folder: Path, url: str) -> Iterator[Rig]:
    rig = Rig(folder, url)
    try:
        yield rig
    finally:
        rig.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bridge-faults-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A PostgreSQL server of Debian's in a folder, as the user postgres where we are root."""

    def __init__(self, folder: Path, port: int = 0, host: str = "127.0.0.1") -> None:
        self.folder, self.port, self.host = folder, port or free_port(), host
        self.prefix: list[str] = []  # a network namespace to be in

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgresql://postgres@{self.host}:{self.port}/postgres"

    def make(self) -> None:
        """An empty one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", str(self.folder), "-A", "trust", "-U", "postgres", "-N")
        self.configure(listen_addresses="*", port=str(self.port), unix_socket_directories="")
        with (self.folder / "pg_hba.conf").open("a") as hba:
            for kind in ("all", "replication"):
                hba.write(f"host {kind} all 0.0.0.0/0 trust\n")

    def configure(self, **settings: str) -> None:
        """Write settings down, for the next start or reload."""
        with (self.folder / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self) -> None:
        """Start and wait until it answers."""
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder), "-l", log, "-w", "-t", "60", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is as if it had been killed."""
        with suppress(subprocess.CalledProcessError):
            self.run("pg_ctl", "-D", str(self.folder), "-m", mode, "-w", "stop")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs."""
        (found,) = glob(f"{POSTGRES}/{program}")[:1]
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*self.prefix, *user, found, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that a scene may stop and start again."""
    with _folder() as folder:
        folder.chmod(0o755)
        server = Server(folder / "data")
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Ledger:
    """Who was told which grades, kept apart from bridge and LMS, and compared with what arrived."""

    def __init__(self, rig: Rig, learners: int, scores: int, pause_s: float = 0.3) -> None:
        self.rig, self.learners, self.scores, self.pause_s = rig, learners, scores, pause_s
        self.told: dict[str, list[str]] = defaultdict(list)
        self.taken: list[tuple[str, str]] = []
        self.sittings: list[Sitting] = []
        self.lms = ("old", "new", "other")
        self._watch()

    def _watch(self) -> None:
        """Write down, in order, what the LMS takes as it takes it."""
        cells = self.rig.school.cells

        class Watched(dict[str, "str | None"]):
            def __setitem__(inner, key: str, value: str | None) -> None:
                self.taken.append((key, str(value)))
                super().__setitem__(key, value)

        self.rig.school.cells = Watched(cells)

    def sit(self) -> None:
        """Everybody opens their test."""
        with ThreadPoolExecutor(SENDERS) as pool:
            found = pool.map(self._sit, range(self.learners))
            self.sittings = list(found)

    def _sit(self, number: int) -> Sitting:
        name = f"learner-{number:04}-{secrets.token_hex(2)}"
        return self.rig.sit(self.lms[number % len(self.lms)], "last", name)

    def report(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Give everybody several grades, one after the other, while something happens."""
        if not self.sittings:
            self.sit()
        with ThreadPoolExecutor(SENDERS + 1) as pool:
            faults = pool.submit(meanwhile)
            list(pool.map(self._report, self.sittings))
            faults.result()

    def _report(self, sitting: Sitting) -> None:
        for _ in range(self.scores):
            score = f"0.{secrets.randbelow(900) + 100}{len(self.told[sitting.learner]) + 1}"
            self.send(sitting, score)
            time.sleep(random.uniform(0, 2 * self.pause_s))

    def send(self, sitting: Sitting, score: str) -> None:
        """Report a score until it is acknowledged, as a provider does."""
        until = time.monotonic() + PATIENCE_S
        self.told[sitting.learner].append(score)
        while time.monotonic() < until:
            with suppress(urllib3.exceptions.HTTPError):
                if self.rig.report(sitting, score).said == (200, "success"):
                    return
            time.sleep(0.2)
        raise AssertionError(f"never acknowledged: {score}")

    def check(self, what: str, *, overtaken: bool = False) -> Line:
        """Wait until all are there, and count. `overtaken`: older ones may be there meanwhile."""
        wanted = {one: scores[-1] for one, scores in self.told.items()}
        cells = lambda: {one: self.rig.school.cells.get(one) for one in self.told}  # noqa: E731
        with suppress(AssertionError):
            eventually(cells, wanted, PATIENCE_S)
        with suppress(AssertionError):
            eventually(lambda: pending(self.rig), 0, PATIENCE_S)
        shown = cells()
        wrong = [one for one, value in shown.items() if value not in (wanted[one], None)]
        lost = [one for one, value in shown.items() if value is None]
        foreign = [one for one, value in self.taken if value not in self.told.get(one, [value])]
        back = 0 if overtaken else self._went_back()
        counts = (
            f"{len(lost)} lost, {len(wrong)} wrong, {len(foreign)} foreign, {back} out of order"
        )
        grades = sum(map(len, self.told.values()))
        good = not (lost or wrong or foreign or back)
        return Line(
            what, f"{counts}, of {grades} grades in {len(wanted)} cells", "0, 0, 0, 0", good
        )

    def _went_back(self) -> int:
        """How often an older grade was taken after a newer one."""
        times, newest = 0, dict[str, int]()
        for one, value in list(self.taken):
            if value in self.told.get(one, []):
                at = self.told[one].index(value)
                times += at < newest.get(one, 0)
                newest[one] = max(at, newest.get(one, 0))
        return times


def pending(rig: Rig) -> int:
    """How many grades are not there yet."""
    return int(rig.rows("SELECT count(*) AS n FROM grades WHERE delivery = 'pending'")[0]["n"])


def worker(rig: Rig, **environment: str) -> subprocess.Popen[bytes]:
    """A worker of its own, with more in its environment."""
    command = [sys.executable, "-m", "lti_bridge", "worker", "--config", str(rig.bridge.config)]
    log = (rig.bridge.folder / "log.txt").open("ab")
    more = {**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1", **environment}
    return subprocess.Popen(command, env=more, stdout=log, stderr=log)


@contextmanager
def workers(rig: Rig, *environments: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers, killed in the end."""
    running = [worker(rig, **one) for one in environments]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait()


def doctor(rig: Rig, prefix: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
    """What the doctor says now, by what it looked at."""
    command = [*prefix, sys.executable, "-m", "lti_bridge", "doctor", "--json"]
    command += ["--config", str(rig.bridge.config)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert said.stdout, said.stderr
    return {one["what"]: one for one in json.loads(said.stdout)}


def readiness(rig: Rig) -> tuple[int, str]:
    """What /readyz says now."""
    with suppress(urllib3.exceptions.HTTPError):
        answer = HTTP.request("GET", f"{rig.bridge.url}/readyz", timeout=10)
        return answer.status, answer.data.decode().strip()
    return 0, "no answer"


def told(rig: Rig, what: str, *words: str, patience_s: float = 60.0) -> Line:
    """Whether the doctor says, while it is so, what is wrong: these words, and a remedy."""
    until, found = time.monotonic() + patience_s, dict[str, str]()
    while time.monotonic() < until:
        found = doctor(rig).get(what, {})
        if found.get("remedy") and all(word in found["said"] for word in words):
            break
        time.sleep(1)
    good = bool(found.get("remedy")) and all(word in found["said"] for word in words)
    return Line(f"the doctor meanwhile, {what}", found.get("said", "nothing")[:110], "true", good)


def not_ready(rig: Rig, *words: str) -> Line:
    """Whether /readyz says meanwhile that it is not, why, and since when."""
    until, said = time.monotonic() + 60, (0, "")
    while time.monotonic() < until:
        said = readiness(rig)
        if said[0] == 503 and all(word in said[1] for word in words):
            break
        time.sleep(0.5)
    good = said[0] == 503 and all(word in said[1] for word in words)
    return Line("/readyz meanwhile", f"{said[0]} {said[1]}", "503, why, since when", good)


class Slowly:
    """An LMS that takes its time, and whatever else a scene wants of each call."""

    def __init__(self, rig: Rig, hook: Callable[[Call, Receive], tuple[Any, ...] | None]) -> None:
        self._rig, self._hook, self._receive = rig, hook, rig.school.receive

    def __enter__(self) -> None:
        receive = lambda call: self._hook(call, self._receive)  # noqa: E731
        self._rig.school.receive = receive  # type: ignore[method-assign]

    def __exit__(self, *_failure: object) -> None:
        self._rig.school.receive = self._receive  # type: ignore[method-assign]


def slow(least_s: float, most_s: float) -> Callable[[Call, Receive], tuple[Any, ...] | None]:
    """Each call takes so long, and is then carried out."""

    def hook(call: Call, receive: Receive) -> tuple[Any, ...] | None:
        time.sleep(random.uniform(least_s, most_s))
        return receive(call)

    return hook


def beside(task: Callable[[], None]) -> threading.Thread:
    """Something that goes on meanwhile."""
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    return thread
