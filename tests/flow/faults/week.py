"""An LMS that was away for a week: 100,000 grades wait, and are drained in order at its pace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from lti_bridge.core import lanes
from tests.flow.faults.ground import Line, pending, postgres_rig, say, workers
from tests.flow.faults.lanes import copies
from tests.flow.outage import taking
from tests.flow.rig import Rig
from tests.flow.world import eventually

WAITING = int(os.environ.get("OUTAGE_GRADES", "100000"))
LMS_S = 0.2  # what the LMS takes for a grade
WEEK_MS = 7 * 86_400_000
TOLD = (
    "UPDATE grades SET due_at = :first + CAST(substr(id, 6) AS INTEGER), changed_at = :first"
    " WHERE id LIKE 'copy-%'"
)


def week(server: str) -> Iterator[Line]:
    """Rate, order and memory of one worker, from the LMS's return until all are there."""
    with postgres_rig(server) as rig:
        rig.bridge.serve("--no-worker", "--workers", "1")
        first = rig.sit("old")
        assert rig.report(first, "0.5").said == (200, "success")
        now = int(time.time() * 1000)
        due = {"delivery": "pending", "due_at": now, "tries": 60, "last_error": "HTTP 503"}
        names = copies(rig, first, WAITING, lease=None, leased_until=None, **due)
        rig.write(TOLD, first=now - WEEK_MS)
        say(f"{len(names)} grades wait")
        with taking(rig, LMS_S), workers(rig, {}) as (worker,):
            began = time.monotonic()
            memory, at = [], began
            while (left := pending(rig)) > 0:
                time.sleep(10)
                memory.append(pss_mb(worker.pid))
                if time.monotonic() - at > 60:
                    at = time.monotonic()
                    rate = (WAITING - left) / (at - began)
                    say(f"{left} left, {rate:.0f} a second, {memory[-1]:.0f} MB")
            took = time.monotonic() - began
            eventually(lambda: len(rig.school.cells) > WAITING, True, 60)
        rate, limit = WAITING / took, lanes.ROOM / LMS_S
        said = f"{rate:.1f} a second, {rate / limit:.2f} of the {limit:.0f} that the LMS takes"
        yield Line(f"{WAITING} grades after a week", said, "at least 0.9", rate / limit >= 0.9)
        most = _disorder(rig)
        yield Line("their order", f"at most {most} places off", "twice its lane", most <= 32)
        third = max(len(memory) // 3, 1)
        early, late = max(memory[:third]), max(memory[-third:])
        flat = late <= early * 1.1 + 5
        said = f"{early:.0f} MB in the first third, {late:.0f} MB in the last"
        yield Line("memory of the worker (PSS)", said, "flat", flat)


def _disorder(rig: Rig) -> int:
    """How far a grade was ever from its place in the order in which they were due."""
    came = [call.of for call in rig.school.calls if call.of.startswith("copy-")]
    wanted = {name: place for place, name in enumerate(sorted(came, key=lambda n: int(n[5:])))}
    return max(abs(place - wanted[name]) for place, name in enumerate(came))


def pss_mb(pid: int) -> float:
    """Proportional memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no memory of {pid}")
