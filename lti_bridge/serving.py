"""The web processes, and the worker that runs beside them."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES, EADDRINUSE
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvicorn

from lti_bridge import worker
from lti_bridge.alerts.watch import Watch
from lti_bridge.assembly.bridge import build, start_log
from lti_bridge.assembly.metrics import recorder_of
from lti_bridge.assembly.presence import Presence
from lti_bridge.assembly.warming import Warming
from lti_bridge.assembly.web import BODIES, web_app
from lti_bridge.errors import ConfigurationError
from lti_bridge.front import Connection, Front
from lti_bridge.settings import Settings

if sys.platform != "win32":
    import resource

CONNECTIONS = 4096  # that a web process holds at a time
FILES = 256  # that it may need beside them
BACKLOG = 2048  # connections that wait until a web process takes them
KEEP_ALIVE_S = 30  # a connection without a request
FINISH_S = 15  # for what is being answered when the server stops
RESTART_PAUSE_S = 1.0
PORT_S = 2.0  # processes whose server was killed let their port go in this time
PORT_PAUSE_S = 0.1
STOP_S = 2  # beyond FINISH_S, to write what is to be written
STOPS = (signal.SIGTERM, signal.SIGINT)

# A fork has what was loaded once, which saves time and memory; elsewhere it is not safe.
_CONTEXT: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens, at a port where nobody else does.

    Raises ConfigurationError when the port is used or cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigurationError(f"--host {host} is no address of this machine.") from error
    until = time.monotonic() + PORT_S
    while True:
        try:
            return _listener(family, address)
        except OSError as error:
            if error.errno != EADDRINUSE or time.monotonic() > until:
                raise ConfigurationError(_no_port(host, port, error)) from error
        time.sleep(PORT_PAUSE_S)


def _listener(family: socket.AddressFamily, address: Any) -> socket.socket:
    # Named as TCP: asyncio switches Nagle's waiting (40 ms an answer) off only where it reads that.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would share the port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _no_port(host: str, port: int, error: OSError) -> str:
    """Why nobody can listen there, and what to do."""
    if error.errno == EADDRINUSE:
        return (
            f"Port {port} of {host} is in use, perhaps by another bridge:"
            " stop that program, or choose another port with --port."
        )
    if error.errno == EACCES:
        return f"Port {port} is for administrators only: choose one from 1024 on with --port."
    return f"Port {port} of {host} cannot be had ({error.strerror}): see --host and --port."


def serve(settings: Settings, listener: socket.socket, *, workers: int, with_worker: bool) -> None:
    """Serve until stopped. A worker or web process that dies is started again."""
    heard, ready = multiprocessing.Pipe(duplex=False)
    most = _more_files() - FILES
    children = [_Child(_web, settings, listener, ready, most) for _ in range(workers)]
    if with_worker:
        children.append(_Child(_worker, settings))
    gc.collect()
    gc.freeze()  # what is loaded stays, and a fork shares it for as long as nobody touches it
    with _Signals() as told:
        try:
            _keep_running(children, told, heard, listener)
        finally:
            listener.close()
            for child in children:
                child.stop()
            until = time.monotonic() + FINISH_S + STOP_S
            for child in children:
                child.end(until)


def _keep_running(
    children: list[_Child], told: socket.socket, heard: Pipe, listener: socket.socket
) -> None:
    """Start all, and again those that die, until told to stop; say when one takes connections."""
    for child in children:
        child.start()
    waiting: list[Any] = [told, heard]
    while told not in (seen := wait([*waiting, *(child.sentinel for child in children)])):
        if heard in seen:
            waiting.remove(heard)
            host, port = listener.getsockname()[:2]
            place = f"[{host}]" if ":" in host else host
            print(f"LTI Bridge is listening on http://{place}:{port}", file=sys.stderr)  # noqa: T201
        dead = [child for child in children if child.sentinel in seen]
        if dead and wait([told], RESTART_PAUSE_S):
            return
        for child in dead:
            child.start()


class _Signals:
    """A socket that can be read when this process has been told to stop."""

    def __enter__(self) -> socket.socket:
        self._told, self._teller = socket.socketpair()
        self._teller.setblocking(False)
        self._before = {one: signal.signal(one, self._tell) for one in STOPS}
        return self._told

    def __exit__(self, *_failure: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._told.close()
        self._teller.close()

    def _tell(self, _signal: int, _frame: object) -> None:
        with suppress(BlockingIOError):
            self._teller.send(b"!")


class _Child:
    """A process that does one thing, and can be started again when it has died."""

    def __init__(self, task: Callable[..., None], *arguments: Any) -> None:
        self._task, self._arguments = task, arguments
        self._process: BaseProcess | None = None

    @property
    def sentinel(self) -> int:
        """What becomes ready when the process is gone."""
        return self._process.sentinel if self._process else -1

    def start(self) -> None:
        """Start the process."""
        self._process = _CONTEXT.Process(
            target=_as_child, args=(os.getpid(), self._task, self._arguments)
        )
        self._process.start()

    def stop(self) -> None:
        """Ask it to end."""
        if self._process:
            self._process.terminate()

    def end(self, until: float) -> None:
        """See that it ends, in its own way or not."""
        if self._process:
            self._process.join(max(0, until - time.monotonic()))
            self._process.kill()
            self._process.join()


def _as_child(parent: int, task: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Do a task in a process of its own, which ends when the one that started it is gone.

    Else it would go on answering beside a restarted server, configured as before.
    """
    for one in STOPS:
        signal.signal(one, signal.SIG_DFL)
    worker.stop_with_parent(parent)
    with suppress(OSError):  # for `ps -o comm`; only Linux has it
        Path("/proc/self/comm").write_text(f"bridge{task.__name__}", encoding="ascii")
    task(*arguments)


def _web(settings: Settings, listener: socket.socket, ready: Pipe, most: int) -> None:
    """Answer requests, with that many connections at most."""
    start_log(settings)
    bridge = build(settings, recorder_of(settings))
    config = uvicorn.Config(
        Front(web_app(bridge), BODIES),
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,  # X-Forwarded-* of anybody is not believed
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=most,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_S,
    )
    presence = Presence(bridge, "web")

    def finish(seconds: float) -> None:
        bridge.launching.calls.finish(seconds)
        bridge.journal.stop()
        presence.end()  # here, for uvicorn ends the process by the signal that it was told by

    presence.begin()
    Watch(bridge, "web").begin()
    Warming(bridge, "web").begin()
    _Server(config, ready, finish).run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's, which says when it takes connections, and ends after what runs beside requests."""

    def __init__(
        self, config: uvicorn.Config, ready: Pipe, finish: Callable[[float], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._finish = finish

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets)
        self._ready.send_bytes(b"!")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let requests and calls to providers come to their end."""
        until = time.monotonic() + FINISH_S
        await super().shutdown(sockets)
        await asyncio.to_thread(self._finish, until - time.monotonic())


def _worker(settings: Settings) -> None:
    """Deliver grades."""
    start_log(settings)
    worker.run(build(settings, recorder_of(settings)))


def _more_files() -> int:
    """How many connections and files a process may have; as many as it needs, where it may."""
    wanted = CONNECTIONS + FILES
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else min(soft, wanted)
