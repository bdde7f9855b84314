"""The job engine: wakes workers early. The rows in the database are the truth, a job is a hint."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lti_bridge import postgres
from lti_bridge.errors import ConfigurationError
from lti_bridge.private import beside, keep_private

# Huey loads the drivers of all servers that a queue can be on, where they are installed: a quarter
# of a start. It finds none here, and is given the one that a queue_url needs.
_HIDDEN = {"psycopg", "redis"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type] # None: "is not there"
try:
    from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab, storage
    from huey.registry import Message
    from huey.serializer import Serializer
finally:
    for _name in _HIDDEN:
        del sys.modules[_name]

log = logging.getLogger("lti_bridge.queue")

NAME = "lti-bridge"
JOBS = ("lti_bridge.queue.sweep", "lti_bridge.worker.minute")
HINT_BYTES = 200
ID = re.compile(r"[\w-]{1,64}", re.ASCII)
PAUSE_S = 0.05  # at most one hint in this time, however many grades arrive


class Hints(Serializer):  # type: ignore[misc]
    """Writes a hint as its id and the name of its job, in JSON, and reads nothing else.

    Huey's own way is to unpickle, so whoever can write into the queue could run anything here.
    What is none of our hints, as those of older versions, is dropped unread: the rows are the
    truth, and a sweep comes anyway.
    """

    def _serialize(self, data: Message) -> bytes:
        if data.name not in JOBS or data.args or data.kwargs:
            raise ValueError("a hint is the name of a job and nothing more")
        return json.dumps({"id": data.id, "job": data.name}).encode()

    def _deserialize(self, data: bytes) -> Message:
        if not isinstance(data, bytes | memoryview) or len(data) > HINT_BYTES:
            raise ValueError("not a hint of ours: dropped")
        hint = _json(bytes(data))
        if not isinstance(hint, dict) or hint.keys() != {"id", "job"} or hint["job"] not in JOBS:
            raise ValueError("not a hint of ours: dropped")
        if not isinstance(hint["id"], str) or not ID.fullmatch(hint["id"]):
            raise ValueError("not a hint of ours: dropped")
        return Message(hint["id"], hint["job"], retries=0, retry_delay=0, args=(), kwargs={})


# A host that is gone without a word holds nobody longer than this; a worker waits for a second.
REDIS: dict[str, Any] = {
    "socket_connect_timeout": 5,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 15,
}
OPTIONS: dict[str, Any] = {"results": False, "serializer": Hints()}


def _json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def queue_files(queue: Huey) -> list[Path]:
    """The files that a queue is kept in; none that we know of on a server."""
    return beside(Path(queue.storage.filename)) if isinstance(queue, SqliteHuey) else []


def open_queue(url: str) -> Huey:
    """The queue of a queue_url. Raises ConfigurationError for an address that is none."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        try:
            filename = make_url(url).database
        except ArgumentError as error:
            raise ConfigurationError(f"queue_url: {error}") from error
        if filename and filename != ":memory:":
            keep_private(Path(filename))
        return SqliteHuey(NAME, filename=filename or ":memory:", **OPTIONS)
    if postgres.is_postgres(url):
        told = postgres.parameters(url, "queue_url")
        _give_psycopg()
        try:
            return PostgresHuey(NAME, **told, **OPTIONS)
        except Exception as error:  # it is away; `check` says so at a start, and rows need no hints
            log.warning("queue.away", extra={"reason": type(error).__name__})
            return PostgresHuey(NAME, create_tables=False, **told, **OPTIONS)
    if scheme in ("redis", "rediss"):
        return _redis(url)
    raise ConfigurationError("queue_url must start with sqlite:///, postgresql:// or redis://")


def _redis(url: str) -> Huey:
    try:
        _give_redis()
        from redis import ConnectionPool
    except ImportError:
        raise ConfigurationError("queue_url: redis:// needs the package redis") from None
    try:
        pool = ConnectionPool.from_url(url, **REDIS)
    except ValueError as error:
        raise ConfigurationError(f"bridge: queue_url: {error}") from error
    return RedisHuey(NAME, connection_pool=pool, **OPTIONS)


def _give_psycopg() -> None:
    import psycopg

    storage.psycopg = psycopg


def _give_redis() -> None:
    import redis

    storage.Redis = storage.RedisStorage.redis_client = redis.Redis
    storage.ConnectionPool = redis.ConnectionPool
    storage.ConnectionError = redis.exceptions.ConnectionError
    storage.TimeoutError = redis.exceptions.TimeoutError


def check(queue: Huey, url: str) -> None:
    """Raise ConfigurationError when there is no queue at its address."""
    try:
        queue.pending_count()
    except Exception as error:  # of any engine
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise ConfigurationError(
            f"bridge: queue_url: no queue answers at {where} ({type(error).__name__}):"
            " start its server, or correct the address"
        ) from error


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

    def every_minute(self, work: Callable[[], object]) -> None:
        """Do something every minute, in a process that takes hints."""
        self.queue.periodic_task(crontab(minute="*"), name="minute")(work)

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

    def close(self) -> None:
        """Close this thread's connection; the next use opens one."""
        self.queue.storage.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self.sweep_now()
            self._stopped.wait(PAUSE_S)


def _nothing() -> None:
    """What a sweep does in a process that is no worker."""
