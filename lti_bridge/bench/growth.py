"""What a launch and a grade message cost with few rows and with many, in turns in one run."""

from __future__ import annotations

import multiprocessing
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.bench.client import Load, drive, pin
from lti_bridge.bench.fill import fill
from lti_bridge.bench.parties import Parties, cores, cpu_seconds, postgres_pid
from lti_bridge.bench.report import TITLES
from lti_bridge.bench.run import FORM_MARK, FOUND, OK, OUTCOME_MARK, Options, machine, unused
from lti_bridge.bench.traffic import Traffic
from lti_bridge.errors import BridgeError
from lti_bridge.settings import load

FEW, MANY = 7500, 1_000_000  # rows of each table
PER_SECOND = 500  # requests prepared for each second
KINDS = ("launch_11", "launch_13", "outcome")
DRIVER = "postgresql+psycopg"
Tell = Callable[[str], None]


def measure(options: Options, tell: Tell) -> dict[str, Any]:
    """The figures of both databases, and the ratios of the large one's to the small one's.

    Both bridges run all the time, and each kind of message goes to one and then to the other, round
    by round, so that a machine that gets slower is slower for both. Raises BridgeError when an
    answer was not the right one.
    """
    with ExitStack() as stack:
        client = ProcessPoolExecutor(
            1,
            multiprocessing.get_context("spawn"),
            initializer=pin,
            initargs=((cores() or (None, None))[1],),
        )
        stack.callback(client.shutdown)
        sizes = {"few": FEW, "many": options.size or MANY}
        sides = [_open(stack, options, name, rows) for name, rows in sizes.items()]
        for side in sides:
            side.prepare(tell)
        for side in sides:
            side.parties.start(with_floor=False)
        for number in range(options.rounds + 1):
            tell(f"round {number} of {options.rounds}" if number else "a round to get warm")
            for kind in KINDS:
                # whoever is second in one round is first in the next
                for side in sides if number % 2 else reversed(sides):
                    side.round(client, kind, counts=number > 0)
    return {"machine": machine(options), "growth": _compared(*sides)}


@dataclass
class _Side:
    """A bridge with so many rows of each table, and what was measured of it."""

    options: Options
    parties: Parties
    bridge: Bridge
    rows: int
    database_pid: int | None = None
    figures: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)

    def prepare(self, tell: Tell) -> None:
        """Make the schema and its rows."""
        database = self.bridge.store.database
        unused(database)
        tell(f"filling a database with {self.rows} rows of each table")
        fill(database, 0, self.rows, self.parties.lms_url, tell)
        self.database_pid = postgres_pid(database)
        database.close()

    def round(self, client: ProcessPoolExecutor, kind: str, *, counts: bool) -> None:
        """Send one kind of message for the seconds of a round."""
        made = self._traffic()
        most = max(int(self.options.seconds * PER_SECOND), 50)
        if kind == "launch_11":
            load = self._load(made.launches11(most), OK, FORM_MARK)
        elif kind == "outcome":
            load = self._load(made.outcomes(most), OK, OUTCOME_MARK)
        else:
            clicks = made.clicks(most // 2, "1.3")
            login = self._load([made.login(click) for click in clicks], FOUND)
            kept = client.submit(drive, replace(login, keep=True)).result().kept
            load = self._load(made.launches13(clicks, kept), OK, FORM_MARK)
        before = self._used()
        run = client.submit(drive, load).result()
        used = self._used() - before
        if run.wrong:
            raise BridgeError(f"{run.wrong} of {run.answers} answers were wrong: {run.first_wrong}")
        if counts:
            figure = {"cpu_us": used / run.answers * 1e6, "p50_ms": run.p50_ms}
            self.figures.setdefault(kind, []).append(figure)
            self.times.setdefault(kind, []).extend(run.times_ms)

    def _used(self) -> float:
        """Processor time of the bridge and, where it can be told, of its database's server."""
        server = cpu_seconds(self.database_pid) if self.database_pid else 0.0
        return cpu_seconds(self.parties.web.pid) + server

    def _traffic(self) -> Traffic:
        return Traffic(
            bridge=self.parties.bridge_url,
            lms=self.parties.lms_url,
            lms_key=self.parties.lms_key,
            key=self.bridge.keyring.secret("sourcedids"),
            rows=self.rows,
            random=random.Random(),  # noqa: S311 - which link is clicked is no secret
        )

    def _load(self, requests: list[bytes], status: bytes, marker: bytes = b"") -> Load:
        return Load(
            port=self.parties.bridge_port,
            requests=requests,
            connections=self.options.connections,
            seconds=self.options.seconds,
            status=status,
            marker=marker,
        )


def _open(stack: ExitStack, options: Options, name: str, rows: int) -> _Side:
    """A bridge of its own; with PostgreSQL both use one server, each a schema of its own."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"lti-bridge-{name}-"))
    url = _schema(options.database, name) if options.database else ""
    parties = Parties(Path(folder), url, options.log_level)
    stack.callback(parties.stop)
    bridge = build(load(parties.config))
    stack.callback(bridge.store.database.close)
    return _Side(options, parties, bridge, rows)


def _schema(url: str, name: str) -> str:
    """The address of a schema of its own in a database."""
    with create_engine(make_url(url).set(drivername=DRIVER)).begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
    there = make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
    return there.render_as_string(hide_password=False)


def _compared(few: _Side, many: _Side) -> dict[str, Any]:
    found: dict[str, Any] = {"few": few.rows, "many": many.rows}
    for kind in KINDS:
        found[kind] = {"few": _of(few, kind), "many": _of(many, kind), **_ratios(few, many, kind)}
    return found


def _of(side: _Side, kind: str) -> dict[str, float]:
    """Medians of the rounds; the percentiles are of all answers of all rounds."""
    times = sorted(side.times[kind])
    return {
        "answers": len(times),
        "cpu_us": median(one["cpu_us"] for one in side.figures[kind]),
        "p50_ms": times[len(times) // 2],
        "p99_ms": times[len(times) * 99 // 100],
    }


def _ratios(few: _Side, many: _Side, kind: str) -> dict[str, float]:
    """Many to few: of cost and middle time the median of the rounds' own ratios."""
    rounds = list(zip(few.figures[kind], many.figures[kind], strict=True))
    found = {
        f"{name}_ratio": median(later[key] / former[key] for former, later in rounds)
        for name, key in (("cpu", "cpu_us"), ("p50", "p50_ms"))
    }
    return {**found, "p99_ratio": _of(many, kind)["p99_ms"] / _of(few, kind)["p99_ms"]}


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The report for people."""
    growth, machine = found["growth"], found["machine"]
    yield (
        f"{machine['database']}, {growth['few']} and {growth['many']} rows in each table, "
        f"{machine['connections']} connections, {machine['rounds']} rounds of "
        f"{machine['seconds']:g} s in turns"
    )
    yield f"{'':20}{'µs':>14}{'ratio':>7}{'p50 ms':>14}{'ratio':>7}{'p99 ms':>14}{'ratio':>7}"
    for kind in KINDS:
        few, many = growth[kind]["few"], growth[kind]["many"]
        cells = "".join(
            f"{few[key]:7.{digits}f}{many[key]:7.{digits}f}{growth[kind][ratio]:7.2f}"
            for key, digits, ratio in (
                ("cpu_us", 0, "cpu_ratio"),
                ("p50_ms", 1, "p50_ratio"),
                ("p99_ms", 1, "p99_ratio"),
            )
        )
        yield f"{TITLES[kind]:20}{cells}"
