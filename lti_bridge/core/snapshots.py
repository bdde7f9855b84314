"""What stands in the database and is known to every process: changes are seen within seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

LOOK_EVERY_S = 2.0
LOOK_AGAIN_S = 0.2  # for what is unknown

Seen = TypeVar("Seen")


class Watched(Generic[Seen]):
    """One consistent view, replaced as a whole when its version in the database has changed.

    The database is asked for its version (0: there is nothing yet) at most every two seconds, by
    one thread while the others go on with what is known, and when something is unknown. While it
    does not answer (None), what was known stays. `clock` are monotonic seconds.
    """

    def __init__(
        self,
        version: Callable[[], int | None],
        read: Callable[[], Seen],
        first: Seen,
        clock: Callable[[], float],
    ) -> None:
        self._ask_version = version
        self._read = read
        self._seen = first
        self._version = 0
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = float("-inf")

    def now(self, pause_s: float = LOOK_EVERY_S) -> Seen:
        """What is known; looked up again when the last look is at least `pause_s` seconds ago."""
        if self._clock() - self._looked_at >= pause_s and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looked_at = self._clock()
                self._looking.release()
        return self._seen

    def _look(self) -> None:
        version = self._ask_version()
        if version is not None and version != self._version:
            self._seen, self._version = self._read(), version
