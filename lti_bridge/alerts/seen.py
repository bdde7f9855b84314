"""What one process sees of the parties and of its machine, for the table of observations."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from lti_bridge.assembly.bridge import Bridge
from lti_bridge.core.lanes import LaneState
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.watch import Observation

CERTIFICATE, CLOCK, DISK = "certificate", "clock", "disk"
CLOCK_OFF = timedelta(seconds=5)
MB = 2**20


class Seen:
    """What is not as it should be, and since when this process sees it."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._since: dict[tuple[str, str], datetime] = {}

    def now(self) -> list[Observation]:
        """All of it."""
        now = self._bridge.clock()
        lanes = [Observation(one.work, one.party, one.state, one.since) for one in self._lanes()]
        found = {(what, about): said for what, about, said in self._things(now)}
        self._since = {key: self._since.get(key, now) for key in found}
        return [
            *lanes,
            *(Observation(*key, said, self._since[key]) for key, said in found.items()),
        ]

    def _lanes(self) -> Iterator[LaneState]:
        bridge = self._bridge
        yield from bridge.passback.lanes.states("grades")
        yield from bridge.readback.lanes.states("looks")
        yield from bridge.polling.lanes.states("questions")
        now = bridge.clock()
        for name, state, for_s in bridge.launching.calls.troubles():
            yield LaneState("starts", name, state, now - timedelta(seconds=for_s))

    def _things(self, now: datetime) -> Iterator[tuple[str, str, str]]:
        bridge, told, host = self._bridge, self._bridge.settings.alerts, socket.gethostname()
        soon = (now + timedelta(days=told.certificate_days)).timestamp()
        for name, ends in bridge.basics.client.certificates().items():
            if ends < soon:
                yield CERTIFICATE, name, str(int(ends))
        clock: Callable[[], datetime] = bridge.clock
        if isinstance(clock, DatabaseClock) and abs(off := clock.ahead()) > CLOCK_OFF:
            way = "ahead of" if off > timedelta() else "behind"
            yield CLOCK, host, f"{way} the database's by more than {CLOCK_OFF.seconds} s"
        for folder in self._folders():
            if shutil.disk_usage(folder).free < told.disk_free_mb * MB:
                yield DISK, f"{host}:{folder}", "full"

    def _folders(self) -> set[Path]:
        """Where this machine writes: each file system once."""
        bridge = self._bridge
        files = [*bridge.store.database.files, Path(bridge.settings.bridge.keys_dir)]
        there = {file.resolve().parent for file in files if file.exists()}
        return set({folder.stat().st_dev: folder for folder in sorted(there)}.values())
