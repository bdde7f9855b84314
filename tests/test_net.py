"""The way out: what is refused, what counts as sent, and how long anything may take."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lti_bridge.errors import AnswerLost, ConfigurationError, NetworkFailed, NetworkRefused
from lti_bridge.net import Client, Response, addresses
from lti_bridge.net import client as net

PUBLIC = "93.184.215.14"
AT_LAST_S = 20  # even on a busy machine; without a limit these calls would take 50 s and more


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append((self.command, self.path, dict(self.headers), self.client_address))
        self.server.bodies.append(self.rfile.read(length))
        getattr(self, "at_" + self.path.strip("/").split("?")[0], self.at_plain)()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def at_plain(self) -> None:
        self._send(b"hello", X_Kind="plain", Set_Cookie="a=b")

    def at_redirect(self) -> None:
        self._send(b"", 307, Location="/plain")

    def at_gzip(self) -> None:
        self._send(gzip.compress(b"x" * 500), Content_Encoding="gzip")

    def at_bomb(self) -> None:
        self._send(gzip.compress(b"0" * 5_000_000), Content_Encoding="gzip")

    def at_cutgzip(self) -> None:
        self._send(gzip.compress(b"x" * 500)[:-9], Content_Encoding="gzip")

    def at_brotli(self) -> None:
        self._send(gzip.compress(b"x" * 500), Content_Encoding="br")

    def at_big(self) -> None:
        self._send(b"y" * 3000)

    def at_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def at_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n" * 1000 + b"0\r\n\r\n")

    def at_hangup(self) -> None:
        self.close_connection = True

    def at_sayandleave(self) -> None:
        self._send(b"bye")  # without "Connection: close": the client keeps the connection
        self.close_connection = True

    def at_drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self._drip(b"z" * 1000)

    def at_dripheaders(self) -> None:
        self._drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"z" * 1000)

    def _drip(self, data: bytes) -> None:
        for byte in data:
            if self.server.stopping.wait(0.05):
                return
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return

    def at_silent(self) -> None:
        self.server.stopping.wait(60)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        super().__init__((host, 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], tuple[str, int]]] = []
        self.bodies: list[bytes] = []
        self.stopping = threading.Event()
        self.hung_up = threading.Event()
        if tls:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        pass

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.hung_up.set()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(loopback=True, timeout_s=30, user_agent="bridge-test")
    yield client
    client.close()


@pytest.fixture
def strict() -> Iterator[Client]:
    client = Client(timeout_s=30, user_agent="bridge-test")
    yield client
    client.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[list[str]]], list[str]]:
    """Make a name answer with these addresses, one list per lookup; returns the lookups made."""
    asked: list[str] = []

    def answer(name: str, answers: list[list[str]]) -> list[str]:
        genuine = socket.getaddrinfo

        def fake(host: str, port: int, *args: object, **kw: object) -> list[object]:
            if host != name:
                return genuine(host, port, *args, **kw)  # type: ignore[arg-type]
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [entry for text in found for entry in genuine(text, port, *args, **kw)]  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", fake)
        return asked

    return answer


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server context with a self-made certificate for `name`, and the certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.crt", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem


# -- what is sent and what comes back -------------------------------------------------------------


def test_sends_method_headers_and_body_and_returns_the_whole_answer(
    server: Server, client: Client
) -> None:
    answer = client.send(
        "POST", server.url("/plain?a=1&b=%2F#part"), headers={"X-One": "1"}, body=b"data"
    )
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-kind"] == answer.headers["X-KIND"] == "plain"
    method, path, headers, _ = server.seen[0]
    assert (method, path, server.bodies[0]) == ("POST", "/plain?a=1&b=%2F", b"data")
    assert headers["X-One"] == "1"
    assert headers["User-Agent"] == "bridge-test"
    assert headers["Content-Length"] == "4"


def test_a_caller_may_replace_a_standard_header_but_not_double_it(
    server: Server, client: Client
) -> None:
    client.send("GET", server.url("/plain"), headers={"user-agent": "other"})
    assert [v for k, v in server.seen[0][2].items() if k.lower() == "user-agent"] == ["other"]


def test_headers_of_a_response_made_from_a_dict_ignore_case() -> None:
    assert Response(200, {"Content-Type": "a/b"}, b"").headers["content-type"] == "a/b"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_other_methods(server: Server, client: Client, method: str) -> None:
    answer = client.send(method, server.url("/plain"))
    assert answer.body == (b"" if method == "HEAD" else b"hello")
    assert server.seen[0][0] == method


@pytest.mark.spec("SECP-34")
def test_a_redirect_is_an_answer_and_not_followed(server: Server, client: Client) -> None:
    answer = client.send(
        "POST", server.url("/redirect"), headers={"Authorization": "Bearer abc"}, body=b"x"
    )
    assert (answer.status, answer.headers["Location"]) == (307, "/plain")
    assert [path for _, path, _, _ in server.seen] == ["/redirect"]


@pytest.mark.spec("SECP-34")
def test_cookies_are_not_kept(server: Server, client: Client) -> None:
    assert client.send("GET", server.url("/plain")).headers["Set-Cookie"] == "a=b"
    client.send("GET", server.url("/plain"))
    assert "Cookie" not in server.seen[1][2]


def test_proxies_of_the_environment_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = Client(loopback=True, user_agent="t")
    assert client.send("GET", server.url("/plain")).status == 200
    client.close()


def test_gzip_is_asked_for_and_decoded(server: Server, client: Client) -> None:
    assert client.send("GET", server.url("/gzip")).body == b"x" * 500
    assert server.seen[0][2]["Accept-Encoding"] == "gzip"


def test_a_chunked_body_is_read_whole(server: Server, client: Client) -> None:
    assert client.send("GET", server.url("/chunked")).body == b"abc" * 1000


def test_connections_are_kept_and_shared_by_threads(server: Server, client: Client) -> None:
    for _ in range(3):
        client.send("POST", server.url("/plain"), body=b"x")
    thread = threading.Thread(target=client.send, args=("GET", server.url("/gzip")))
    thread.start()
    thread.join()
    assert len({address for *_, address in server.seen}) == 1


def test_calls_of_many_threads_at_once_keep_their_own_deadlines(server: Server) -> None:
    client = Client(loopback=True, user_agent="t", pool_size=2)
    answers: list[int] = []

    def call() -> None:
        with pytest.raises(AnswerLost):
            client.send("POST", server.url("/silent"), body=b"x", timeout_s=0.3)
        answers.append(client.send("GET", server.url("/plain"), timeout_s=30).status)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    assert answers == [200] * 6


# -- limits of size and time ----------------------------------------------------------------------


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize("path", ["/big", "/bomb", "/chunked"])
def test_a_body_above_the_limit_is_refused(server: Server, client: Client, path: str) -> None:
    with pytest.raises(AnswerLost, match="more than 2000 bytes"):
        client.send("GET", server.url(path), max_bytes=2000)


@pytest.mark.parametrize(("path", "size"), [("/plain", 5), ("/gzip", 500)])
def test_the_limit_itself_is_allowed(server: Server, client: Client, path: str, size: int) -> None:
    assert len(client.send("GET", server.url(path), max_bytes=size).body) == size
    with pytest.raises(AnswerLost):
        client.send("GET", server.url(path), max_bytes=size - 1)


def test_what_unpacks_to_more_than_the_limit_is_not_unpacked() -> None:
    packed = gzip.compress(bytes(50_000_000))
    answer = urllib3.HTTPResponse(
        io.BytesIO(packed), headers={"Content-Encoding": "gzip"}, preload_content=False
    )
    target = addresses.Target.parse("GET", "https://lms.example.edu/")
    tracemalloc.start()
    try:
        with pytest.raises(AnswerLost):
            net._read(answer, 1_000_000, target)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["/short", "/cutgzip", "/brotli"])
def test_an_incomplete_or_unreadable_answer_is_a_lost_answer(
    server: Server, client: Client, path: str
) -> None:
    with pytest.raises(AnswerLost):
        client.send("POST", server.url(path), body=b"x")


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize("path", ["/silent", "/drip", "/dripheaders"])
def test_the_time_limit_covers_the_whole_answer(server: Server, client: Client, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(AnswerLost, match="in time"):
        client.send("POST", server.url(path), body=b"x", timeout_s=0.4)
    assert time.monotonic() - started < AT_LAST_S


def test_the_time_limit_covers_sending_to_a_server_that_does_not_read(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        with pytest.raises(AnswerLost):
            client.send(
                "POST",
                f"http://127.0.0.1:{deaf.getsockname()[1]}/x",
                body=b"x" * 50_000_000,
                timeout_s=0.4,
            )
        assert time.monotonic() - started < AT_LAST_S


def test_the_time_limit_covers_the_name_lookup(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))
    with pytest.raises(NetworkFailed, match="in time") as caught:
        client.send("GET", "https://lms.example.edu/", timeout_s=0.3)
    assert not over.is_set()
    over.set()
    assert type(caught.value) is NetworkFailed


def test_the_time_limit_covers_the_tls_handshake(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        with pytest.raises(NetworkFailed, match="in time") as caught:
            client.send("POST", f"https://127.0.0.1:{mute.getsockname()[1]}/", timeout_s=0.4)
        assert type(caught.value) is NetworkFailed
        assert time.monotonic() - started < AT_LAST_S


# -- sent or not sent -----------------------------------------------------------------------------


def test_a_closed_port_is_not_sent_whatever_was_sent_before(server: Server, client: Client) -> None:
    client.send("POST", server.url("/plain"), body=b"x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NetworkFailed, match="refused") as caught:
        client.send("POST", f"http://127.0.0.1:{port}/paid", body=b"x")
    assert type(caught.value) is NetworkFailed


def test_an_unknown_name_is_not_sent(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NetworkFailed, match="Name or service not known") as caught:
        client.send("POST", "https://lms.example.edu/", body=b"x")
    assert type(caught.value) is NetworkFailed


def test_a_hang_up_after_the_request_is_a_lost_answer_and_not_repeated(
    server: Server, client: Client
) -> None:
    for kept in (False, True):  # on a new connection, then on one that was used before
        if kept:
            client.send("GET", server.url("/plain"))
        before = len(server.seen)
        with pytest.raises(AnswerLost):
            client.send("POST", server.url("/hangup"), body=b"paid")
        time.sleep(0.1)
        assert len(server.seen) - before == 1


def test_a_kept_connection_found_dead_is_replaced_before_anything_is_written(
    server: Server, client: Client
) -> None:
    client.send("GET", server.url("/sayandleave"))
    assert server.hung_up.wait(60)
    assert client.send("POST", server.url("/plain"), body=b"paid").status == 200
    assert [path for _, path, _, _ in server.seen] == ["/sayandleave", "/plain"]


def test_an_old_connection_is_not_trusted(server: Server) -> None:
    client = Client(loopback=True, user_agent="t", idle_s=0.1)
    client.send("GET", server.url("/plain"))
    time.sleep(0.2)
    client.send("POST", server.url("/plain"), body=b"paid")
    client.close()
    assert len({address for *_, address in server.seen}) == 2


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def tls_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Server, Path]]:
    context, pem = certificate(tmp_path, request.param)
    server = Server(tls=context)
    yield server, pem
    server.stop()


@pytest.mark.parametrize("tls_server", ["localhost"], indirect=True)
def test_a_certificate_nobody_trusts_is_refused(
    tls_server: tuple[Server, Path], client: Client
) -> None:
    with pytest.raises(NetworkFailed, match="certificate refused") as caught:
        client.send("POST", tls_server[0].url("/plain", "https", "localhost"), body=b"secret")
    assert type(caught.value) is NetworkFailed
    assert tls_server[0].seen == []


@pytest.mark.parametrize("tls_server", ["other.example.edu"], indirect=True)
def test_a_trusted_certificate_of_another_host_is_refused(
    tls_server: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_server[1]))
    client = Client(loopback=True, user_agent="t")
    with pytest.raises(NetworkFailed, match="certificate refused") as caught:
        client.send("POST", tls_server[0].url("/plain", "https", "localhost"), body=b"secret")
    client.close()
    assert type(caught.value) is NetworkFailed
    assert tls_server[0].seen == []


@pytest.mark.parametrize("tls_server", ["localhost"], indirect=True)
def test_over_tls_the_same_rules_hold(
    tls_server: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, pem = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    client = Client(loopback=True, user_agent="t")
    for _ in range(2):
        answer = client.send(
            "POST", server.url("/plain", "https", "localhost"), body=b"x" * 100_000
        )
        assert answer.body == b"hello"
    assert server.bodies == [b"x" * 100_000] * 2
    assert len({address for *_, address in server.seen}) == 1
    started = time.monotonic()
    for path in ("/drip", "/dripheaders", "/hangup"):
        with pytest.raises(AnswerLost):
            client.send("POST", server.url(path, "https", "localhost"), body=b"x", timeout_s=0.4)
    client.close()
    assert time.monotonic() - started < AT_LAST_S


# -- which addresses may be called ----------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fd00::1",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fec0::1",
    "5f00::1",
]


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize("address", PRIVATE)
def test_private_and_special_addresses_are_refused(strict: Client, address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(NetworkRefused, match="private"):
        strict.send("GET", f"https://{literal}/latest/meta-data")


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize("address", PRIVATE)
def test_names_of_private_addresses_are_refused(
    strict: Client, names: Callable[..., list[str]], address: str
) -> None:
    names("lms.example.edu", [[address]])
    with pytest.raises(NetworkRefused, match="private"):
        strict.send("GET", "https://lms.example.edu/")


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", "127.0.0.1."])
def test_this_machine_by_name_is_refused(strict: Client, server: Server, host: str) -> None:
    with pytest.raises(NetworkRefused):
        strict.send("GET", server.url("/plain", "https", host))
    assert server.seen == []


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.0.01",
        "0",
        "1.2.3.4.5",
        "example.edu.0x",
        "[::1%25lo]",
        "[fe80::1%25eth0]",
    ],
)
def test_other_spellings_of_addresses_are_refused_even_where_loopback_is_allowed(
    client: Client, server: Server, host: str
) -> None:
    with pytest.raises(NetworkRefused):
        client.send("GET", server.url("/plain", host=host))
    assert server.seen == []


@pytest.mark.spec("SECP-34")
def test_one_private_address_among_public_ones_refuses_the_name(
    strict: Client, names: Callable[..., list[str]]
) -> None:
    names("lms.example.edu", [[PUBLIC, "10.0.0.1"]])
    with pytest.raises(NetworkRefused, match="private"):
        strict.send("GET", "https://lms.example.edu/")


@pytest.mark.spec("SECP-34")
def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_called(
    server: Server, names: Callable[..., list[str]]
) -> None:
    asked = names("lms.example.edu", [["127.0.0.1"], ["127.0.0.2"]])
    client = Client(allow_private=["127.0.0.1"], user_agent="t")
    assert client.send("GET", server.url("/plain", host="lms.example.edu")).status == 200
    client.close()
    assert asked == ["lms.example.edu"]
    assert server.seen[0][2]["Host"].startswith("lms.example.edu:")


@pytest.mark.spec("SECP-34")
def test_a_name_that_changes_to_another_address_is_checked_again(
    names: Callable[..., list[str]],
) -> None:
    server = Server("0.0.0.0")
    names("lms.example.edu", [["127.0.0.1"], ["127.0.0.2"]])
    client = Client(allow_private=["127.0.0.1/32"], user_agent="t", idle_s=0.0)
    assert client.send("GET", server.url("/plain", host="lms.example.edu")).status == 200
    with pytest.raises(NetworkRefused):
        client.send("GET", server.url("/plain", host="lms.example.edu"))
    client.close()
    server.stop()
    assert len(server.seen) == 1


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "localhost", "LocalHost."])
def test_listed_names_addresses_and_networks_may_be_called_over_http(
    server: Server, entry: str
) -> None:
    client = Client(allow_private=[entry], user_agent="t")
    host = "localhost" if "o" in entry else "127.0.0.1"
    assert client.send("GET", server.url("/plain", host=host)).status == 200
    client.close()


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "lms.example.edu", "::1"])
def test_a_list_allows_nothing_else(server: Server, entry: str) -> None:
    client = Client(allow_private=[entry], user_agent="t")
    with pytest.raises(NetworkRefused):
        client.send("GET", server.url("/plain"))
    client.close()


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "fd00::1"])
def test_loopback_allows_only_loopback(client: Client, address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(NetworkRefused):
        client.send("GET", f"http://{literal}:9999/")
    with pytest.raises(NetworkRefused):
        client.send("GET", f"https://{literal}:9999/")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "http://x", "a b", "0x7f.1", "", "*.example.edu"])
def test_an_unreadable_list_is_a_configuration_error(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_private"):
        Client(allow_private=[entry], user_agent="t")


@pytest.mark.spec("SECP-34")
def test_plain_http_to_a_public_address_is_refused(
    strict: Client, names: Callable[..., list[str]]
) -> None:
    names("lms.example.edu", [[PUBLIC]])
    with pytest.raises(NetworkRefused, match="only https"):
        strict.send("GET", "http://lms.example.edu/")


def test_public_addresses_pass_and_are_tried_in_order(
    strict: Client, names: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [PUBLIC, "2606:2800:21f::1", "64:ff9b::5db8:d70e"]
    names("lms.example.edu", [addresses])
    called: list[str] = []

    def refuse(_: socket.socket, sockaddr: tuple[str, int]) -> None:
        called.append(sockaddr[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(NetworkFailed) as caught:
        strict.send("POST", "https://lms.example.edu/", body=b"x")
    assert type(caught.value) is NetworkFailed
    assert called == addresses


@pytest.mark.spec("SECP-34")
@pytest.mark.parametrize(
    "url",
    [
        "ftp://lms.example.edu/",
        "file:///etc/passwd",
        "//lms.example.edu/",
        "lms.example.edu",
        "",
        "https://",
        "https:///path",
        "https://user:hunter2@lms.example.edu/",
        "https://hunter2@lms.example.edu/",
        "https://lms.example.edu@127.0.0.1/",
        "https://lms.example.edu\\@127.0.0.1/hunter2",
        "https://lms.example.edu/a\r\nX-Injected: hunter2",
        "https://lms.example.edu/a\tb",
        "https://lms.example.edu/a b",
        "https://lms.example.edu\x00/",
        "https://lms.example.edu:hunter2/",
        "https://lms.example.edu:99999/",
        "https://lms.example.edu:0/",
        "https://lms.example.edu:22/",
        "https://lms.example.edu:25/",
        "https://l\u24dc\u24e2.example.edu/",
        "https://[::1/",
        "https://-x.example.edu/",
        "https://" + "a" * 64 + ".example.edu/",
    ],
)
def test_urls_that_are_refused(strict: Client, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    looked_up: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_: looked_up.append(a) or [])
    with pytest.raises(NetworkRefused) as caught:
        strict.send("GET", url)
    assert "hunter2" not in str(caught.value)
    assert looked_up == []


@pytest.mark.parametrize(
    "headers", [{"A": "b\r\nC: hunter2"}, {"A\r\nB": "hunter2"}, {"A:": "hunter2"}, {"A": "\u2028"}]
)
def test_headers_that_would_split_the_request_are_refused(
    server: Server, client: Client, headers: dict[str, str]
) -> None:
    with pytest.raises(NetworkRefused) as caught:
        client.send("GET", server.url("/plain"), headers=headers)
    assert "hunter2" not in str(caught.value)
    assert server.seen == []


def test_only_known_methods_are_sent(server: Server, client: Client) -> None:
    with pytest.raises(NetworkRefused):
        client.send("GET / HTTP/1.1\r\nX: y", server.url("/plain"))
    assert server.seen == []


def test_failures_name_host_and_path_but_no_query_and_no_cause(
    server: Server, client: Client
) -> None:
    with pytest.raises(AnswerLost) as caught:
        client.send(
            "POST",
            server.url("/hangup?token=hunter2"),
            headers={"Authorization": "Bearer hunter2"},
            body=b"hunter2",
        )
    assert str(caught.value).startswith(f"POST 127.0.0.1:{server.server_port}/hangup: ")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
