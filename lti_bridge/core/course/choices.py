"""What providers let an instructor choose: remembered for minutes, and never waited for long."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.calls import Seats
from lti_bridge.core.attempt.provider import Choice, Connection
from lti_bridge.errors import BridgeError

log = logging.getLogger("lti_bridge.choosing")

WAIT_S = 4.0
KEPT = timedelta(minutes=5)
FAILED_FOR = timedelta(seconds=20)
MAX_CHOICES = 2000


@dataclass(slots=True)
class Choosing:
    """Asks providers for their tests; an answer that comes too late serves the next page.

    `wait_s` is how long a page waits, in seconds; `seats` are those of all requests that wait for
    providers, and whoever finds none does not wait.
    """

    clock: Callable[[], datetime]
    wait_s: float = WAIT_S
    seats: Seats = field(default_factory=Seats)
    _asked: dict[str, tuple[datetime, Future[list[Choice]]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "choosing"))

    def choices(self, connection: Connection) -> list[Choice] | None:
        """What can be chosen; None when the provider has not said, [] when it lists nothing."""
        if not capabilities.can(connection, capabilities.CHOICES):
            return []
        try:
            return self._answer(connection, self._future(connection))[:MAX_CHOICES]
        except (TooLate, BridgeError) as error:
            reason = error.detail if isinstance(error, BridgeError) else "no answer in time"
            extra = {"connection": connection.name, "reason": reason}
            log.warning("choices.unknown", extra=extra)
            return None

    def _answer(self, connection: Connection, asked: Future[list[Choice]]) -> list[Choice]:
        if asked.done() or not self.seats.take(connection.name):
            return asked.result(0)
        try:
            return asked.result(self.wait_s)
        finally:
            self.seats.give(connection.name)

    def _future(self, connection: Connection) -> Future[list[Choice]]:
        now = self.clock()
        with self._lock:
            asked, future = self._asked.get(connection.name, (now, None))
            failed = future is not None and future.done() and future.exception() is not None
            if future is None or now - asked > (FAILED_FOR if failed else KEPT):
                future = self._threads.submit(capabilities.offers(connection).choices)
                self._asked[connection.name] = (now, future)
            return future
