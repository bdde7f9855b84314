"""The web server, and the worker that runs beside it."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from lti_bridge.app import CONFIG_VARIABLE, MAX_BODY, from_environment
from lti_bridge.worker import PARENT_VARIABLE, stop_with_parent

THREADS = 4  # requests that a process works on at a time
WAITING = 256  # requests whose body may be on its way meanwhile, each in a thread that waits
HEAD_BYTES = 32_768  # of an address with its headers, as much as nginx takes
FINISH_S = 15  # for what is being answered when the server stops
RESTART_PAUSE_S = 1.0
STOP_TRIES = 10
STOP_WAIT_S = 2.0


def serve(config: Path, *, host: str, port: int, workers: int, with_worker: bool) -> None:
    """Serve until stopped. A worker or web process that dies is started again."""
    os.environ[CONFIG_VARIABLE] = str(config)
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    beside = _WorkerBeside(config) if with_worker else None
    # The server wonders about so many threads, of which it cannot know that most of them wait.
    logging.getLogger("_granian").addFilter(lambda record: "threads" not in record.getMessage())
    server = Server(
        "lti_bridge.serving:web_process",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=WAITING,
        http=HTTPModes.http1,  # where it guesses, a connection that says nothing is kept for ever
        http1_settings=HTTP1Settings(max_buffer_size=HEAD_BYTES),
        workers_kill_timeout=FINISH_S,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
    )
    try:
        if beside:
            beside.start()
        print(f"LTI Bridge is listening on http://{host}:{port}", file=sys.stderr)  # noqa: T201
        server.serve()
    finally:
        if beside:
            beside.stop()


def web_process() -> BodyFirst:
    """The app of one web process, which ends when the server that started it is gone.

    Else it would go on answering on the same port beside a restarted server, configured as before.
    """
    stop_with_parent()
    return BodyFirst(from_environment())


class BodyFirst:
    """A WSGI app that begins with a request when all of its body has come, THREADS at a time.

    The server gives a thread to a request whose head has come. Whoever sends the rest slowly
    would keep it from everybody else, and the server has no time limit for that.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._free = threading.Semaphore(THREADS)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        length = environ.get("CONTENT_LENGTH", "")
        if environ.pop("HTTP_TRANSFER_ENCODING", "") or length:
            fits = not length.isdecimal() or int(length) <= MAX_BODY  # else refused unread
            body = environ["wsgi.input"].read(MAX_BODY + 1) if fits else b""
            environ["wsgi.input"] = io.BytesIO(body)
            # Werkzeug then notices a body that is too long or only half of what was announced.
            environ["CONTENT_LENGTH"] = length or str(len(body))
            environ.pop("wsgi.input_terminated", None)
        with self._free:
            return self._app(environ, start)


class _WorkerBeside:
    """One `lti-bridge worker` as a child process, started again whenever it dies."""

    def __init__(self, config: Path) -> None:
        self._command = [
            sys.executable,
            "-m",
            "lti_bridge",
            "worker",
            "--with-parent",
            "--config",
            str(config),
        ]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, daemon=True)

    def start(self) -> None:
        # Not in the thread: a web process that is forked at that moment keeps the pipe by which
        # Popen waits for its child, and then nobody would notice the end of this worker.
        self._process = subprocess.Popen(self._command)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for _ in range(STOP_TRIES):
            # more than once: under load a worker in its first moments has been seen to miss it
            if self._process is not None:
                self._process.terminate()
            self._thread.join(timeout=STOP_WAIT_S)
            if not self._thread.is_alive():
                return

    def _keep_running(self) -> None:
        while self._process is not None:
            self._process.wait()
            if self._stopping.wait(RESTART_PAUSE_S):
                return
            self._process = subprocess.Popen(self._command)
