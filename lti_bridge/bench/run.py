"""One measurement: rounds of bridge and floor in turn, and the medians of them."""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.bench import floor, statements
from lti_bridge.bench.client import Load, Run, drive, pin
from lti_bridge.bench.fill import fill
from lti_bridge.bench.issuing import issue
from lti_bridge.bench.parties import Parties, cores, cpu_seconds, memory
from lti_bridge.bench.tool_traffic import ToolTraffic
from lti_bridge.bench.traffic import Traffic
from lti_bridge.errors import BridgeError, ConfigurationError
from lti_bridge.platform.access_tokens import BURST
from lti_bridge.settings import load
from lti_bridge.store.engine import Database

MOST_PER_SECOND = 2500  # requests prepared for each second; the floor repeats them
OK, FOUND = b"HTTP/1.1 200", b"HTTP/1.1 302"
FORM_MARK, OUTCOME_MARK = b"oauth_signature", b"imsx_codeMajor>success"
LOGIN_MARK, ID_TOKEN_MARK, TOKEN_MARK = b"lti_message_hint", b"id_token", b"access_token"
FIRST_GRADE_S = 20.0
FEWEST_ROWS = 2000
TOKENS = int(BURST * 0.9)  # more at once are refused to one tool
KEPT = (LOGIN_MARK, TOKEN_MARK)  # what follows needs these answers


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. `database` is the URL of an empty PostgreSQL database, or empty."""

    seconds: float = 5.0
    connections: int = 8
    rounds: int = 3
    size: int = 0
    database: str = ""
    log_level: str = "WARNING"


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
    return {"machine": machine(options), "measurements": measurements}


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
        unused(self.bridge.store.database)
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
        return {
            "rows": self.rows,
            **figures,
            "memory": {"web": memory(self.parties.web), "worker": self.worker_memory},
            "statements": self._statements(),
        }

    def _round(self, number: int) -> dict[str, dict[str, Any]]:
        self.tell(f"round {number} of {self.options.rounds}")
        traffic = self._traffic()
        most = max(int(self.options.seconds * MOST_PER_SECOND), 50)
        clicks = traffic.clicks(most, "1.3")
        load = self._load([traffic.login(click) for click in clicks], FOUND, keep=True)
        login, figure = self._driven(self.parties.web, load)
        found = {
            "login": {"bridge": figure},
            "launch_13": self._pair(traffic.launches13(clicks, login.kept), FORM_MARK)[1],
            "launch_11": self._pair(traffic.launches11(most), FORM_MARK)[1],
            **self._tool_round(traffic, most),
        }
        messages = traffic.outcomes(most)
        found["outcome"] = self._pair(messages, OUTCOME_MARK)[1]
        found["delivery"] = self._deliveries(messages[0].partition(b"\r\n\r\n")[2])
        return found

    def _tool_round(self, traffic: Traffic, most: int) -> dict[str, dict[str, Any]]:
        """Launches at an LTI 1.3 tool, with its two extra hops, and what it sends afterwards."""
        parties, tool = self.parties, ToolTraffic(self.parties.bridge_url, self.parties.lms_key)
        clicks = traffic.clicks(most, "1.3", "1.3")
        load = self._load([traffic.login(click) for click in clicks], FOUND, keep=True)
        login, _ = self._driven(parties.web, load)
        from13, launch13 = self._pair(traffic.launches13(clicks, login.kept), LOGIN_MARK)
        from11, launch11 = self._pair(traffic.launches11(most, "1.3"), LOGIN_MARK)
        asked = [tool.authorize(page) for _, page in (*from13.kept, *from11.kept)]
        load = self._load(asked, OK, marker=ID_TOKEN_MARK, keep=True)
        issued, authorize = self._driven(parties.web, load)
        bare = self._beside(floor.sign, self.options.seconds)
        made = self._beside(issue, self.options.seconds, traffic.claims(clicks[0]))
        tokens, token = self._pair(tool.tokens(min(most, TOKENS)), TOKEN_MARK)
        pages = [page for _, page in issued.kept]
        _, score = self._pair(tool.scores(most, pages, tokens.kept[0][1]), b"")
        return {
            "launch_13_13": launch13,
            "launch_11_13": launch11,
            "id_token": {"bridge": made, "floor": bare, **_ratios(made, bare)},
            "authorize": {"bridge": authorize, "floor": bare, **_ratios(authorize, bare)},
            "token": token,
            "score": score,
        }

    def _statements(self) -> dict[str, int] | None:
        """None for PostgreSQL, which gets the same statements but cannot be listened to here."""
        if self.options.database:
            return None
        return statements.count(self.bridge, self._traffic())

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

    def _pair(self, requests: list[bytes], marker: bytes) -> tuple[Run, dict[str, Any]]:
        """The same requests to the bridge and to the floor, one after the other."""
        parties = self.parties
        load = self._load(requests, OK, marker=marker, keep=marker in KEPT)
        run, bridge = self._driven(parties.web, load)
        bare_load = self._load(requests, OK, port=parties.floor_port, repeat=True)
        _, bare = self._driven(parties.floor, bare_load)
        return run, {"bridge": bridge, "floor": bare, **_ratios(bridge, bare)}

    def _load(self, requests: list[bytes], status: bytes, **changes: Any) -> Load:
        return Load(
            port=changes.pop("port", self.parties.bridge_port),
            requests=requests,
            connections=self.options.connections,
            seconds=self.options.seconds,
            status=status,
            **changes,
        )

    def _driven(self, server: subprocess.Popen[bytes], load: Load) -> tuple[Run, dict[str, float]]:
        """How the server took the load, with the processor time it spent on each answer."""
        before = cpu_seconds(server.pid)
        run = self.client.submit(drive, load).result()
        cpu_us = (cpu_seconds(server.pid) - before) / run.answers * 1e6
        if run.wrong:
            raise BridgeError(f"{run.wrong} of {run.answers} answers were wrong: {run.first_wrong}")
        return run, {
            "per_second": run.per_second,
            "p50_ms": run.p50_ms,
            "p99_ms": run.p99_ms,
            "cpu_us": cpu_us,
        }

    def _deliveries(self, body: bytes) -> dict[str, Any]:
        """What is due now, by a worker; then the same LMS by a bare loop."""
        seconds, parties = self.options.seconds, self.parties
        parties.arrived()
        with parties.worker() as worker:
            self._wait_for_first()
            before = cpu_seconds(worker.pid)
            time.sleep(seconds)
            after, used = parties.arrived(), cpu_seconds(worker.pid) - before
            self.worker_memory = memory(worker)
        count = after["count"]
        if count < 2:
            raise BridgeError("the worker delivered nothing more after its first grades")
        rate = {"per_second": (count - 1) / after["seconds"], "cpu_us": used / count * 1e6}
        target = f"{parties.lms_url}/outcomes"
        bare = self._beside(floor.deliver, target, body, parties.floor_database, seconds)
        return {"bridge": rate, "floor": bare, **_ratios(rate, bare)}

    def _beside(
        self, loop: Callable[..., tuple[float, float]], *arguments: Any
    ) -> dict[str, float]:
        """A loop in a process of its own, on the server's core."""
        per_second, cpu_us = self.beside.submit(loop, *arguments).result()
        return {"per_second": per_second, "cpu_us": cpu_us}

    def _wait_for_first(self) -> None:
        deadline = time.monotonic() + FIRST_GRADE_S
        while not self.parties.arrived()["count"]:
            if time.monotonic() > deadline:
                raise BridgeError(f"the worker delivered nothing in {FIRST_GRADE_S:.0f} s")
            time.sleep(0.05)


def unused(database: Database) -> None:
    """Make the schema. Raises ConfigurationError for a database that is in use."""
    database.migrate()
    with database.reading() as connection:
        if connection.exec_driver_sql("SELECT 1 FROM learners LIMIT 1").first():
            raise ConfigurationError("--database: a measurement needs an empty database")


def _ratios(bridge: dict[str, float], bare: dict[str, float]) -> dict[str, float]:
    """1.0 is as fast as the floor; by processor time a busy machine disturbs it less."""
    by_cpu = bare["cpu_us"] / bridge["cpu_us"] if bridge["cpu_us"] else 0.0
    return {"ratio": bridge["per_second"] / bare["per_second"], "cpu_ratio": by_cpu}


def _medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number over the rounds."""
    return {
        name: _medians([one[name] for one in rounds])
        if isinstance(value, dict)
        else round(median(one[name] for one in rounds), 3)
        for name, value in rounds[0].items()
    }


def machine(options: Options) -> dict[str, Any]:
    """What a measurement was made on."""
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
