"""The time that decides between machines is the database's, never one of theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from lti_bridge.store.engine import Database

AGAIN_S = 30.0  # after which the server is asked again
READ = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")


class DatabaseClock:
    """The time of a PostgreSQL server, aware and in UTC.

    The server is asked at first and every AGAIN_S seconds, from a thread of its own, so that no
    transaction waits for another connection. In between, and while it does not answer, this
    process's own steady clock tells how much later it is; a machine's time of day, which may be
    set wrong or anew, is asked only as long as the server has never answered (`host`).
    """

    def __init__(self, database: Database, host: Callable[[], datetime]) -> None:
        self._database = database
        self._host = host
        self._start = threading.Lock()
        self._known: tuple[float, datetime] | None = None  # the steady clock's, the server's
        self._asking = False
        self._closed = threading.Event()

    def __call__(self) -> datetime:
        """The present time."""
        if not self._asking:
            self._begin()
        if self._known is None:
            return self._host()
        at, there = self._known
        return there + timedelta(seconds=time.monotonic() - at)

    def ahead(self) -> timedelta:
        """How much the time of day of this machine is ahead of the server's."""
        return self._host() - self()

    def close(self) -> None:
        """Ask the server no more."""
        self._closed.set()

    def _begin(self) -> None:
        with self._start:
            if self._asking:
                return
            self._read()
            threading.Thread(target=self._keep_reading, name="clock", daemon=True).start()
            self._asking = True

    def _keep_reading(self) -> None:
        while not self._closed.wait(AGAIN_S):
            self._read()

    def _read(self) -> None:
        began = time.monotonic()
        try:
            with self._database.reading() as connection:
                told = int(connection.execute(READ).scalar_one())
        except SQLAlchemyError:
            return
        ended = time.monotonic()
        there = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=told)
        self._known = ((began + ended) / 2, there)
