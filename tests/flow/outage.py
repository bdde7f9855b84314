"""An LMS that comes back: how soon its first grade is there, and how fast the others follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lti_bridge.core import lanes
from tests.flow.rig import Rig, Sitting
from tests.flow.school import Call
from tests.flow.world import PATIENCE_S, eventually

WAITS_MS = 3_600_000  # what a grade may have to wait for that has failed for days
OWN_S = 0.01  # that the LMS of the tests takes by itself
DUE = (
    "UPDATE grades SET delivery = 'pending', lease = NULL, tries = :tries, version = version + 1,"
    " delivered_at = NULL, told = '', due_at = CASE WHEN id LIKE '%7' THEN :now ELSE :later END"
)
Answer = tuple[Any, ...] | None


@dataclass(frozen=True)
class Back:
    """Seconds until the first grade, and grades a second before and after the outage."""

    first_s: float
    before: float
    after: float
    allowed: float


@contextmanager
def taking(rig: Rig, seconds: float) -> Iterator[None]:
    """The LMS takes so long for each grade."""
    receive = rig.school.receive

    def slowly(call: Call) -> Answer:
        time.sleep(seconds - OWN_S)
        return receive(call)

    with _answering(rig, slowly):
        yield


@contextmanager
def _answering(rig: Rig, receive: Callable[[Call], Answer]) -> Iterator[None]:
    before, rig.school.receive = rig.school.receive, receive  # type: ignore[method-assign]
    try:
        yield
    finally:
        rig.school.receive = before  # type: ignore[method-assign]


def outage(
    rig: Rig,
    copies: Callable[[Rig, Sitting, int], list[str]],
    number: int,
    away_s: float,
    takes_s: float,
) -> Back:
    """Bring so many grades, then again after the LMS was away for some seconds.

    `copies` makes cells as that of a sitting. One in ten is due when the LMS goes, the others have
    failed before and are to be tried after an hour.
    """
    rig.bridge.serve("--no-worker")
    first = rig.sit("old")
    assert rig.report(first, "0.5").said == (200, "success")
    copies(rig, first, number - 1)
    with taking(rig, takes_s):
        _let_wait(rig, later_ms=0)
        rig.bridge.run("worker")
        _, before = _came(rig, number, takes_s)
        with _answering(rig, lambda call: (503, "text/plain", b"maintenance")):
            _let_wait(rig, later_ms=WAITS_MS)
            eventually(lambda: "lane.away" in rig.bridge.log(), True)
            time.sleep(away_s)
            rig.school.calls.clear()
            back = time.monotonic()
        at, after = _came(rig, number, takes_s)
    return Back(at - back, before, after, lanes.ROOM / takes_s)


def _let_wait(rig: Rig, later_ms: int) -> None:
    now = int(time.time() * 1000)
    rig.write(DUE, now=now, later=now + later_ms, tries=9 if later_ms else 0)


def _came(rig: Rig, number: int, takes_s: float) -> tuple[float, float]:
    """When the first grade came, and how many came a second."""
    eventually(lambda: _delivered(rig), number, PATIENCE_S + 30 * number * takes_s / lanes.ROOM)
    came = sorted(call.at for call in rig.school.calls)
    return came[0], number / (came[-1] - came[0] + takes_s)


def _delivered(rig: Rig) -> int:
    (row,) = rig.rows("SELECT count(*) AS n FROM grades WHERE delivery = 'delivered'")
    return int(row["n"])
