"""The web server: whoever sends slowly keeps nobody else waiting."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.world import HTTP, Bridge, free_port
from tests.prepared import prepare

SLOW = 40  # ten times as many as are answered at a time
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: bridge.example.edu\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    "{length}\r\n\r\n{begun}"
)
BODIES = (
    ("/lti/launch", "Content-Length: 1000", "a="),
    ("/platform/token", "Transfer-Encoding: chunked", "2\r\na=\r\n"),
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    folder: Path = tmp_path_factory.mktemp("serving")
    database = f"sqlite:///{folder}/bridge.sqlite3"
    prepare(folder, database)
    url = f"http://127.0.0.1:{free_port()}"
    config = folder / "config.toml"
    config.write_text(
        f'[bridge]\npublic_url = "{url}"\ndatabase_url = "{database}"\n'
        f'queue_url = "sqlite:///{folder}/queue.sqlite3"\nkeys_dir = "{folder}/keys"\n'
    )
    made = Bridge(url, folder, config)
    made.serve("--no-worker")
    yield made
    made.end()


@pytest.mark.parametrize(("path", "length", "begun"), BODIES, ids=["length", "chunked"])
def test_others_are_served_while_bodies_come_slowly(
    bridge: Bridge, path: str, length: str, begun: str
) -> None:
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    slow = [socket.create_connection(address, timeout=30) for _ in range(SLOW)]
    try:
        for one in slow:
            one.sendall(HEAD.format(path=path, length=length, begun=begun).encode())
        for _ in range(3):
            for one in slow:
                one.sendall(b"x" if "Length" in length else b"1\r\nx\r\n")
            assert HTTP.request("GET", f"{bridge.url}/readyz").status == 200
            refused = HTTP.request("POST", f"{bridge.url}/lti/launch", fields={"a": "b"})
            assert 400 <= refused.status < 500
    finally:
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    ("length", "parts"),
    [
        ("Content-Length: 20", (b"grant_", b"type=pass", b"words")),
        ("Transfer-Encoding: chunked", (b"6\r\ngrant_\r\n", b"e\r\ntype=passwords\r\n0\r\n\r\n")),
    ],
)
def test_a_body_that_came_in_parts_is_read_whole(
    bridge: Bridge, length: str, parts: tuple[bytes, ...]
) -> None:
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    head = HEAD.format(path="/platform/token", length=length, begun="")
    with socket.create_connection(address, timeout=30) as slow:
        for part in (head.encode(), *parts):
            slow.sendall(part)
        assert b"unsupported_grant_type" in slow.makefile("rb").read(500)


TOO_LONG = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
BAD = (
    ("Transfer-Encoding: chunked", TOO_LONG * 5 + b"0\r\n\r\n"),
    ("Content-Length: 900000000000", b"a=b"),
)


@pytest.mark.parametrize(("length", "body"), BAD, ids=["chunks", "length"])
@pytest.mark.parametrize("path", ["/lti/login", "/lti/launch", "/hooks/a/b"])
def test_a_body_that_is_too_long_is_refused(
    bridge: Bridge, path: str, length: str, body: bytes
) -> None:
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(HEAD.format(path=path, length=length, begun="").encode() + body)
        assert client.makefile("rb").readline().split()[1] == b"413"


def test_half_a_body_is_not_taken_for_the_whole(bridge: Bridge) -> None:
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    head = HEAD.format(path="/hooks/a/b", length="Content-Length: 1000", begun="a=b")
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(head.encode())
        client.shutdown(socket.SHUT_WR)
        # the server may hang up before it has the answer, which is no 403 of a body that was read
        assert client.makefile("rb").readline().split()[1:2] in ([], [b"400"])


def test_a_long_head_is_refused(bridge: Bridge) -> None:
    assert HTTP.request("GET", bridge.url, headers={"Accept": "a," * 50_000}).status == 431


def test_the_start_warns_of_nothing(bridge: Bridge) -> None:
    assert "[WARNING]" not in bridge.log()  # as the server itself writes it
