"""Whether the database can be written, found out in bounded time and with few writes."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from lti_bridge.store.engine import WAIT_S, Database

log = logging.getLogger("lti_bridge.database")

FRESH_S = 5.0  # a write that succeeded says for so long that the next one will
AGAIN_S = 1.0  # what was wrong is looked at again after this time, however often somebody asks
ANSWER_S = 2.0  # how long a request waits for a look
SIZE = {True: 32_768, False: 4096}  # bytes, by whether it is SQLite: what a launch may need
PROBE = text(
    "INSERT INTO write_probe (id, text) VALUES ('now', :text)"
    " ON CONFLICT (id) DO UPDATE SET text = excluded.text"
)
STANDBY = text("SELECT pg_is_in_recovery()")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the database cannot be written.

    `said` is for anybody, `remedy` for who runs the bridge; `readable` when reading still works.
    """

    said: str
    remedy: str
    readable: bool = False


SLOW = Trouble(
    "the database does not answer in time",
    "Look whether its server, its disk or another program that uses it hangs.",
)
AWAY = Trouble("the database does not answer", "Check database_url; run lti-bridge migrate.")
NO_SCHEMA = Trouble("the database has no schema of this version", "Run lti-bridge migrate.")
LOCKED = Trouble(
    f"the database is locked: no write had its turn in {WAIT_S} seconds",
    "Find the program that holds it, perhaps a backup or a shell with an open transaction.",
    readable=True,
)
FULL = Trouble(
    "the database cannot be written: no space is left",
    "Free space where the database is kept, or raise the quota; nothing that was answered is lost.",
    readable=True,
)
BROKEN = Trouble(
    "the database cannot be written: its disk is full or fails",
    "Free space where the database is kept, or raise the quota; else look at the system's log.",
    readable=True,
)
READ_ONLY_FILE = Trouble(
    "the database is read-only",
    "Give the user that runs the bridge the right to write the database's file and its folder, and"
    " look whether their disk is mounted read-only.",
    readable=True,
)
READ_ONLY_SERVER = Trouble(
    "the database is read-only",
    "Switch default_transaction_read_only off for this server, database and user.",
    readable=True,
)
READ_ONLY_STANDBY = Trouble(
    "the database is read-only",
    "This server is a standby: let database_url lead to the primary, or promote it.",
    readable=True,
)
BY_SQLITE = {
    "SQLITE_FULL": FULL,
    "SQLITE_READONLY": READ_ONLY_FILE,
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_IOERR": BROKEN,
    "SQLITE_ERROR": NO_SCHEMA,  # of a statement that is always the same: its table is not there
}
BY_POSTGRES = {
    "25006": READ_ONLY_SERVER,
    "53100": FULL,
    "55P03": LOCKED,
    "42P01": NO_SCHEMA,
}


class Health:
    """Looks whether a database can be written, in a thread of its own.

    All who ask meanwhile wait for the same look, and none of them longer than its time: what hangs
    holds that one thread, and everybody else is told that it does not answer.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._look: Future[Trouble | None] | None = None
        self._begun = 0.0

    def trouble(self, wait_s: float = ANSWER_S) -> Trouble | None:
        """Why the database cannot be written, or None; known after `wait_s` seconds at most."""
        if self._database.wrote_within(FRESH_S):
            return None
        with self._lock:
            now = self._clock()
            if self._look is None or self._is_over(self._look, now):
                self._look, self._begun = Future(), now
                task = threading.Thread(target=self._run, args=(self._look,), daemon=True)
                task.start()
            look, left = self._look, self._begun + wait_s - now
        try:
            return look.result(max(0.0, left))
        except TimeoutError:
            return SLOW

    def told(self, trouble: Trouble) -> str:
        """What is wrong, and since when as far as this process knows."""
        since = self._database.failing_since
        return f"{trouble.said}, since {since:%Y-%m-%d %H:%M:%S}Z" if since else trouble.said

    def _is_over(self, look: Future[Trouble | None], now: float) -> bool:
        """Whether a look says nothing any more; one that found nothing wrong was a write."""
        return look.done() and (look.result() is None or now >= self._begun + AGAIN_S)

    def _run(self, look: Future[Trouble | None]) -> None:
        found: Trouble | None = AWAY
        try:
            found = trouble(self._database)
        except Exception:
            log.exception("database.look-broke")
        finally:
            look.set_result(found)  # whatever it was, nobody may wait for ever


def trouble(database: Database) -> Trouble | None:
    """Write one row and say what stood in the way, or None; it takes as long as it takes."""
    values = {"text": secrets.token_hex(SIZE[database.is_sqlite])}
    try:
        with database.cursor() as cursor:
            cursor.execute(database.native(PROBE), values)
    except (SQLAlchemyError, database.driver_error) as error:
        found = _named(database, error)
        log.warning("database.unwritable", extra={"reason": found.said})
        return found
    return None


def _named(database: Database, error: Exception) -> Trouble:
    cause = getattr(error, "orig", None) or error
    if database.is_sqlite:
        name = getattr(cause, "sqlite_errorname", None) or ""
        return BY_SQLITE.get("_".join(name.split("_")[:2]), AWAY)
    found = BY_POSTGRES.get(getattr(cause, "sqlstate", None) or "", AWAY)
    if found is READ_ONLY_SERVER and _is_standby(database):
        return READ_ONLY_STANDBY
    return found


def _is_standby(database: Database) -> bool:
    try:
        with database.reading() as connection:
            return bool(connection.execute(STANDBY).scalar())
    except SQLAlchemyError:
        return False
