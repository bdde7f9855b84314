"""The job engine: wakes workers early. The rows in the database are the truth, a job is a hint."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from huey import Huey, PostgresHuey, SqliteHuey
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lti_bridge.errors import ConfigurationError

log = logging.getLogger("lti_bridge.queue")

NAME = "lti-bridge"
PAUSE_S = 0.05  # at most one hint in this time, however many grades arrive


def open_queue(url: str) -> Huey:
    """The queue of a queue_url. Raises ConfigurationError for an address that is none."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        try:
            filename = make_url(url).database
        except ArgumentError as error:
            raise ConfigurationError(f"queue_url: {error}") from error
        return SqliteHuey(NAME, filename=filename or ":memory:", results=False)
    if scheme in ("postgresql", "postgresql+psycopg"):
        return PostgresHuey(NAME, dsn=url.replace("+psycopg", "", 1), results=False)
    if scheme in ("redis", "rediss"):
        return _redis(url)
    raise ConfigurationError("queue_url must start with sqlite:///, postgresql:// or redis://")


def _redis(url: str) -> Huey:
    try:
        import redis  # noqa: F401 - only where it is configured
        from huey import RedisHuey
    except ImportError:
        raise ConfigurationError("queue_url: redis:// needs the package redis") from None
    return RedisHuey(NAME, url=url, results=False)


class Waker:
    """Sends hints to workers from a thread of its own, so that no request waits for the queue.

    A burst of grades becomes one hint: the sweep takes all that is due anyway. A hint that cannot
    be sent is dropped, for the periodic sweep finds the rows. `body` is what a sweep does; only a
    worker sets it, and the task has one name in every process.
    """

    def __init__(self, queue: Huey) -> None:
        self.queue = queue
        self.body: Callable[[], object] = _nothing
        self._hint: Any = queue.task(name="sweep")(self.sweep)
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()

    def wake(self) -> None:
        """Tell a worker, soon, that something is due."""
        self._wanted.set()
        if self._thread is None:
            # started late: a server forks after the app is made, and threads do not survive that
            with self._start:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, daemon=True)
                    self._thread.start()

    def sweep(self) -> None:
        """The task: in a worker, everything that is due."""
        self.body()

    def sweep_now(self) -> None:
        """Tell a worker now, from a process that ends soon; a lost hint is not an error."""
        try:
            self._hint()
        except Exception as error:  # any engine, any failure: the sweep makes up for it
            log.warning("queue.hint-lost", extra={"reason": type(error).__name__})

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self.sweep_now()
            self._stopped.wait(PAUSE_S)


def _nothing() -> None:
    """What a sweep does in a process that is no worker."""
