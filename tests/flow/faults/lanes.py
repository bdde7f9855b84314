"""LMSs and providers that hang beside others, and how much more several workers bring."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import sqlalchemy

from lti_bridge.core import lanes
from tests.flow.faults.ground import PATIENCE_S, Line, pending, postgres_rig, say
from tests.flow.faults.ground import workers as running_workers
from tests.flow.outage import outage, taking
from tests.flow.rig import Rig, Sitting, cell_id
from tests.flow.world import eventually

HANGING, POLLS, PROBES, ROUNDS = 2000, 500, 30, 7
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


def isolation(server: str) -> Iterator[Line]:
    """How long others' grades and launches take beside parties that hang, and without them."""
    with postgres_rig(server) as rig:
        yield from _isolation(rig, ROUNDS)


def _isolation(rig: Rig, rounds: int) -> Iterator[Line]:
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
                say(f"round {number + 1}: p95 of {what} {alone[what]:.3f} s, {beside[what]:.3f} s")
        assert rig.bridge.log().count("lane.away") >= 2, "neither LMS nor provider hung"
        for what, found in ratios.items():
            ratio = statistics.median(found)
            said = f"{ratio:.2f} of alone"
            yield Line(f"p95 of others' {what} beside who hangs", said, "at most 1.5", ratio <= 1.5)


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
    add(rig, "attempts", [attempt | asked | one for one in ids])


def copies(rig: Rig, first: Sitting, number: int, **changes: Any) -> list[str]:
    """So many more learners with such a cell each, and their names."""
    names = [f"copy-{one}" for one in range(number)]
    (learner,) = rig.rows("SELECT * FROM learners WHERE user_id = :u", u=first.learner)
    add(rig, "learners", [learner | {"id": one, "user_id": one} for one in names])
    grade = rig.grade(first) | changes
    cells = [{"id": n, "learner_id": n, "user_id": n, "sourced_id": cell_id(n)} for n in names]
    add(rig, "grades", [grade | one for one in cells])
    return names


def add(rig: Rig, table: str, rows: list[dict[str, Any]]) -> None:
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


def workers(server: str) -> Iterator[Line]:
    """Grades a second to an LMS that takes a tenth of one for each, by one worker and by more."""
    with postgres_rig(server) as rig:
        rig.bridge.serve("--no-worker")
        first = rig.sit("old")
        assert rig.report(first, "0.5").said == (200, "success")
        copies(rig, first, RATED)
        with taking(rig, LMS_S):
            one_alone = 0.0
            for number in (1, 2, 4):
                rate = _rate(rig, number)
                one_alone = one_alone or rate
                yield _line(number, rate, one_alone)


def _rate(rig: Rig, number: int) -> float:
    _let_be_due(rig)
    began = time.monotonic()
    with running_workers(rig, *[{}] * number):
        eventually(lambda: pending(rig) < RATED * 0.8, True, PATIENCE_S)
        at, there = time.monotonic(), pending(rig)
        eventually(lambda: pending(rig) < RATED * 0.2, True, PATIENCE_S)
        rate = (there - pending(rig)) / (time.monotonic() - at)
    say(f"{number} workers: {rate:.0f} a second, {at - began:.1f} s until they were at it")
    return rate


def _line(number: int, rate: float, one_alone: float) -> Line:
    limit = lanes.ROOM / LMS_S
    what = f"grades of {number} workers"
    if number == 1:
        said = f"{rate / limit:.2f} of what {limit:.0f} a second allow"
        return Line(what, said, "at least 0.9", rate / limit >= 0.9)
    wanted = {2: 1.9, 4: 3.5}[number]
    said = f"{rate / one_alone:.2f} of one worker"
    return Line(what, said, f"at least {wanted}", rate / one_alone >= wanted)


def _let_be_due(rig: Rig) -> None:
    rig.school.forget()
    rig.write(
        "UPDATE grades SET delivery = 'pending', due_at = :now, lease = NULL, tries = 0,"
        " version = version + 1, delivered_at = NULL, told = ''",
        now=int(time.time() * 1000),
    )


def back(server: str) -> Iterator[Line]:
    """How soon an LMS that was away has its first grade, and how fast the other 2,000 follow."""
    with postgres_rig(server) as rig:
        found = outage(rig, copies, BACK, AWAY_S, LMS_S)
    of, pace = found.after / found.before, found.after / found.allowed
    said = f"{found.first_s:.1f} s"
    yield Line("first grade after an outage", said, "at most 5", found.first_s <= 5)
    said = f"{pace:.2f} of what the LMS allows, {of:.2f} of the pace before it"
    yield Line(f"{BACK} grades after it", said, "at least 0.9", pace >= 0.9)
