"""The database engine: the only place that knows SQLite from PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from lti_bridge import postgres
from lti_bridge.errors import BadRequest, ConfigurationError
from lti_bridge.private import beside, keep_private
from lti_bridge.store.checkpoints import LONGEST_LOG, Checkpoints
from lti_bridge.transactions import database_in_hand

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_KEY = 0x4C544942  # any fixed number: all processes migrating one database use it
CONNECTIONS = 8  # kept by a process
WAIT_S = 5  # for a lock of another process or a connection; then whoever asked tries again

DRIVER = "postgresql+psycopg://"
VERSION = text("SELECT version_num FROM alembic_version")
BEGIN = "BEGIN IMMEDIATE"  # SQLite: wait for the other writer now, not in the middle


class Database:
    """One database: transactions, and the few differences between the two engines.

    With SQLite, writers of one process take a lock first: SQLite's own waiting makes the slowest
    writes 25 times slower. `skip_locked` and `for_update` are the SQL that PostgreSQL needs and
    SQLite, which has one writer at a time, does not.
    """

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        self._url = url
        self.engine = _engine(url, connections)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._write_lock = threading.Lock() if self.is_sqlite else nullcontext()
        self._checkpoints = Checkpoints(self.engine) if self.is_sqlite else None
        self._open = _Open()
        self._writer: PoolProxiedConnection | None = None  # between two uses, under the lock
        self.for_update = "" if self.is_sqlite else "FOR NO KEY UPDATE"  # as foreign keys want it
        self.skip_locked = "" if self.is_sqlite else "FOR UPDATE SKIP LOCKED"
        driver = self.engine.dialect.loaded_dbapi
        self._unfit = (UnicodeEncodeError, DataError, driver.DataError)
        self.driver_error: type[Exception] = driver.Error
        self._wrote_at = 0.0  # by monotonic(); 0: not yet, or something has failed since
        self.failing_since: datetime | None = None  # by this machine; None: the last write was good

    def plain_engine(self) -> Engine:
        """Another engine for the same database, which has nothing of what a bridge wants of it."""
        if self.is_sqlite:
            return create_engine(self._url)
        return create_engine(DRIVER, connect_args=postgres.parameters(self._url, "database_url"))

    @property
    def files(self) -> list[Path]:
        """The files that the database is kept in; none that we know of on a server."""
        return beside(Path(self.engine.url.database or "")) if self.is_sqlite else []

    def native(self, statement: TextClause) -> str:
        """The statement as the driver takes it, with parameters by name."""
        return statement.text if self.is_sqlite else _for_psycopg(statement)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction: committed at the end, rolled back on any error."""
        with self._fitting(), self._write_lock:
            with self.engine.begin() as made, database_in_hand():
                yield made
            self._wrote()

    def _wrote(self) -> None:
        self._wrote_at, self.failing_since = monotonic(), None
        if self._checkpoints is not None:
            self._checkpoints.wrote()

    def wrote_within(self, seconds: float) -> bool:
        """Whether this process has written in that time, and nothing has failed since."""
        return self._wrote_at > 0 and monotonic() - self._wrote_at < seconds

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A write transaction as the driver's own cursor, for the few that everybody waits for.

        SQLAlchemy's part in a transaction of eight statements costs more than the statements.
        With SQLite the connection is kept for the next writer, who finds its pages in memory.
        A second one in the same thread joins the first: what it writes is in the same commit.
        """
        if self._open.cursor is not None:
            yield self._open.cursor
            return
        with self._fitting(), self._write_lock:
            connection = self._writer or self.engine.raw_connection()
            self._writer = None
            try:
                cursor = connection.cursor()
                if self.is_sqlite:
                    cursor.execute(BEGIN)
                self._open.cursor = cursor
                with database_in_hand():
                    yield cursor
                cursor.close()
                connection.commit()
                self._wrote()
                if self.is_sqlite:
                    self._writer = connection
            finally:
                self._open.cursor = None
                if self._writer is None:
                    connection.close()  # to the pool, which rolls back what is not committed

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads only; it waits for nobody and nobody waits for it."""
        with self._fitting(), self.engine.connect() as connection, database_in_hand():
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """Raise BadRequest for values that no column can hold: NUL, half characters, and too long.

        The doors refuse such texts; this is for the one that somebody forgot.
        """
        try:
            yield
        except self._unfit as error:
            raise BadRequest("a value that the database cannot hold") from error
        except (SQLAlchemyError, self.driver_error):
            self._wrote_at = 0.0
            self.failing_since = self.failing_since or datetime.now(UTC)
            raise

    def migrate(self) -> None:
        """Bring the schema to the newest version; safe when several processes start at once.

        Raises ConfigurationError for one that only a newer version of the bridge knows.
        """
        version = self._version()
        if version == _newest():
            return
        if version and version > _newest():
            raise ConfigurationError(
                f"bridge: database_url: the schema is {version}, of a newer version of the bridge"
                f" than this one, which knows {_newest()}: install the newer one here too"
            )
        from alembic import command  # with its Mako a tenth of a start, and rarely needed
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._write_lock, self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str | None:
        """The version of the schema, or None when there is none yet."""
        no_table = OperationalError if self.is_sqlite else ProgrammingError
        try:
            with self.reading() as connection:
                return connection.execute(VERSION).scalar()
        except no_table:
            return None

    def close(self) -> None:
        """Close every connection."""
        with self._write_lock:
            if self._checkpoints is not None:
                self._checkpoints.stop()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self.engine.dispose()


class _Open(threading.local):
    """The cursor of the transaction that this thread has begun, if any."""

    cursor: Any = None


def _engine(url: str, connections: int) -> Engine:
    if postgres.is_postgres(url):
        return _postgres(url, connections)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"database_url is not a database URL: {error}") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigurationError(
            "database_url must be sqlite:///file.sqlite3 or postgresql://user@host/name"
        )
    engine = create_engine(
        parsed,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=8,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": WAIT_S, "isolation_level": None},
    )
    if parsed.database != ":memory:":
        event.listen(engine, "do_connect", _kept_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _postgres(url: str, connections: int) -> Engine:
    told = postgres.parameters(url, "database_url")
    engine = create_engine(
        DRIVER,
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=told,
    )
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _newest() -> str:
    """The version that the last migration, by the number of its file, leads to."""
    return max(path.name for path in MIGRATIONS.glob("versions/0*.py")).partition("_")[0]


@cache
def _for_psycopg(statement: TextClause) -> str:
    from sqlalchemy.dialects.postgresql import psycopg  # nothing that SQLite needs

    return str(statement.compile(dialect=psycopg.dialect()))  # type: ignore[no-untyped-call]


def _kept_private(_dialect: Any, _record: Any, arguments: list[Any], _more: Any) -> None:
    keep_private(Path(arguments[0]))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for pragma in (
        *("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"),
        f"wal_autocheckpoint={LONGEST_LOG}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgres(connection: Any, _record: Any) -> None:
    for name, value in ({"lock_timeout": f"{WAIT_S}s"} | postgres.SETTINGS).items():
        connection.execute(f"SET {name} = '{value}'")
    connection.commit()


def _begin_immediate(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(BEGIN)


def reachable(database: Database) -> bool:
    """Whether the database answers and has a schema; whether it can be written: store.health."""
    try:
        with database.reading() as connection:
            connection.execute(VERSION)
    except SQLAlchemyError:
        return False
    return True
