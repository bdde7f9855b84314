"""Connections whose every wait ends with the deadline of their call, and their pools."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from lti_bridge.net.addresses import Guard, Target, look_up
from lti_bridge.net.deadline import Call


class _Timed(socket.socket):
    """A socket whose every wait ends at the deadline of the call, however slowly bytes drip."""

    call: Call
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

    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        call = self._guard.call
        found = look_up(self.host, self.port, call.left())
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

    def connect(self) -> None:
        super().connect()
        told = cast(ssl.SSLSocket, self.sock).getpeercert() or {}
        if ends := told.get("notAfter"):
            self._guard.certificates[self.host] = ssl.cert_time_to_seconds(str(ends))


class Pools(urllib3.PoolManager):
    """The kept connections of one client, each host with a pool of its own."""

    def __init__(self, guard: Guard, pool_size: int) -> None:
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
        self, target: Target, headers: Mapping[str, str], body: bytes | None
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
