"""What was acknowledged arrives: through kill -9, an LMS that is down, and a failing database."""

from __future__ import annotations

import os
import pickle
import random
import resource
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import urllib3

from tests.flow.rig import Rig, Sitting
from tests.flow.school import Err
from tests.flow.test_grades import sent, settled
from tests.flow.world import PATIENCE_S, eventually
from tests.test_queue import Touch

LEARNERS = 200
SENDERS = 8
KILLS = 5


def processes(parent: int) -> dict[str, int]:
    """The web process and the worker that a server started."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    kinds = {"web": "bridge_web", "worker": "bridge_worker"}
    return {
        kind: int(pid)
        for kind, word in kinds.items()
        for pid, above, command in rows
        if int(above) == parent and word == command
    }


def killed(rig: Rig, what: str) -> None:
    """Kill -9 one process, or (and start again) all of them."""
    (serving,) = rig.bridge.processes
    if what == "all":
        rig.bridge.kill(serving)
        rig.bridge.serve()
    elif pid := processes(serving.pid).get(what):  # else it is just being started again
        os.kill(pid, signal.SIGKILL)


def insist(rig: Rig, sitting: Sitting, score: str) -> None:
    """Report a score until it is acknowledged, as a provider does."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if rig.report(sitting, score).said == (200, "success"):
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"never acknowledged: {score}")


@pytest.mark.spec("BR-13", "BR-14")
def test_every_acknowledged_grade_arrives_through_kills(fresh_rig: Rig) -> None:
    def open_test(number: int) -> Sitting:
        lms = ("old", "new", "other")[number % 3]
        return fresh_rig.sit(lms, "last", f"learner-{number:03}")

    def report(number: int) -> None:
        for part in (3, 1, 2):  # not the highest last
            insist(fresh_rig, sittings[number], f"0.{number:03}{part}")

    with ThreadPoolExecutor(SENDERS) as pool:
        sittings = list(pool.map(open_test, range(LEARNERS)))
        reports = [pool.submit(report, number) for number in range(LEARNERS)]
        for kill in ("web", "worker", "all", "worker", "all")[:KILLS]:
            time.sleep(random.uniform(0.2, 0.6))
            killed(fresh_rig, kill)
        for one in reports:
            one.result()
    wanted = {f"learner-{number:03}": f"0.{number:03}2" for number in range(LEARNERS)}
    eventually(lambda: fresh_rig.school.cells == wanted, True, 2 * PATIENCE_S)
    for call in fresh_rig.school.calls:
        if not call.of.startswith("token:"):
            assert call.value is not None
            assert call.value[:5] == f"0.{call.of[-3:]}"  # nobody got another's grade
    counted = fresh_rig.rows("SELECT count(*) AS n FROM results")[0]["n"]
    assert counted >= 3 * LEARNERS
    states = {row["delivery"] for row in fresh_rig.rows("SELECT delivery FROM grades")}
    # a worker killed between sending and recording holds its lease a little longer
    assert states <= {"delivered", "pending"}


def test_a_grade_whose_hint_was_lost_is_delivered(rig: Rig) -> None:
    sitting = rig.sit()
    eventually(lambda: "worker.started" in rig.bridge.log(), True)
    with sqlite3.connect(rig.bridge.folder / "queue.sqlite3") as queue:
        queue.execute("BEGIN EXCLUSIVE")
        assert rig.report(sitting, "0.5").said == (200, "success")
        eventually(lambda: rig.school.cells.get(sitting.learner), "0.5")


def test_the_worker_runs_nothing_that_others_put_into_the_queue(rig: Rig, tmp_path: Path) -> None:
    sitting, marker = rig.sit(), tmp_path / "touched"
    with sqlite3.connect(rig.bridge.folder / "queue.sqlite3") as queue:
        add = "INSERT INTO task (queue, data, priority) VALUES ('lti-bridge', ?, 1)"
        queue.execute(add, (pickle.dumps(Touch(marker)),))
    assert rig.report(sitting, "0.5").said == (200, "success")
    eventually(lambda: rig.school.cells.get(sitting.learner), "0.5")
    eventually(lambda: "Error reading from queue" in rig.bridge.log(), True)
    assert not marker.exists()


@pytest.mark.spec("T11O-09")
def test_grades_wait_while_the_lms_is_down(rig: Rig) -> None:
    sittings = [rig.sit(lms) for lms in ("old", "new") for _ in range(10)]
    rig.school.down()
    for sitting in sittings:
        assert rig.report(sitting, "0.5").said == (200, "success")
    eventually(lambda: rig.bridge.log().count("lane.away"), 2)
    assert {rig.grade(one)["delivery"] for one in sittings} == {"pending"}
    rig.school.up()
    for sitting in sittings:
        (call,) = sent(rig, sitting)
        assert call.value == "0.5"


@contextmanager
def locked_sqlite(rig: Rig) -> Iterator[None]:
    """Another process writes and does not come to an end."""
    connection = sqlite3.connect(str(rig.engine.url.database), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.close()


@contextmanager
def locked_postgres(rig: Rig) -> Iterator[None]:
    """An administrator holds a table."""
    url = rig.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def full_disk(rig: Rig) -> Iterator[None]:
    """No file of the web process may grow."""
    web = processes(rig.bridge.processes[0].pid)["web"]
    before = resource.prlimit(web, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    resource.prlimit(web, resource.RLIMIT_FSIZE, before)


def not_stored(rig: Rig, trouble: Callable[[Rig], AbstractContextManager[None]]) -> None:
    """While there is trouble nothing is acknowledged or changed; afterwards all goes on."""
    sitting, fresh = rig.sit("new", "last"), rig.sit()
    assert rig.report(sitting, "0.5").said == (200, "success")
    eventually(settled(rig, sitting), True)
    before = rig.state()
    with trouble(rig), ThreadPoolExecutor(2) as pool:
        replies = [pool.submit(rig.delete, sitting), pool.submit(rig.report, fresh, "1")]
        for reply in replies:
            assert reply.result().said == (503, "failure")
            assert reply.result().header("imsx_severity") == "error"
            assert b"sql" not in reply.result().body.lower()
    assert rig.state() == before
    assert rig.read(sitting) == "0.5"
    assert rig.report(sitting, "0.75").said == (200, "success")
    assert rig.report(fresh, "1").said == (200, "success")
    eventually(lambda: rig.school.cells.get(sitting.learner), "0.75")
    eventually(lambda: rig.school.cells.get(fresh.learner), "1")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_full_disk(rig: Rig) -> None:
    not_stored(rig, full_disk)
    assert rig.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_locked_database(fresh_rig: Rig) -> None:
    sqlite = fresh_rig.engine.dialect.name == "sqlite"
    not_stored(fresh_rig, locked_sqlite if sqlite else locked_postgres)


ON_POSTGRES = pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True, scope="module"
)


@ON_POSTGRES
def test_a_database_that_cuts_its_connections(fresh_rig: Rig) -> None:
    rig = fresh_rig
    sittings = [rig.sit(("old", "new")[n % 2], "last", f"learner-{n:03}") for n in range(20)]
    stop = threading.Event()
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = :name AND pid <> pg_backend_pid()"
    )

    def cutting() -> None:
        pause = 0.1
        while not stop.wait(pause):
            rig.rows(cut, name=rig.engine.url.database)
            pause = min(pause * 1.05, 1)  # a busy machine gets something done, too

    cutter = threading.Thread(target=cutting)
    cutter.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            for score in ("0.9", "0.2", "0.3", "0.4"):
                list(pool.map(lambda sitting: insist(rig, sitting, score), sittings))  # noqa: B023
    finally:
        stop.set()
        cutter.join()
    eventually(lambda: {rig.school.cells.get(s.learner) for s in sittings}, {"0.4"})


def test_a_worker_killed_between_the_lms_and_the_database(rig: Rig) -> None:
    sittings = [rig.sit(lms) for lms in ("old", "new")]
    for sitting in sittings:
        rig.school.errs[sitting.learner] = [Err(200, stores=True, late_s=4.5)]
        assert rig.report(sitting, "0.5").said == (200, "success")
        eventually(lambda of=sitting.learner: rig.school.cells.get(of), "0.5")
    killed(rig, "worker")
    for sitting in sittings:
        eventually(settled(rig, sitting), True)
        assert {call.value for call in rig.school.of(sitting.learner)} == {"0.5"}
        assert len(rig.school.of(sitting.learner)) > 1


def test_a_killed_server_leaves_no_process_behind(fresh_rig: Rig) -> None:
    (serving,) = fresh_rig.bridge.processes
    eventually(lambda: set(processes(serving.pid)), {"web", "worker"})
    left = processes(serving.pid).values()
    serving.kill()
    serving.wait()
    fresh_rig.bridge.processes.clear()
    eventually(lambda: [pid for pid in left if alive(pid)], [])


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
