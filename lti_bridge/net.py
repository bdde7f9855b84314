"""The only way out over HTTP: bounded in time and size, and closed to private networks.

A host name is looked up once per connection, every address of the answer is checked, and the
socket is opened to a checked address, so a name cannot change its meaning between check and use.
Nothing is ever sent twice: there are no retries and no redirects here, and a kept connection is
only used again while it is fresh.
"""

from __future__ import annotations

import http.client
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from lti_bridge.errors import AnswerLost, ConfigurationError, NetworkFailed, NetworkRefused
from lti_bridge.transactions import in_database

# IANA special-purpose registries. Spelt out because ipaddress.is_global changes between patch
# releases of Python. 2001::/23 holds Teredo and 2002::/16 is 6to4: both carry an IPv4 address to
# who knows where. Of IPv6 only 2000::/3 is in use for the public.
_SPECIAL = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4
    ::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 2002::/16 3fff::/20
"""
_NOT_PUBLIC = tuple(map(ip_network, _SPECIAL.split()))
_NAT64 = ip_network("64:ff9b::/96")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_CHUNK = 16_384
_TOO_MANY = re.compile(rb"rate.?limit\w* (?:was |is )?(?:exceeded|reached)|too many requests", re.I)


@dataclass(frozen=True)
class Response:
    """A complete answer. `headers` ignores case; `body` is decoded from gzip."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", urllib3.HTTPHeaderDict(self.headers))

    @property
    def too_many(self) -> bool:
        """Whether it says that too many requests came, which never is for good (RFC 6585 §4).

        Some write 403 (Canvas: request_throttle.rb, `403 Forbidden (Rate Limit Exceeded)`), and
        whoever names a time for the next try has not refused (RFC 9110 §10.2.3).
        """
        if self.status == 429:
            return True
        if not 400 <= self.status < 500:
            return False
        return "Retry-After" in self.headers or (
            self.status == 403 and bool(_TOO_MANY.search(self.body[:2000]))
        )


class Client:
    """Sends one request at a time per thread over pooled connections; shared by all threads.

    `allow_private` lists host names, addresses and networks (CIDR) that may be called although
    they are private, and over plain http; `loopback` does the same for this machine. `timeout_s`
    covers everything from the name lookup to the last byte of the body; `max_bytes` limits the
    body before and after decoding; `pool_size` is the number of connections kept per host, for
    `idle_s` seconds at most. Raises ConfigurationError for an unreadable `allow_private`.
    """

    def __init__(
        self,
        *,
        allow_private: Sequence[str] = (),
        loopback: bool = False,
        timeout_s: float = 10.0,
        max_bytes: int = 1_048_576,
        user_agent: str,
        pool_size: int = 8,
        idle_s: float = 4.0,  # Apache and Node close idle connections after 5 seconds
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._guard = _Guard(allow_private, loopback, idle_s)
        self._pools = _Pools(self._guard, pool_size)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Response:
        """Send one request, once, and return the whole answer, whatever its status.

        Raises NetworkRefused (never sent: not an address we call, or this thread is in a
        transaction), NetworkFailed (nothing was
        sent: no connection, no valid certificate, no such name) or AnswerLost (sent at least in
        part, no complete answer: it may have been carried out).
        """
        target = _Target.parse(method, url)
        if in_database():
            raise NetworkRefused(f"{target}: nothing is sent with the database in hand")
        sendable = self._sendable(target, headers or {})
        call = self._guard.call
        call.start(self._timeout_s if timeout_s is None else timeout_s)
        try:
            answer = self._pools.urlopen_once(target, sendable, body or None)
            content = _read(answer, self._max_bytes if max_bytes is None else max_bytes, target)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as err:
            failure = AnswerLost if call.written else NetworkFailed
            # Not "from err": the library's texts quote URLs with queries and parts of answers.
            raise failure(f"{target}: {_reason(err)}") from None
        return Response(answer.status, answer.headers, content)

    def close(self) -> None:
        """Close every kept connection."""
        self._pools.clear()

    def _sendable(self, target: _Target, headers: Mapping[str, str]) -> urllib3.HTTPHeaderDict:
        merged = urllib3.HTTPHeaderDict(self._headers)
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise NetworkRefused(f"{target}: a header with characters that cannot be sent")
            merged[name] = value
        return merged


@dataclass(frozen=True)
class _Target:
    """A checked URL; as text it names method, host and path only, never the query."""

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str

    @classmethod
    def parse(cls, method: str, url: str) -> _Target:
        if method not in _METHODS:
            raise NetworkRefused("a method that is not sent")
        if _UNSAFE_IN_URL.search(url):
            raise NetworkRefused("a URL with spaces, control characters or backslashes")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise NetworkRefused("a URL that cannot be read") from None
        if parts.scheme not in ("https", "http"):
            raise NetworkRefused("a URL that is neither https nor http")
        if "@" in parts.netloc:
            raise NetworkRefused("a URL with a user name or password")
        _check_host(host)
        if port is None:
            port = 443 if parts.scheme == "https" else 80
        # Ports below 1024 other than the web's own belong to mail, shells and directories.
        if port < 1024 and port not in (80, 443):
            raise NetworkRefused(f"{host}: port {port} is not a web server's")
        return cls(method, parts.scheme, host, port, parts.path or "/", parts.query)

    def __str__(self) -> str:
        port = "" if self.port in (80, 443) else f":{self.port}"
        return f"{self.method} {self.host}{port}{self.path}"[:200]


def _check_host(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        # 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to the C library, or to none.
        if _NUMERIC_END.fullmatch(host) or not _NAME.fullmatch(host):
            raise NetworkRefused("a URL whose host is no host name or plain address") from None
    else:
        if "%" in host:
            raise NetworkRefused("a URL whose address names a network interface")


class _Call(threading.local):
    """The request that this thread is sending: until when, and whether any of it was written."""

    deadline = 0.0
    written = False

    def start(self, timeout_s: float) -> None:
        self.deadline = time.monotonic() + timeout_s
        self.written = False

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Guard:
    """What every connection of one client obeys: which addresses, how long, how old."""

    def __init__(self, allow_private: Sequence[str], loopback: bool, idle_s: float) -> None:
        self.call = _Call()
        self.idle_s = idle_s
        self._loopback = loopback
        self._names: set[str] = set()
        self._networks = []
        for entry in allow_private:
            try:
                self._networks.append(ip_network(entry))
            except ValueError as error:
                name = entry.lower().rstrip(".")
                if _NUMERIC_END.fullmatch(name) or not _NAME.fullmatch(name):
                    raise ConfigurationError(
                        "bridge.allow_private: no host name, address or network like"
                        f" 10.0.0.0/8: {error}"
                    ) from None
                self._names.add(name)

    def check(self, host: str, text: str, secure: bool) -> None:
        """Raise NetworkRefused unless this address of the host may be called, TLS or not."""
        address: IPv4Address | IPv6Address = ip_address(text)
        if address in _NAT64:  # the way to any IPv4 server in a network without IPv4
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
        if host in self._names or (self._loopback and address.is_loopback):
            return
        if any(address in network for network in self._networks):
            return
        if not secure:
            raise NetworkRefused(f"{host}: only https is used outside allow_private")
        if any(address in network for network in _NOT_PUBLIC):
            raise NetworkRefused(f"{host}: its address is private and not in allow_private")


class _Timed(socket.socket):
    """A socket whose every wait ends at the deadline of the call, however slowly bytes drip."""

    call: _Call
    used_at = 0.0

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.call.left())
        self.used_at = time.monotonic()
        return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        self.settimeout(self.call.left())
        self.call.written = True
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.call.left())
        self.call.written = True
        super().sendall(*args)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same over TLS."""


class _Connection(HTTPConnection):
    secure = False

    def __init__(self, *args: Any, guard: _Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        call = self._guard.call
        found = _look_up(self.host, self.port, call.left())
        for *_, sockaddr in found:
            self._guard.check(self.host, str(sockaddr[0]), self.secure)
        failed = OSError("no address")
        for tried, (family, kind, proto, _, sockaddr) in enumerate(found):
            sock = _Timed(family, kind, proto)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(call.left() / (len(found) - tried))
                sock.connect(sockaddr)
                sock.settimeout(call.left())  # for the TLS handshake
            except OSError as err:
                sock.close()
                failed = err
            else:
                return sock
        raise failed

    def connect(self) -> None:
        super().connect()
        cast(_Timed, self.sock).call = self._guard.call

    @property
    def is_connected(self) -> bool:
        # Asked by the pool before reuse. An old connection may be closed by the server in the
        # moment we write, and then nobody knows whether a paid call was carried out.
        fresh = time.monotonic() - getattr(self.sock, "used_at", 0.0) < self._guard.idle_s
        return fresh and super().is_connected


class _TlsConnection(_Connection, HTTPSConnection):
    secure = True


class _Pools(urllib3.PoolManager):
    def __init__(self, guard: _Guard, pool_size: int) -> None:
        super().__init__(num_pools=50, maxsize=pool_size)
        self._guard = guard

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Not before it is needed: to read what a machine trusts takes 20 ms of every start.
        context = ssl.create_default_context()
        context.sslsocket_class = _TimedTls
        return context

    def _new_pool(self, scheme: str, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        pool = super()._new_pool(scheme, *args, **kwargs)
        tls = {"ssl_context": self._tls} if scheme == "https" else {}
        connection = _TlsConnection if scheme == "https" else _Connection
        pool.ConnectionCls = partial(connection, guard=self._guard, **tls)  # type: ignore[assignment]  # only called
        return pool

    def urlopen_once(
        self, target: _Target, headers: Mapping[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        """Send the request without retries and redirects; the body is still to be read."""
        return self.connection_from_host(target.host, target.port, target.scheme).urlopen(
            target.method,
            f"{target.path}?{target.query}" if target.query else target.path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )


def _look_up(host: str, port: int, wait_s: float) -> list[Any]:
    """getaddrinfo in a thread of its own, for it cannot be given a time limit."""
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as err:
            answers.put(err)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=wait_s)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _read(answer: urllib3.BaseHTTPResponse, max_bytes: int, target: _Target) -> bytes:
    """The whole body, decoded; raises AnswerLost when it is too large or unreadable."""
    body = bytearray()
    try:
        for chunk in answer.stream(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > max_bytes:
                raise AnswerLost(f"{target}: the answer has more than {max_bytes} bytes")
        answer.release_conn()
    finally:
        answer.close()  # closes the connection too, unless it went back whole
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding == "identity" or not body:
        return bytes(body)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        if coding not in ("gzip", "x-gzip"):
            raise zlib.error
        plain = unpacker.decompress(bytes(body), max_bytes + 1)
    except zlib.error:
        raise AnswerLost(f"{target}: the answer cannot be decoded") from None
    if len(plain) > max_bytes or not unpacker.eof:
        raise AnswerLost(f"{target}: the answer is incomplete or has more than {max_bytes} bytes")
    return plain


def _reason(err: BaseException) -> str:
    """Why it failed, without quoting what was sent or received."""
    inner = next((arg for arg in err.args if isinstance(arg, Exception)), err)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate refused ({inner.verify_message})"
    if isinstance(inner, TimeoutError | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return getattr(inner, "strerror", None) or type(inner).__name__
