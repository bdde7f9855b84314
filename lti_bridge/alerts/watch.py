"""A process watches: it says what it sees, and tells operators when it is its turn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from lti_bridge.alerts.looks import matters
from lti_bridge.alerts.seen import Seen
from lti_bridge.alerts.ways import ways
from lti_bridge.assembly.bridge import Bridge
from lti_bridge.core.launch.message import Once
from lti_bridge.core.matters import Matter, Notice
from lti_bridge.errors import BridgeError
from lti_bridge.store import alerts
from lti_bridge.store.health import Health
from lti_bridge.store.watch import observe

log = logging.getLogger("lti_bridge.alerts")

SEEN_S = 10.0  # how often a process says what it sees
CALM_ROUNDS = 2  # for which a matter has to be gone before its end is told
UNWRITABLE = "database"


class Watch:
    """Threads of one process, beside its work. A worker also tells of a database that is away."""

    def __init__(self, bridge: Bridge, kind: str) -> None:
        self._bridge = bridge
        self._tells_of_database = kind == "worker"
        self._seen = Seen(bridge)
        self._said = False
        self._process = bridge.basics.new_id()
        self._ways = ways(bridge.settings, bridge.basics.client)
        self._health = Health(bridge.store.database)
        self._unwritable: Matter | None = None
        self._heard: set[str] = set()  # the ways by which its begin was told
        self._ended = threading.Event()

    def begin(self) -> None:
        """Watch from now on."""
        self._every(min(SEEN_S, self._bridge.settings.alerts.every_s), self.say, "seen")
        self._every(self._bridge.settings.alerts.every_s, self.round, "alerts")

    def end(self) -> None:
        """Watch no longer."""
        self._ended.set()

    def say(self) -> None:
        """Write down what this process sees now, as far as there is or was anything."""
        seen = self._seen.now()
        if seen or self._said:
            observe(self._bridge.store.database, self._process, seen, self._bridge.clock())
        self._said = bool(seen)

    def round(self) -> None:
        """Find what is wrong, once for all processes, and tell what has not been told yet."""
        self._look_at_database()
        if self._unwritable is not None:
            return
        database, now = self._bridge.store.database, self._bridge.clock()
        every = timedelta(seconds=self._bridge.settings.alerts.every_s)
        if self._is_first(int(now.timestamp() // every.total_seconds())):
            alerts.keep(database, list(matters(self._bridge)), list(self._ways), now)
        for name in self._ways:
            self._tell(name, alerts.claim(database, name, now, CALM_ROUNDS * every))

    def _is_first(self, number: int) -> bool:
        until = self._bridge.clock() + timedelta(hours=2)
        with self._bridge.store.transaction() as tx:
            return tx.use_once(Once("alerts", str(number), until))

    def _tell(self, name: str, notices: list[Notice]) -> None:
        """By one way; what did not get there is tried again when the claim has ended."""
        if notices and self._sent(name, notices):
            alerts.told(self._bridge.store.database, name, notices, self._bridge.clock())

    def _sent(self, name: str, notices: list[Notice]) -> bool:
        try:
            self._ways[name](notices, self._bridge.clock())
        except BridgeError as error:
            log.error("alerts.not-sent", extra={"kind": name, "reason": error.detail})
            return False
        return True

    def _look_at_database(self) -> None:
        """Of a database that cannot be written no table can tell: each worker tells of it."""
        trouble, now = self._health.trouble(), self._bridge.clock()
        before = self._unwritable
        if trouble is None:
            self._unwritable = None
            if before is not None:
                for name in self._heard:
                    self._sent(name, [Notice(before, over=now)])
            self._heard = set()
        elif before is None:
            self._unwritable = Matter(UNWRITABLE, trouble.said, trouble.remedy, now)
        elif self._tells_of_database:  # it is seen for the second time
            missing = [name for name in self._ways if name not in self._heard]
            self._heard |= {name for name in missing if self._sent(name, [Notice(before)])}

    def _every(self, seconds: float, do: Callable[[], None], name: str) -> None:
        def run() -> None:
            while not self._ended.wait(seconds):
                try:
                    do()
                except Exception as error:  # as a rule the database is away; the next may go well
                    log.warning("alerts.broke", extra={"reason": type(error).__name__})

        threading.Thread(target=run, name=name, daemon=True).start()
