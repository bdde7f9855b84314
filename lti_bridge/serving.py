"""The web server, and the worker that runs beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from flask import Flask
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from lti_bridge.app import CONFIG_VARIABLE, from_environment
from lti_bridge.worker import PARENT_VARIABLE, stop_with_parent

THREADS = 4
RESTART_PAUSE_S = 1.0
STOP_TRIES = 10
STOP_WAIT_S = 2.0


def serve(config: Path, *, host: str, port: int, workers: int, with_worker: bool) -> None:
    """Serve until stopped. A worker or web process that dies is started again."""
    os.environ[CONFIG_VARIABLE] = str(config)
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    beside = _WorkerBeside(config) if with_worker else None
    server = Server(
        "lti_bridge.serving:web_process",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
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


def web_process() -> Flask:
    """The app of one web process, which ends when the server that started it is gone.

    Else it would go on answering on the same port beside a restarted server, configured as before.
    """
    stop_with_parent()
    return from_environment()


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
        while not self._stopping.is_set():
            self._process = subprocess.Popen(self._command)
            self._process.wait()
            self._stopping.wait(RESTART_PAUSE_S)
