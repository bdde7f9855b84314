"""Until when the request of a thread may last."""

from __future__ import annotations

import threading
import time


class Call(threading.local):
    """The request that this thread is sending: until when, and whether any of it was written."""

    deadline = 0.0
    written = False

    def start(self, timeout_s: float) -> None:
        """A new request of this thread begins, which may last so many seconds."""
        self.deadline = time.monotonic() + timeout_s
        self.written = False

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
