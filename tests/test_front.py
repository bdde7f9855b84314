"""What stands before the app: bytes are kept, and nobody's slowness or bulk costs others anything.

The real server in this process, with small limits and an app that shows what it was given.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from lti_bridge.front import THREADS, Connection, Front
from tests.flow.world import eventually

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
HELD, MOST = 100_000, 20
BIG = 8 * 2**20  # more than lies between two ends of a connection


class Impatient(Connection):
    """A connection that waits for a request for half a second only."""

    patience_s = 0.5


def shows(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The app: what it sees of the request, as JSON."""
    start("200 OK", [("Content-Type", "application/json")])
    if environ["PATH_INFO"] == "/big":
        return [b"x" * BIG]
    body = environ["wsgi.input"].read()
    plain = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps({**plain, "body": len(body)}).encode()]


@contextmanager
def served(connection: type[Connection]) -> Iterator[tuple[str, int]]:
    """The address of a server in this process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        Front(shows, {"/x": 80_000}, held=HELD),
        http=connection,
        loop="asyncio",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        limit_concurrency=MOST,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served(Connection) as made:
        yield made


@pytest.fixture(scope="module")
def impatient() -> Iterator[tuple[str, int]]:
    with served(Impatient) as made:
        yield made


def said(address: tuple[str, int], sent: bytes) -> bytes:
    """What comes back until the server hangs up."""
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(sent)
        return client.makefile("rb").read()


def seen(address: tuple[str, int], *lines: bytes, path: bytes = b"/") -> dict[str, Any]:
    """What the app sees of a request with these lines in its head."""
    head = [b"GET " + path + b" HTTP/1.1", b"Host: a", *lines, b"Connection: close", b"", b""]
    return dict(json.loads(said(address, b"\r\n".join(head)).partition(b"\r\n\r\n")[2]))


READ = (
    b"Accept Accept-Language Authorization Cookie Content-Type If-None-Match Origin Referer"
    b" Sec-Fetch-Dest Sec-Fetch-Site User-Agent X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto"
)


@pytest.mark.parametrize("value", ["José".encode(), "José".encode("latin-1"), b"\x80\xff=\xc3"])
@pytest.mark.parametrize("name", READ.split(), ids=bytes.decode)
def test_every_byte_of_a_header_arrives(
    address: tuple[str, int], name: bytes, value: bytes
) -> None:
    key = name.decode().upper().replace("-", "_")
    got = seen(address, name + b": a=b; c=" + value)
    shown = got[key if name == b"Content-Type" else f"HTTP_{key}"]
    assert shown.encode("latin-1") == b"a=b; c=" + value


def test_the_environment_is_what_was_sent(address: tuple[str, int]) -> None:
    sent = (b"Cookie: a=1", b"Cookie: b=2", b"Accept: x", b"Accept: y")
    got = seen(address, *sent, path=b"/a%20%C3%A9%00%2Fb?q=%C3%A9")
    assert got["PATH_INFO"].encode("latin-1") == "/a é\0/b".encode()
    assert got["QUERY_STRING"] == "q=%C3%A9"
    assert (got["HTTP_COOKIE"], got["HTTP_ACCEPT"]) == ("a=1; b=2", "x,y")
    assert got["REMOTE_ADDR"] == "127.0.0.1"
    assert "HOME" not in got  # nothing of this process


def test_a_header_with_an_underscore_is_nobodys(address: tuple[str, int]) -> None:
    got = seen(address, b"X_Forwarded_Host: evil", b"Content_Length: 5", b"Content_Type: evil")
    assert "HTTP_X_FORWARDED_HOST" not in got
    assert not got.get("CONTENT_LENGTH")
    assert not got.get("CONTENT_TYPE")


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"", b""),
        (b"GE", b""),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        (HEAD + b"Content-Length: 100\r\n\r\n", b"a"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n", b"X: a\r\n"),
    ],
    ids=["nothing", "word", "head", "body", "chunks", "second"],
)
def test_who_sends_slowly_is_sent_away(
    impatient: tuple[str, int], begun: bytes, more: bytes
) -> None:
    with socket.create_connection(impatient, timeout=20) as client:
        client.sendall(begun)
        until = time.monotonic() + 20
        client.settimeout(0.1)
        got = b""
        while b" 408 " not in got and time.monotonic() < until:
            try:
                got += client.recv(10_000)
            except TimeoutError:
                client.sendall(more)
        assert b" 408 " in got


@pytest.mark.parametrize("ends", [b"\r\n", b"\r\n\r\n"])
def test_line_ends_hold_no_connection(impatient: tuple[str, int], ends: bytes) -> None:
    with socket.create_connection(impatient, timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")
        client.sendall(ends)
        until = time.monotonic() + 10
        client.settimeout(0.1)
        got = b""
        while b" 408 " not in got and time.monotonic() < until:
            try:
                got += client.recv(10_000)
            except TimeoutError:
                client.sendall(ends)
        assert b" 408 " in got


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_who_does_not_read_is_sent_away(impatient: tuple[str, int], more: bytes) -> None:
    with socket.create_connection(impatient, timeout=10) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n" + more + b"\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        time.sleep(1.5)  # three times the patience
        assert len(client.makefile("rb").read()) < BIG  # the rest was given up


def test_who_has_read_may_go_on(impatient: tuple[str, int]) -> None:
    with socket.create_connection(impatient, timeout=10) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        left = BIG
        while left > 0:
            left -= len(client.recv(2**20))
        assert not select.select([client], [], [], 0.8)[0] or client.recv(1_000)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10_000)


def test_what_comes_behind_a_body_is_no_header(address: tuple[str, int]) -> None:
    """RFC 9110, 6.5.1: it comes after who is asking has been checked."""
    trailers = b"Cookie: a=1\r\nHost: evil\r\nAuthorization: Bearer x\r\nX-Foo: x\r\n"
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = said(address, head + b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")
    got = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (got["body"], got["HTTP_HOST"]) == (3, "a")
    assert not {"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_X_FOO"} & set(got)


@pytest.mark.parametrize(
    ("begun", "more", "times"),
    [
        (b"1\r\na\r\n0\r\n", b"a: b\r\n" * 10_000, 20),
        (b"1\r\na\r\n0\r\nX: ", b"a" * 60_000, 20),
        (b"1;", b"a" * 60_000, 20),
        (b"", b"1;" + b"e" * 20_000 + b"\r\na\r\n", 600),
    ],
    ids=["trailers", "trailer", "extension", "extensions"],
)
def test_what_surrounds_a_body_is_bounded(
    address: tuple[str, int], begun: bytes, more: bytes, times: int
) -> None:
    with socket.create_connection(address, timeout=10) as client:
        with suppress(ConnectionError):
            client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + begun + more * times)
        assert hung_up(client, b"HTTP/1.1 4")


def test_small_chunks_are_taken(address: tuple[str, int]) -> None:
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = said(address, head + b"1\r\na\r\n" * 60_000 + b"0\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == 60_000


def posted(address: tuple[str, int], length: int, path: bytes = b"/x") -> dict[str, Any]:
    """What the app sees of a body that long; nothing when somebody else answered."""
    head = HEAD.replace(b"/x", path) + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % length
    answer = said(address, head + b"a" * length)
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2])) if b" 200 " in answer[:15] else {}


def test_who_holds_most_pays_for_the_room(address: tuple[str, int]) -> None:
    """All bodies together are bounded, and what is short and whole is answered nevertheless."""
    begun = HEAD + b"Content-Length: 80000\r\n\r\n"
    with ExitStack() as held:
        clients = [held.enter_context(socket.create_connection(address)) for _ in range(8)]
        for number, client in enumerate(clients):
            size = 39_000 if number == 0 else 60_000 - number * 1_000
            client.sendall(begun + b"a" * size)
            assert posted(address, 4_000)["body"] == 4_000
        for client in clients:
            client.sendall(b"a")
        # not the first one, which holds least, and the last one has room again
        eventually(lambda: select.select(clients, [], [], 0)[0], clients[1:7])
        assert clients[1].recv(12) == b"HTTP/1.1 503"
    eventually(lambda: posted(address, 80_000).get("body"), 80_000)  # when those are gone


@pytest.mark.parametrize(
    ("path", "sent", "kept"),
    [
        (b"/x", 80_000, 80_000),
        (b"/x", 80_001, 80_001),
        (b"/x", 90_000, 80_001),
        (b"/nowhere", 65_536, 65_536),
        (b"/nowhere", 90_000, 65_537),
    ],
)
def test_no_more_of_a_body_is_kept_than_its_address_reads(
    address: tuple[str, int], path: bytes, sent: int, kept: int
) -> None:
    got = posted(address, sent, path)
    assert (got["body"], got["CONTENT_LENGTH"]) == (kept, str(kept))


def test_connections_are_bounded(address: tuple[str, int]) -> None:
    with ExitStack() as held:
        for _ in range(2 * MOST):
            last = held.enter_context(socket.create_connection(address, timeout=20))
        assert hung_up(last)
    eventually(lambda: served_at(address), True)


def hung_up(client: socket.socket, after: bytes = b"") -> bool:
    """Whether the other end has closed the connection, perhaps after an answer that begins so."""
    try:
        return client.makefile("rb").read().startswith(after)
    except ConnectionError:
        return True


def served_at(address: tuple[str, int]) -> bool:
    """Whether somebody is answered there."""
    try:
        return seen(address)["REQUEST_METHOD"] == "GET"
    except (OSError, ValueError):
        return False


def test_health_is_told_while_all_threads_are_taken() -> None:
    go = threading.Event()

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/x":
            go.wait(30)
        start("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    front, sent = Front(app, {}), list[bytes]()
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "scheme": "http"}
    scope |= {"server": None, "client": None, "http_version": "1.1"}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    async def ask(where: str) -> None:
        await front(scope | {"path": where, "raw_path": where.encode()}, receive, send)

    async def watch() -> None:
        taken = [asyncio.ensure_future(ask("/x")) for _ in range(2 * THREADS)]
        await asyncio.wait_for(asyncio.gather(ask("/readyz"), ask("/healthz")), 20)
        assert sorted(filter(None, sent)) == [b"/healthz", b"/readyz"]
        go.set()
        await asyncio.gather(*taken)

    asyncio.run(watch())
