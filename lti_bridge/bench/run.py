"""One measurement: rounds of bridge and floor in turn, and the medians of them."""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lti_bridge.app import Bridge, build
from lti_bridge.bench import floor, statements
from lti_bridge.bench.client import Load, Run, drive, pin
from lti_bridge.bench.fill import fill
from lti_bridge.bench.parties import Parties, cores, memory
from lti_bridge.bench.traffic import Traffic
from lti_bridge.errors import BridgeError, ConfigurationError
from lti_bridge.settings import load

ROUNDS = 3
MOST_PER_SECOND = 2500  # requests prepared for each second; the floor repeats them
OK, FOUND = b"HTTP/1.1 200", b"HTTP/1.1 302"
FORM_MARK, OUTCOME_MARK = b"oauth_signature", b"imsx_codeMajor>success"
FIRST_GRADE_S = 20.0
FEWEST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. `database` is the URL of an empty PostgreSQL database, or empty."""

    seconds: float = 5.0
    connections: int = 8
    database: str = ""
    size: int = 0
    log_level: str = "WARNING"
    rounds: int = ROUNDS


def measure(options: Options, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run everything and return the figures; `tell` hears how far it is.

    Raises BridgeError when an answer was not the right one: such figures would mean nothing.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lti-bridge-bench-"))
        parties = Parties(Path(folder), options.database, options.log_level)
        stack.callback(parties.stop)
        bench = _Bench(options, parties, tell)
        stack.callback(bench.close)
        bench.prepare(max(FEWEST_ROWS, int(options.seconds * MOST_PER_SECOND)))
        parties.start()
        measurements = [bench.measurement()]
        if options.size > bench.rows:
            bench.grow(options.size)
            measurements.append(bench.measurement())
    return {"machine": _machine(options), "measurements": measurements}


class _Bench:
    def __init__(self, options: Options, parties: Parties, tell: Callable[[str], None]) -> None:
        self.options, self.parties, self.tell = options, parties, tell
        server, client = cores() or (None, None)
        spawn = multiprocessing.get_context("spawn")
        self.client = ProcessPoolExecutor(1, spawn, initializer=pin, initargs=(client,))
        self.beside = ProcessPoolExecutor(1, spawn, initializer=pin, initargs=(server,))
        self.bridge: Bridge = build(load(parties.config))
        self.rows = 0

    def close(self) -> None:
        """End the client processes and close the database."""
        self.client.shutdown()
        self.beside.shutdown()
        self.bridge.store.database.close()

    def prepare(self, rows: int) -> None:
        """Make the schema and its first rows; refuses a database that is in use."""
        database = self.bridge.store.database
        database.migrate()
        with database.reading() as connection:
            if connection.exec_driver_sql("SELECT 1 FROM learners LIMIT 1").first():
                raise ConfigurationError("--database: a measurement needs an empty database")
        self.grow(rows)

    def grow(self, rows: int) -> None:
        """Fill up to that many rows of each table."""
        self.tell(f"filling the database up to {rows} rows of each table")
        fill(self.bridge.store.database, self.rows, rows, self.parties.lms_url, self.tell)
        self.rows = rows

    def measurement(self) -> dict[str, Any]:
        """Every figure, with the database as large as it is now."""
        rounds = [self._round(number) for number in range(1, self.options.rounds + 1)]
        figures = {name: _medians([one[name] for one in rounds]) for name in rounds[0]}
        web = self.parties.web
        return {
            "rows": self.rows,
            **figures,
            "memory": {"web": memory(web) if web else None, "worker": self.worker_memory},
            "statements": statements.count(self.bridge, self._traffic()),
        }

    def _round(self, number: int) -> dict[str, dict[str, Any]]:
        self.tell(f"round {number} of {self.options.rounds}")
        traffic = self._traffic()
        most = max(int(self.options.seconds * MOST_PER_SECOND), 50)
        clicks = traffic.clicks(most, "1.3")
        login = self._drive([traffic.login(click) for click in clicks], FOUND, keep=True)
        found = {
            "login": {"bridge": _figure(login)},
            "launch_13": self._pair(traffic.launches13(clicks, login.kept), FORM_MARK),
            "launch_11": self._pair(traffic.launches11(most), FORM_MARK),
        }
        messages = traffic.outcomes(most)
        found["outcome"] = self._pair(messages, OUTCOME_MARK)
        found["delivery"] = self._deliveries(messages[0].partition(b"\r\n\r\n")[2])
        return found

    def _traffic(self) -> Traffic:
        parties = self.parties
        return Traffic(
            bridge=parties.bridge_url,
            lms=parties.lms_url,
            lms_key=parties.lms_key,
            key=self.bridge.keyring.secret("sourcedids"),
            rows=self.rows,
            random=random.Random(),  # noqa: S311 - which link is clicked is no secret
        )

    def _drive(
        self, requests: list[bytes], status: bytes, marker: bytes = b"", *, keep: bool = False
    ) -> Run:
        return self._sent(
            Load(self.parties.bridge_port, requests, *self._how(), status, marker, keep=keep)
        )

    def _how(self) -> tuple[int, float]:
        return self.options.connections, self.options.seconds

    def _pair(self, requests: list[bytes], marker: bytes) -> dict[str, Any]:
        """The same requests to the bridge and to the floor, one after the other."""
        bridge = self._drive(requests, OK, marker)
        port = self.parties.floor_port
        bare = self._sent(Load(port, requests, *self._how(), OK, repeat=True))
        ratio = bridge.per_second / bare.per_second
        return {"bridge": _figure(bridge), "floor": _figure(bare), "ratio": ratio}

    def _sent(self, load: Load) -> Run:
        run = self.client.submit(drive, load).result()
        if run.wrong:
            raise BridgeError(f"{run.wrong} of {run.answers} answers were wrong: {run.first_wrong}")
        return run

    def _deliveries(self, body: bytes) -> dict[str, Any]:
        """What is due now, by a worker; then the same LMS by a bare loop."""
        seconds, parties = self.options.seconds, self.parties
        parties.arrived()
        with parties.worker() as worker:
            seen = self._first_arrivals()
            time.sleep(seconds)
            self.worker_memory = memory(worker)
            after = parties.arrived()
        if not seen or after["count"] < 2:
            raise BridgeError("the worker delivered nothing")
        rate = (after["count"] - 1) / after["seconds"]
        target = f"{parties.lms_url}/outcomes"
        bare = self.beside.submit(floor.deliver, target, body, parties.floor_database, seconds)
        floor_rate = bare.result()
        return {
            "bridge": {"per_second": rate},
            "floor": {"per_second": floor_rate},
            "ratio": rate / floor_rate,
        }

    def _first_arrivals(self) -> int:
        deadline = time.monotonic() + FIRST_GRADE_S
        while time.monotonic() < deadline:
            if count := self.parties.arrived()["count"]:
                return int(count)
            time.sleep(0.05)
        return 0


def _figure(run: Run) -> dict[str, float]:
    return {"per_second": run.per_second, "p50_ms": run.p50_ms, "p99_ms": run.p99_ms}


def _medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number over the rounds."""
    return {
        name: _medians([one[name] for one in rounds])
        if isinstance(value, dict)
        else round(median(one[name] for one in rounds), 3)
        for name, value in rounds[0].items()
    }


def _machine(options: Options) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "server_core_and_client_core": cores(),
        "python": platform.python_version(),
        "database": "PostgreSQL" if options.database else "SQLite",
        "seconds": options.seconds,
        "connections": options.connections,
        "rounds": options.rounds,
        "log_level": options.log_level,
    }
