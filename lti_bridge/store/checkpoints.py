"""Bringing SQLite's write-ahead log into the database, beside those who write."""

from __future__ import annotations

import threading
from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

EVERY = 50  # commits, of about twenty pages each
LONGEST_LOG = 16_000  # pages: then whoever commits brings the rest, as SQLite does by itself
STOP_S = 5.0


class Checkpoints:
    """Takes from those who commit what SQLite has them do: every fiftieth would pay for all.

    In a large database the pages of fifty commits lie apart, and to write and sync them takes ten
    times as long as in a small one. A passive checkpoint waits for nobody and nobody waits for it.
    What is written meanwhile stays in the log, so that now and then one who commits ends it; there
    is little left to do then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._commits = 0
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def wrote(self) -> None:
        """Somebody has committed; the caller is the only one who writes in this process."""
        self._commits += 1
        if self._commits < EVERY:
            return
        self._commits = 0
        self._due.set()
        if self._thread is None:  # not before: who is forked has no threads of its parent
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Do it no more, until somebody writes again."""
        if self._thread is not None:
            self._stopping.set()
            self._due.set()
            self._thread.join(STOP_S)
            self._thread = None
            self._due.clear()

    def _run(self) -> None:
        while self._due.wait() and not self._stopping.is_set():
            self._due.clear()
            try:
                with closing(self._engine.raw_connection()) as connection:
                    connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
                continue  # a full disk, as a rule: who commits hears of it, and it comes again
