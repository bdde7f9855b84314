"""What stands before the Flask app: takes requests whole, bounded in size and time, from anybody.

A connection costs a little memory and no thread until its request has come (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

THREADS = 4  # requests that a process works on at a time
# Whoever watches asks when all others hang, and has threads of its own.
HEALTH = ("/healthz", "/readyz")
HEALTH_THREADS = 2
HEAD_BYTES = 32_768  # of an address with its headers, as much as nginx takes
REQUEST_S = 30.0  # from the first byte of a request, or of a connection, to the request's last one;
# and for an answer to be read
BODY_BYTES = 65_536  # of a body, where nothing else is said
DRAINED_BYTES = 4 * 2**20  # of a body that is too long, so that its sender hears so
REQUEST_BYTES = 2 * DRAINED_BYTES  # of one request with all that frames its chunks
HELD_BYTES = 64 * 2**20  # of all bodies that are here and not answered yet
LENGTH, JOINED_BY = "CONTENT_LENGTH", {"HTTP_COOKIE": "; "}

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
WsgiApp = Callable[..., Iterable[bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Front:
    """An ASGI app that reads a request whole and has a WSGI app answer it, THREADS at a time."""

    def __init__(self, app: WsgiApp, bodies: Mapping[str, int], held: int = HELD_BYTES) -> None:
        """`bodies` are the bytes of a body, by how its address begins, where more than usual."""
        self._app = app
        self._bodies = bodies
        self._most_held = held
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._health = ThreadPoolExecutor(HEALTH_THREADS, thread_name_prefix="health")
        self._held = 0
        self._coming: dict[int, bytearray] = {}  # bodies that are not whole, by `id`, oldest first

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; one that does not come whole is not answered."""
        most = self._most(scope["path"])
        body = bytearray()
        self._coming[id(body)] = body
        try:
            if not await self._read(scope, receive, body, most):
                return
            if self._coming.pop(id(body), None) is None:
                answer = _plainly(HTTPStatus.SERVICE_UNAVAILABLE)
            else:
                loop = asyncio.get_running_loop()
                environ = environ_of(scope, bytes(body))
                threads = self._health if scope["path"] in HEALTH else self._threads
                answer = await loop.run_in_executor(threads, _run, self._app, environ)
        finally:
            self._coming.pop(id(body), None)
            self._held -= len(body)
        status, headers, content = answer
        if len(body) > most or _announced(scope["headers"]) > DRAINED_BYTES:
            headers.append((b"connection", b"close"))  # the rest of its body is not wanted
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _most(self, path: str) -> int:
        """The bytes of a body that the app reads at an address."""
        found = (most for begin, most in self._bodies.items() if path.startswith(begin))
        return next(found, BODY_BYTES)

    async def _read(
        self, scope: dict[str, Any], receive: Receive, body: bytearray, most: int
    ) -> bool:
        """Read into `body`; false when the sender has gone.

        Of what is longer than its address takes only the beginning is kept: the app sees that it is
        too long. It is read all the same, unless there is no end to it: who is still sending when
        the connection ends gets no answer.
        """
        unread = DRAINED_BYTES
        if _announced(scope["headers"]) > unread:
            return True
        while unread > 0 and id(body) in self._coming:
            message = await receive()
            if message["type"] != "http.request":
                return False
            unread -= len(message["body"])
            self._keep(body, message["body"][: most + 1 - len(body)])
            if not message["more_body"]:
                break
        return True

    def _keep(self, body: bytearray, part: bytes) -> None:
        """Add a part to a body, and let the longest go that are not whole while there is no room.

        Those who hold most pay, not the next who comes: else a few slow ones shut everybody out.
        """
        if id(body) not in self._coming:
            return  # it was let go
        body += part
        self._held += len(part)
        while self._held > self._most_held:
            longest = max(self._coming.values(), key=len)
            del self._coming[id(longest)]
            self._held -= len(longest)
            longest.clear()


def environ_of(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The WSGI environment of an ASGI request; every byte of a header is kept, as PEP 3333 says.

    Headers with an underscore are left out: in an environment nobody could tell them from those
    with a hyphen, which a proxy may have checked or removed.
    """
    address, port = scope["server"] or ("", None)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": (scope["client"] or ("",))[0],
        "SERVER_NAME": address,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").upper().replace("-", "_")
        if b"_" in raw or name == "TRANSFER_ENCODING":  # the body is here in one piece
            continue
        key = name if name in ("CONTENT_TYPE", LENGTH) else f"HTTP_{name}"
        text = value.decode("latin-1")
        known = environ.get(key)
        environ[key] = text if known is None else f"{known}{JOINED_BY.get(key, ',')}{text}"
    if body:
        environ[LENGTH] = str(len(body))
    return environ


class Connection(HttpToolsProtocol):
    """One connection: uvicorn's, with the limits that uvicorn leaves to others."""

    patience_s = REQUEST_S

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._in_head = self._in_request = False
        self._whole = 0  # bytes of the request that is on its way, without the first that came
        self._framing = 0  # of them, those since the last byte of a body
        self._status = HTTPStatus.BAD_REQUEST  # of a request that cannot be read
        self._deadline: asyncio.TimerHandle | None = None  # of a request, or of a word of one
        self._unread: asyncio.TimerHandle | None = None  # until when an answer has to be read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, if there is room."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # `pause_writing` as soon as something waits
        most = self.config.limit_concurrency
        if most is not None and len(self.connections) >= most:
            transport.abort()
        else:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._end()
        self._all_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come: a head, a body, and what stands between and behind its chunks."""
        self._whole += len(data)
        self._framing += len(data)
        super().data_received(data)
        if self._in_request and self._framing > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._in_request and self._whole > REQUEST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._deadline is None and not self._is_answering():
            self._begin()  # line ends before a request are no request, and uvicorn waits no longer

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head = self._in_request = True
        self._whole = self._framing = 0
        self._begin()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; one behind the body is nobody's (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._framing = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The last byte of a head. What is raised here ends in `send_400_response`."""
        self._in_head = False
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers)  # ": ", CR, LF
        if len(self.url) + lines > HEAD_BYTES:
            self._status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError
        if not self._is_plain():
            raise ValueError
        super().on_headers_complete()

    def _is_plain(self) -> bool:
        """Whether every server would read this head alike (RFC 9112, 3.2 and 6.1).

        The parser refuses most that is not; a body after an offer to upgrade it does not read.
        """
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if version == "1.1":
            offer_with_body = self.parser.should_upgrade() and (codings or _announced(self.headers))
            return len(hosts) == 1 and codings in ([], [b"chunked"]) and not offer_with_body
        return version == "1.0" and len(hosts) < 2 and not codings

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._in_request = False
        self._end()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, behind the answers to what came before it."""
        if self._is_answering():
            self.cycle.keep_alive = (
                False  # the connection ends with the answer to the last good one
            )
            self.flow.pause_reading()
        else:
            self._refuse(self._status)

    def _is_answering(self) -> bool:
        """Whether a request that came whole is not answered yet."""
        before = self.cycle
        return before is not None and not before.response_complete and not before.more_body

    def _refuse(self, status: HTTPStatus) -> None:
        if self.transport.is_closing():
            return
        code, headers, content = _plainly(status)
        lines = [f"HTTP/1.1 {code} {status.phrase}".encode(), *map(b": ".join, headers), b"", b""]
        self.transport.write(b"\r\n".join(lines) + content)
        self.transport.close()

    def pause_writing(self) -> None:
        """Of an answer something is not on its way yet: wait for its reader, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience_s, self.transport.abort)

    def resume_writing(self) -> None:
        """All of an answer is on its way."""
        super().resume_writing()
        self._all_read()

    def _all_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _begin(self) -> None:
        self._end()
        self._deadline = self.loop.call_later(self.patience_s, self._too_slow)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self._is_answering():
            self.cycle.keep_alive = False
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)


def _announced(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """The length that a request announces, 0 when it announces none."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


def _plainly(status: HTTPStatus) -> Answer:
    """An answer that needs no app."""
    text = f"{status.phrase}.\n".encode()
    length = str(len(text)).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
    return status, [*headers, (b"connection", b"close")], text


def _run(app: WsgiApp, environ: dict[str, Any]) -> Answer:
    """What the app answers. Runs in a thread."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _failure: object = None) -> None:
        started[:] = [(status, headers)]

    parts = app(environ, start)
    try:
        content = b"".join(parts)
    finally:
        if (close := getattr(parts, "close", None)) is not None:
            close()
    status, headers = started[-1]
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if content and not any(name == b"content-length" for name, _ in sent):
        sent.append((b"content-length", str(len(content)).encode()))
    return int(status.split(" ", 1)[0]), sent, content
