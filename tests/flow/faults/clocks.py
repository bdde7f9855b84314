"""Workers whose clocks are wrong, and workers that sleep over their leases."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from glob import glob

from tests.flow.faults.ground import (
    FAKETIME,
    Ledger,
    Line,
    Slowly,
    postgres_rig,
    slow,
    told,
    workers,
)

TAKES_S = 3.0  # that an LMS takes for a grade, at most
SLEEPS_S = 14.0  # longer than a lease
LEARNERS, SCORES = 150, 3


def clocks(server: str) -> Iterator[Line]:
    """Two workers, one whose machine has another time, at an LMS that takes its time."""
    found = glob(FAKETIME)
    if not found:
        yield Line("clocks apart", "not run: no faketime here", "")
        return
    for off in (15, -15, 120, -120):
        with postgres_rig(server) as rig:
            rig.bridge.serve("--no-worker")
            ledger = Ledger(rig, LEARNERS, SCORES, pause_s=2)
            ledger.lms = ("old",)
            said: list[Line] = []
            wrong = {"LD_PRELOAD": found[0], "FAKETIME": f"{off:+d}s"}
            with Slowly(rig, slow(0, TAKES_S)), workers(rig, {}, wrong):
                ledger.report(lambda: said.append(told(rig, "processes", f"{off:+d} s")))  # noqa: B023
                yield from said
                yield ledger.check(f"a worker {off:+d} s off")


def sleepers(server: str) -> Iterator[Line]:
    """Two workers of which one sleeps over its leases again and again."""
    with postgres_rig(server) as rig:
        rig.bridge.serve("--no-worker")
        ledger = Ledger(rig, LEARNERS, SCORES, pause_s=2)
        ledger.lms = ("old",)
        with Slowly(rig, slow(0, TAKES_S)), workers(rig, {}, {}) as running:

            def sleep() -> None:
                for _ in range(3):
                    time.sleep(random.uniform(0.5, 1.5))
                    running[1].send_signal(signal.SIGSTOP)
                    time.sleep(SLEEPS_S)
                    running[1].send_signal(signal.SIGCONT)

            ledger.report(sleep)
            yield ledger.check(f"a worker that sleeps for {SLEEPS_S:.0f} s", overtaken=True)
