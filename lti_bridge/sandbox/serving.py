"""Serves a pretend party on a loopback port from inside this process."""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

Builder = Callable[[str], Flask]

_POLL_S = 0.05  # how soon a stop is noticed; the server's own half second slows tests down


@dataclass(frozen=True)
class Running:
    """A served application: its base URL without trailing slash, and how to stop it."""

    url: str
    stop: Callable[[], None]


class _QuietHandler(WSGIRequestHandler):
    """Writes no line per request: tests and the demo have their own log."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Drop the line."""


def start(make_app: Builder, host: str = "127.0.0.1", port: int = 0) -> Running:
    """Bind the port, build the application with its base URL, and serve it in a daemon thread.

    The port is bound first because an issuer must know its own address before it starts.
    Port 0 takes a free one. `stop` ends the serving and closes the port.
    """
    listener = socket.create_server((host, port), backlog=128)
    url = f"http://{host}:{listener.getsockname()[1]}"
    try:
        app = make_app(url)
        server = make_server(
            host,
            listener.getsockname()[1],
            app,
            threaded=True,
            request_handler=_QuietHandler,
            fd=listener.fileno(),
        )
    finally:
        listener.close()  # the server works on its own duplicate
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_S,), name=f"sandbox {url}", daemon=True
    )
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()

    return Running(url, stop)


def free_ports(host: str, count: int) -> list[int]:
    """So many ports; all are held until the last is found, so that none comes twice."""
    with ExitStack() as probes:
        found = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind((host, 0))
            found.append(int(probe.getsockname()[1]))
        return found
