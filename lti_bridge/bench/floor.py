"""The floor: the least a server can do for the same request, on the same machine and server.

A Flask app takes the same bytes, does the bare cryptography, commits one row durably and answers
with an empty page. Granian serves it, as it served the bridge when this was written, so that the
figures of all versions can be compared. Of a grade message it keeps what any bridge must: the
result, the learner's grade and that it is to be delivered, found by their keys, in one commit. What
the bridge does more, costs the rest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
import re
import secrets
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import psycopg
import urllib3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Flask, Response, request
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from lti_bridge.errors import ConfigurationError

THREADS, WAITING, MAX_BODY = 4, 256, 524_288
DATABASE_VARIABLE = "LTI_BRIDGE_FLOOR_DATABASE"
KEY_VARIABLE = "LTI_BRIDGE_FLOOR_KEY"
HMAC_KEY = b"floor&"
SIGNED_BYTES = 3000  # an id_token
TOKEN = re.compile(rb"(?:id_token|client_assertion)=([^&]+)")
ROW_BYTES = 300
LEARNER = re.compile(rb'(?:"userId": "|<sourcedId>)([^"<]+)')
CREATE = (
    "CREATE TABLE IF NOT EXISTS floor_rows (id {serial} PRIMARY KEY, content TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS floor_results (event TEXT PRIMARY KEY, learner TEXT NOT NULL,"
    " content TEXT NOT NULL) {lean}",
    "CREATE TABLE IF NOT EXISTS floor_grades (learner TEXT PRIMARY KEY, content TEXT NOT NULL,"
    " due_at BIGINT) {lean}",
    "CREATE INDEX IF NOT EXISTS floor_due ON floor_grades (due_at)",
)
ADD_RESULT = "INSERT INTO floor_results (event, learner, content) VALUES (?, ?, ?)"
SAVE_GRADE = (
    "INSERT INTO floor_grades (learner, content, due_at) VALUES (?, ?, ?) ON CONFLICT (learner)"
    " DO UPDATE SET content = excluded.content, due_at = excluded.due_at"
)


class BodyFirst:
    """A WSGI app that begins with a request when all of its body has come, THREADS at a time."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._free = threading.Semaphore(THREADS)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        length = environ.get("CONTENT_LENGTH", "")
        if environ.pop("HTTP_TRANSFER_ENCODING", "") or length:
            fits = not length.isdecimal() or int(length) <= MAX_BODY
            body = environ["wsgi.input"].read(MAX_BODY + 1) if fits else b""
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = length or str(len(body))
            environ.pop("wsgi.input_terminated", None)
        with self._free:
            return self._app(environ, start)


class Rows:
    """Commits one row, or one grade, at a time, durably, with a connection per thread.

    `database` is a file for SQLite, or a PostgreSQL URL as the bridge takes it.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._postgres = database.startswith("postgresql")
        self._own = threading.local()
        self._lock = nullcontext() if self._postgres else threading.Lock()

    def create(self) -> None:
        """Make the tables."""
        words = {"serial": "INTEGER", "lean": "WITHOUT ROWID"}
        if self._postgres:
            words = {"serial": "BIGSERIAL", "lean": ""}
        for statement in CREATE:
            self._connection().execute(statement.format(**words))

    def commit(self, content: str) -> None:
        """Insert one row; it is on disk when this returns."""
        connection = self._connection()
        mark = "%s" if self._postgres else "?"
        with self._lock:
            connection.execute(f"INSERT INTO floor_rows (content) VALUES ({mark})", (content,))  # noqa: S608

    def grade(self, learner: str, content: str) -> None:
        """Keep a result, and the grade that follows from it as due; on disk when this returns."""
        connection, now = self._connection(), int(time.time() * 1000)
        result, grade = ADD_RESULT, SAVE_GRADE
        if self._postgres:
            result, grade = result.replace("?", "%s"), grade.replace("?", "%s")
        with self._lock:
            connection.execute("BEGIN")
            connection.execute(result, (secrets.token_urlsafe(16), learner, content))
            connection.execute(grade, (learner, content, now))
            connection.execute("COMMIT")

    def _connection(self) -> Any:
        if not hasattr(self._own, "connection"):
            self._own.connection = self._connect()
        return self._own.connection

    def _connect(self) -> Any:
        if self._postgres:
            return psycopg.connect(self._database.replace("+psycopg", "", 1), autocommit=True)
        connection = sqlite3.connect(self._database, timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def from_environment() -> BodyFirst:
    """The app, served as the bridge is; the environment says where its rows go, and its key."""
    key = load_pem_public_key(os.environ[KEY_VARIABLE].encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ConfigurationError("the floor verifies with an RSA key")
    rows = Rows(os.environ[DATABASE_VARIABLE])
    app = Flask(__name__, static_folder=None)

    def answer(check: Callable[[bytes], None]) -> Response:
        body = request.get_data()
        check(body)
        rows.commit(body[:ROW_BYTES].decode())
        return Response(b"")

    def verify(body: bytes) -> None:
        token = TOKEN.search(body)[1]  # type: ignore[index]
        signed, _, signature = token.rpartition(b".")
        seal = base64.urlsafe_b64decode(signature + b"==")
        key.verify(seal, signed, padding.PKCS1v15(), hashes.SHA256())

    @app.post("/lti/launch")
    def launch() -> Response:
        return answer(verify if b"id_token=" in request.get_data() else _hmac)

    @app.post("/platform/token")
    def token() -> Response:
        return answer(verify)

    @app.post("/platform/outcomes")
    @app.post("/platform/<path:_rest>/scores")
    def grades(_rest: str = "") -> Response:
        body = request.get_data()
        _hmac(request.headers["Authorization"].encode() if _rest else body)
        learner = LEARNER.search(body)[1]  # type: ignore[index]
        rows.grade(learner.decode(), body[:ROW_BYTES].decode())
        return Response(b"")

    return BodyFirst(app)


def deliver(url: str, body: bytes, database: str, seconds: float) -> tuple[float, float]:
    """A bare loop of one POST and one commit: deliveries per second, processor µs for each."""
    rows, pool = Rows(database), urllib3.PoolManager()
    headers = {"Content-Type": "application/xml"}
    began, used, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < began + seconds:
        pool.request("POST", url, body=body, headers=headers, retries=False)
        rows.commit("delivered")
        count += 1
    used = time.process_time() - used
    return count / (time.perf_counter() - began), used / count * 1e6


def sign(seconds: float) -> tuple[float, float]:
    """A bare loop of RS256 signatures: signatures per second, processor µs for each."""
    key = rsa.generate_private_key(65537, 2048)
    text = b"x" * SIGNED_BYTES
    began, used, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < began + seconds:
        key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        count += 1
    used = time.process_time() - used
    return count / (time.perf_counter() - began), used / count * 1e6


def _hmac(body: bytes) -> None:
    hmac.new(HMAC_KEY, body, hashlib.sha1).digest()


def _serve(port: int) -> None:
    Rows(os.environ[DATABASE_VARIABLE]).create()
    Server(
        "lti_bridge.bench.floor:from_environment",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=WAITING,
        http=HTTPModes.http1,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
