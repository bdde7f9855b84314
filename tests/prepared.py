"""The newest schema and a set of keys, made once in each process and copied for each bridge."""

from __future__ import annotations

import uuid
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from lti_bridge.assembly.basics import now
from lti_bridge.keyring import Keyring
from lti_bridge.store.engine import Database

SQLITE = "sqlite:///"


def prepare(folder: Path, database_url: str) -> None:
    """Give a bridge of this folder its keys, and its schema where that is a file."""
    if database_url.startswith(SQLITE):
        write_schema(Path(database_url.removeprefix(SQLITE)))
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    for name, content in _keys().items():
        (keys / name).touch(mode=0o600)
        (keys / name).write_bytes(content)


def write_schema(path: Path) -> None:
    """A SQLite database that has the newest schema and no rows."""
    path.write_bytes(_schema())


def url_of(postgres: str, name: str) -> str:
    """The database_url of a database of this server."""
    base, _, query = postgres.partition("?")
    url = base.rsplit("/", 1)[0].replace("postgresql://", "postgresql+psycopg://", 1)
    return f"{url}/{name}" + (f"?{query}" if query else "")


@cache
def template(postgres: str) -> str:
    """The name of a database that has the newest schema; nobody is connected to it."""
    name = f"bridge_template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    database = Database(url_of(postgres, name))
    database.migrate()
    database.close()
    return name


@cache
def _schema() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.sqlite3"
        database = Database(f"{SQLITE}{path}")
        database.migrate()
        database.close()
        return path.read_bytes()


@cache
def _keys() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        Keyring.open(Path(folder), now)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}
