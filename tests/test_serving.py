"""The web server: whoever sends slowly keeps nobody else waiting."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lti_bridge.serving import open_port
from tests.flow.world import HTTP, Bridge, eventually, free_port
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


KB = 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
LARGE = (
    ("/lti/login", FORM, 65, 413),
    ("/lti/launch", FORM, 200, 401),
    ("/lti/launch", FORM, 257, 413),
    ("/hooks/a/b", FORM, 257, 413),
    ("/hooks/a/b", FORM, 600, 413),
    ("/course/place", FORM, 257, 413),
    ("/platform/authorize", FORM, 65, 413),
    ("/platform/token", FORM, 65, 413),
    ("/platform/register", JSON, 65, 413),
    ("/platform/register", JSON, 2000, 413),
    ("/platform/return/x", FORM, 65, 413),
    ("/platform/deep-link", FORM, 500, 400),
    ("/platform/deep-link", FORM, 513, 413),
    ("/platform/outcomes", "application/xml", 65, 400),
    ("/platform/outcomes", "application/xml", 600, 400),
    ("/platform/outcomes", "application/xml", 3000, 400),
)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(("path", "kind", "size", "answer"), LARGE)
def test_the_limits_of_bodies_are_what_the_documents_say(
    bridge: Bridge, path: str, kind: str, size: int, answer: int, chunked: bool
) -> None:
    sent = b"a" * (size * KB)
    body = iter([sent[: len(sent) // 2], sent[len(sent) // 2 :]]) if chunked else sent
    headers = {"Content-Type": kind}
    assert HTTP.request("POST", f"{bridge.url}{path}", body=body, headers=headers).status == answer


@pytest.mark.parametrize(
    "path", ["/lti/login", "/lti/launch", "/hooks/a/b", "/platform/token", "/platform/deep-link"]
)
def test_the_limit_of_fields_is_what_the_documents_say(bridge: Bridge, path: str) -> None:
    body = "&".join(f"f{number}=1" for number in range(1001))
    for url, sent in ((f"{bridge.url}{path}", body), (f"{bridge.url}{path}?{body}", "")):
        answer = HTTP.request("POST", url, body=sent, headers={"Content-Type": FORM})
        assert answer.status == 400, url


def status(bridge: Bridge, sent: bytes) -> bytes:
    """The status of the first answer to these bytes."""
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(sent)
        return client.makefile("rb").readline().split()[1]


HOST = b"Host: bridge.example.edu\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /platform/token HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "negative chunk": CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
    "negative chunk later": CHUNKED + b"2\r\na=\r\n-2\r\n",
    "chunk size of no digits": CHUNKED + b"zz\r\na\r\n0\r\n\r\n",
    "chunk size with a sign": CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
    "chunk size without bounds": CHUNKED + b"f" * 17 + b"\r\na\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a list of lengths": POST + b"Content-Length: 1, 1\r\n\r\na",
    "negative length": POST + b"Content-Length: -1\r\n\r\na",
    "length with a sign": POST + b"Content-Length: +1\r\n\r\na",
    "length in hexadecimal": POST + b"Content-Length: 0x1\r\n\r\na",
    "length of another alphabet": POST + b"Content-Length: \xb2\r\n\r\nab",
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\na",
    "no length at all": POST + b"Content-Length: \r\n\r\na",
    "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks within a coding": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding within chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks by HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "line feeds alone": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "a carriage return alone": GET + b"X: a\rb\r\n\r\n",
    "NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "a header's name of no letters": GET + b"X(: a\r\n\r\n",
    "a header without a colon": GET + b"X\r\n\r\n",
    "a header without a name": GET + b": x\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": GET + HOST + b"\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/1.9": b"GET /healthz HTTP/1.9\r\n" + HOST + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a method of other letters": b"G\xc9T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the address": b"GET /health z HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes in the address": b"GET /h\xe9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an address without a path": b"GET http://a.example HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT a.example:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a body after an upgrade": POST
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\na=b",
}


def test_who_sends_far_too_much_hears_so(bridge: Bridge) -> None:
    """A connection that ends while somebody still sends is reset, and the answer lost."""
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(POST + form + b"Content-Length: 4000000\r\n\r\n" + b"a" * 1_000_000)
        assert not select.select([client], [], [], 0.5)[0]  # it is still read
        client.sendall(b"a" * 3_000_000)
        assert client.makefile("rb").readline().split()[1] == b"413"


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_no_two_servers_read_alike_is_refused(bridge: Bridge, sent: bytes) -> None:
    assert status(bridge, sent) == b"400"
    assert "request.broke" not in bridge.log()


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (GET + b"X: " + b"a" * 32_000, b"200"),
        (GET + b"X: " + b"a" * 32_800, b"431"),
        (GET + b"X: " + b"a" * 40_000, b"431"),
        (GET + b"X: a\r\n" * 6_000 + b"X: a", b"431"),
        (b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: a", b"431"),
        (b"GET /" + b"a" * 31_000 + b" HTTP/1.1\r\nHost: a", b"404"),
    ],
    ids=["fits", "header", "longer", "headers", "address", "address fits"],
)
def test_a_long_head_is_refused(bridge: Bridge, head: bytes, answer: bytes) -> None:
    assert status(bridge, head + b"\r\n\r\n") == answer


def test_answers_come_in_the_order_of_the_requests(bridge: Bridge) -> None:
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    wrong = GET.replace(b"/healthz", b"/nowhere")
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(GET + b"\r\n" + wrong + b"\r\n" + GET + b"\r\n" + b"\0\r\n" + GET + b"\r\n")
        answers = client.makefile("rb").read()  # until it hangs up at what nobody can read
    statuses = [part.split(b" ")[1] for part in answers.split(b"HTTP/1.1")[1:]]
    assert statuses == [b"200", b"404", b"200"]


def test_a_thousand_slow_connections_keep_nobody_waiting(bridge: Bridge) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2_000)), hard))
    address = ("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))
    begun = (
        b"",
        b"GET /lti/lo",
        POST + b"Content-Length: 1000\r\n\r\na=",
        CHUNKED + b"2\r\na=\r\n",
    )
    slow, times = [], []
    try:
        for number in range(1_000):
            slow.append(socket.create_connection(address, timeout=30))
            slow[-1].sendall(begun[number % len(begun)])
        for _ in range(10):
            for one in slow[2::4]:
                one.sendall(b"x")
            started = time.monotonic()
            assert status(bridge, GET + b"\r\n") == b"200"
            times.append(time.monotonic() - started)
        assert HTTP.request("POST", f"{bridge.url}/lti/launch", fields={"a": "b"}).status < 500
        for one in slow[2:20:4]:  # they are all still here: nobody was sent away for them
            one.sendall(b"x" * 2_000)
            assert one.recv(12) == b"HTTP/1.1 400"
    finally:
        for one in slow:
            one.close()
    assert min(times) < 0.1  # a busy machine may take longer for one of them
    assert max(times) < 10


@pytest.mark.parametrize("value", ["José".encode(), "José".encode("latin-1"), b"\x80\xff=\xc3"])
@pytest.mark.parametrize(
    "name",
    [
        *("Accept", "Accept-Language", "Authorization", "Cookie", "If-None-Match", "Origin"),
        *("Referer", "Sec-Fetch-Dest", "Sec-Fetch-Site", "User-Agent"),
        *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    ],
)
def test_no_byte_of_a_header_breaks_a_page(bridge: Bridge, name: str, value: bytes) -> None:
    for line, answers in (
        (b"GET / HTTP/1.1", (b"200",)),
        (b"GET /lti/jwks HTTP/1.1", (b"200",)),
        (b"GET /lti/login?iss=a HTTP/1.1", (b"400", b"404")),
        (b"GET /platform/c/lineitems HTTP/1.1", (b"401",)),
    ):
        head = line + b"\r\n" + HOST + name.encode() + b": a" + value
        assert status(bridge, head + b"\r\nConnection: close\r\n\r\n") in answers, line


def test_all_its_files_are_private(bridge: Bridge) -> None:
    files = [*bridge.folder.glob("*.sqlite3*"), *(bridge.folder / "keys").iterdir()]
    assert {"bridge.sqlite3", "bridge.sqlite3-wal", "queue.sqlite3"} <= {one.name for one in files}
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}


def test_a_kept_connection_answers_at_once(bridge: Bridge) -> None:
    with socket.create_connection(("127.0.0.1", int(bridge.url.rsplit(":", 1)[1]))) as client:
        times = []
        for _ in range(20):
            started = time.monotonic()
            client.sendall(GET + b"\r\n")
            got = b""
            while not got.endswith(b"\r\n\r\nok\n"):
                got += client.recv(1_000)
            times.append(time.monotonic() - started)
    assert sorted(times)[5] < 0.03  # 0.04 are lost where an answer waits for an acknowledgement


def test_it_says_once_where_it_listens(bridge: Bridge) -> None:
    assert bridge.log().count(f"LTI Bridge is listening on {bridge.url}\n") == 1


def test_the_start_warns_of_nothing(bridge: Bridge) -> None:
    assert "[WARNING]" not in bridge.log()  # as the server itself writes it


def test_a_server_of_two_web_processes_lives_and_ends_well(bridge: Bridge, tmp_path: Path) -> None:
    """One port; who dies is replaced, and what is under way when it stops is answered."""
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "config.toml"
    config.write_text(bridge.config.read_text().replace(bridge.url, url))
    made = Bridge(url, tmp_path, config)
    serving = made.serve("--no-worker", "--workers", "2")
    address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
    first, second = children(serving.pid)
    os.kill(first, signal.SIGKILL)
    for _ in range(20):
        assert status(made, GET + b"\r\n") == b"200"
    eventually(lambda: len(children(serving.pid) - {first}), 2)
    assert second in children(serving.pid)
    with socket.create_connection(address, timeout=30) as client:
        body = b"grant_type=passwords"
        client.sendall(POST + b"Content-Type: application/x-www-form-urlencoded\r\n")
        client.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        assert status(made, GET + b"\r\n") == b"200"
        time.sleep(0.2)  # until the head has been read
        serving.terminate()
        eventually(lambda: refuses(address), True)
        client.sendall(body[5:])
        assert b"unsupported_grant_type" in client.makefile("rb").read()
    assert serving.wait(timeout=60) == 0
    open_port(*address).close()
    made.processes.clear()


def children(parent: int) -> set[int]:
    """The processes that a process started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {int(pid) for pid, above in rows if int(above) == parent}


def refuses(address: tuple[str, int]) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(address, timeout=30).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it has just stopped to
        return False
    return False
