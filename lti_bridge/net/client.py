"""The only way out over HTTP: bounded in time and size, and closed to private networks.

A host name is looked up once per connection, every address of the answer is checked, and the
socket is opened to a checked address, so a name cannot change its meaning between check and use.
Nothing is ever sent twice: there are no retries and no redirects here, and a kept connection is
only used again while it is fresh.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import urllib3

from lti_bridge.errors import AnswerLost, NetworkFailed, NetworkRefused
from lti_bridge.net.addresses import Guard, Target
from lti_bridge.net.sockets import Pools
from lti_bridge.transactions import in_database

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


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

    @property
    def pause_s(self) -> float | None:
        """The seconds that its Retry-After asks for; None without one that is a number.

        A date there would have to be read by a clock that may differ from ours.
        """
        text = self.headers.get("Retry-After", "").strip()
        return float(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


class Send(Protocol):
    """Sends one HTTP request, as `Client.send` does."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """The answer. Raises NetworkRefused, NetworkFailed, AnswerLost or ProviderBusy."""


Heard = Callable[[str, str, str, int, float], None]
"""Hears of a request that was sent: method, host, path, status (0: no answer), seconds."""


class Client:
    """Sends one request at a time per thread over pooled connections; shared by all threads.

    `allow_private` lists host names, addresses and networks (CIDR) that may be called although
    they are private, and over plain http; `loopback` does the same for this machine. `timeout_s`
    covers everything from the name lookup to the last byte of the body; `max_bytes` limits the
    body before and after decoding; `pool_size` is the number of connections kept per host, for
    `idle_s` seconds at most. `heard` hears of each, in the thread that sends. Raises
    ConfigurationError for an unreadable `allow_private`.
    """

    def __init__(
        self,
        *,
        allow_private: Sequence[str] = (),
        loopback: bool = False,
        timeout_s: float = 10.0,
        max_bytes: int = 1_048_576,
        user_agent: str,
        pool_size: int = 16,  # as much as is done with one party at a time (core.lanes)
        idle_s: float = 4.0,  # Apache and Node close idle connections after 5 seconds
        heard: Heard | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._heard = heard or (lambda method, host, path, status, seconds: None)
        self._guard = Guard(allow_private, loopback, idle_s)
        self._pools = Pools(self._guard, pool_size)

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
        target = Target.parse(method, url)
        if in_database():
            raise NetworkRefused(f"{target}: nothing is sent with the database in hand")
        sendable = self._sendable(target, headers or {})
        call = self._guard.call
        call.start(self._timeout_s if timeout_s is None else timeout_s)
        begun, status = time.monotonic(), 0
        try:
            answer = self._pools.urlopen_once(target, sendable, body or None)
            content = _read(answer, self._max_bytes if max_bytes is None else max_bytes, target)
            status = answer.status
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as err:
            reason = f"{target}: {_reason(err)}"
            # Not "from err": the library's texts quote URLs with queries and parts of answers.
            if call.written:
                raise AnswerLost(reason, silent=True) from None
            raise NetworkFailed(reason) from None
        finally:
            self._heard(method, target.host, target.path, status, time.monotonic() - begun)
        return Response(answer.status, answer.headers, content)

    def may_call(self, host: str) -> bool:
        """Whether a host is no private address, or one that is allowed; names count as public."""
        return self._guard.allows(host)

    def certificates(self) -> dict[str, float]:
        """When the certificates end that hosts have shown, in seconds since 1970, by host."""
        return dict(self._guard.certificates)

    def close(self) -> None:
        """Close every kept connection."""
        self._pools.clear()

    def _sendable(self, target: Target, headers: Mapping[str, str]) -> urllib3.HTTPHeaderDict:
        merged = urllib3.HTTPHeaderDict(self._headers)
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise NetworkRefused(f"{target}: a header with characters that cannot be sent")
            merged[name] = value
        return merged


def _read(answer: urllib3.BaseHTTPResponse, max_bytes: int, target: Target) -> bytes:
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
