"""The measurement runs and says everything; a click costs a fixed number of SQL statements."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import event

from lti_bridge.assembly.basics import now
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.web import web_app
from lti_bridge.bench import statements
from lti_bridge.bench.fill import fill
from lti_bridge.bench.growth import lines
from lti_bridge.bench.parties import Parties
from lti_bridge.bench.report import table
from lti_bridge.bench.traffic import Traffic
from lti_bridge.cli import main
from lti_bridge.core.grade.gradebook import Outcome
from lti_bridge.settings import load
from tests import claims
from tests.conftest import fresh_database
from tests.test_budgets import BUDGETS

ROOT = Path(__file__).parents[1]
TOOL13 = ("launch_11_13", "launch_13_13", "authorize", "token", "score")
MEASURED = ("launch_11", "launch_13", "outcome", "delivery", "id_token", *TOOL13)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A short measurement, as a person would start it, in turns with another build's."""
    other = another_checkout(tmp_path_factory.mktemp("other"))
    options = ["--seconds", "0.5", "--rounds", "1", "--json", "--against", str(other)]
    command = [sys.executable, "-m", "lti_bridge", "bench", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_measurement_says_how_fast_the_bridge_and_its_floor_are(report: dict[str, Any]) -> None:
    (one,) = report["measurements"]
    for name in MEASURED:
        assert one[name]["bridge"]["per_second"] > 1, name
        assert one[name]["floor"]["per_second"] > 1, name
        expected = one[name]["bridge"]["per_second"] / one[name]["floor"]["per_second"]
        assert one[name]["ratio"] == pytest.approx(expected, rel=0.1), name
    for name in ("login", "launch_11", "launch_13", "outcome", *TOOL13):
        times = one[name]["bridge"]
        assert 0 < times["p50_ms"] <= times["p99_ms"], name


def another_checkout(folder: Path) -> Path:
    """A build of which `bench` says what it was asked, and that it is slow at launches."""
    package = folder / "lti_bridge"
    package.mkdir()
    figure = {"bridge": {"per_second": 10.0, "cpu_us": 5000.0}}
    found = {"machine": {}, "measurements": [{"rows": 1, "launch_11": figure}]}
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys\n"
        "assert sys.argv[1:] == ['bench', '--json', '--rounds', '1', '--seconds', '0.5',"
        " '--connections', '8']\n"
        f"print({json.dumps(found)!r})\n"
    )
    return folder


def test_another_build_is_measured_in_turns_and_named(report: dict[str, Any]) -> None:
    (one,) = report["measurements"]
    assert "other" in report["machine"]["against"]
    launch = one["launch_11"]
    assert launch["against"] == {"per_second": 10.0, "cpu_us": 5000.0}
    assert launch["against_ratio"] == pytest.approx(launch["bridge"]["per_second"] / 10)
    assert launch["against_cpu_ratio"] == pytest.approx(5000 / launch["bridge"]["cpu_us"])
    assert "against" not in one["launch_13"]  # which that build does not measure
    text = table(report)
    assert "in turns with the build in " in text
    assert re.search(r"1\.1 → 1\.1 launch .* 10 +[0-9.]+ +5000 +[0-9.]+$", text, re.MULTILINE)


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def test_what_growing_costs_is_measured_in_turns(
    engine: str, request: pytest.FixtureRequest
) -> None:
    options = ["--growth", "--size", "7600", "--seconds", "0.5", "--rounds", "1"]
    command = [sys.executable, "-m", "lti_bridge", "bench", "--json", *options]
    with ExitStack() as stack:
        if engine == "pg":
            server = request.getfixturevalue("postgres")
            url = stack.enter_context(fresh_database(server, migrated=False))
            command += ["--database", url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    growth = found["growth"]
    assert (growth["few"], growth["many"]) == (7500, 7600)
    for kind in ("launch_11", "launch_13", "outcome"):
        few, many = growth[kind]["few"], growth[kind]["many"]
        assert growth[kind]["cpu_ratio"] == pytest.approx(many["cpu_us"] / few["cpu_us"])
        assert growth[kind]["p99_ratio"] == pytest.approx(many["p99_ms"] / few["p99_ms"])
        assert 0 < few["p50_ms"] <= few["p99_ms"]
    assert re.search(r"^1\.1 → 1\.1 launch( +[0-9.]+){9}$", "\n".join(lines(found)), re.MULTILINE)


def test_only_another_build_can_be_measured_beside(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["bench", "--against", str(tmp_path)])
    assert ran.exit_code == 1
    assert "there is no lti_bridge in this folder" in ran.output


# Floors do not change: figures of all times stand beside the same ones.
FLOOR = "38ea3a3f9716abc8"


def test_the_floors_are_those_of_former_times() -> None:
    tree = ast.parse((ROOT / "lti_bridge" / "bench" / "floor.py").read_text(encoding="utf-8"))
    defined = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(ast.Module(defined, [])):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]  # what is said of it may get better
    dumped = "\n".join(ast.dump(node) for node in defined)
    assert hashlib.sha256(dumped.encode()).hexdigest()[:16] == FLOOR


def test_a_measurement_says_what_it_was_made_on(report: dict[str, Any]) -> None:
    machine, (one,) = report["machine"], report["measurements"]
    assert machine["database"] == "SQLite"
    assert {"cores", "server_core_and_client_core", "python", "rounds"} <= machine.keys()
    assert one["rows"] > 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
def test_no_process_is_large(report: dict[str, Any]) -> None:
    (one,) = report["measurements"]
    assert 10 < one["memory"]["worker"]["rss_mb"] < 120
    # two processes: the one that listens, and the one that answers
    assert 10 < one["memory"]["web"]["rss_mb"] < 300


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    """A configuration; nothing is started."""
    return Parties(tmp_path, "", "WARNING")


@pytest.fixture
def bridge(parties: Parties) -> Iterator[Bridge]:
    """A bridge with an empty database."""
    made = build(load(parties.config))
    made.store.database.migrate()
    yield made
    made.store.database.close()


def traffic(bridge: Bridge, parties: Parties, rows: int) -> Traffic:
    """Signed requests about the filled rows."""
    return Traffic(
        bridge=parties.bridge_url,
        lms=parties.lms_url,
        lms_key=parties.lms_key,
        key=bridge.keyring.secret("sourcedids"),
        rows=rows,
        random=random.Random(7),
    )


def counts(bridge: Bridge, parties: Parties, rows: int) -> dict[str, int]:
    """The statements of each kind of request, sent to the app of this process."""
    return statements.count(bridge, traffic(bridge, parties, rows))


def test_statements_per_click_and_per_grade_are_few_and_do_not_grow(
    bridge: Bridge, parties: Parties
) -> None:
    wanted = BUDGETS["statements"]
    fill(bridge.store.database, 0, 10, parties.lms_url, print)
    assert counts(bridge, parties, 10) == wanted
    fill(bridge.store.database, 10, 5000, parties.lms_url, print)
    assert counts(bridge, parties, 5000) == wanted


def test_a_limit_of_attempts_costs_a_first_launch_no_statement(parties: Parties) -> None:
    text = parties.config.read_text(encoding="utf-8")
    limited = text.replace('title = "Excel"\n', 'title = "Excel"\nattempts = 3\n')
    parties.config.write_text(limited, encoding="utf-8")
    bridge = build(load(parties.config))
    bridge.store.database.migrate()
    fill(bridge.store.database, 0, 10, parties.lms_url, print)
    assert counts(bridge, parties, 10)["first_launch"] == 10
    bridge.store.database.close()


def test_a_relaunch_writes_one_click_and_no_second_attempt(
    bridge: Bridge, parties: Parties
) -> None:
    fill(bridge.store.database, 0, 10, parties.lms_url, print)
    before = {table: rows(bridge, table) for table in ("attempts", "grades", "launches")}
    counts(bridge, parties, 10)  # first clicks and second ones, at a tool too
    after = {table: rows(bridge, table) for table in before}
    assert {table: after[table] - before[table] for table in after} == {
        "attempts": 2,
        "grades": 2,
        "launches": 4,
    }


@pytest.mark.parametrize(("lti", "kept"), [("1.1", 0), ("1.3", 1)])
def test_a_launch_at_an_lti_tool_is_one_commit(
    bridge: Bridge, parties: Parties, lti: str, kept: int
) -> None:
    fill(bridge.store.database, 0, 10, parties.lms_url, print)
    made, client = traffic(bridge, parties, 10), web_app(bridge).test_client()
    commits: list[str] = []

    def trace(connection: Any, *_rest: Any) -> None:
        connection.set_trace_callback(commits.append)

    bridge.store.database.close()
    event.listen(bridge.store.database.engine, "checkout", trace)
    (request,) = made.launches11(1, lti)
    assert statements.send(client, request) == 200
    assert commits.count("COMMIT") == 1
    assert rows(bridge, "tool_launches") == rows(bridge, "held_launches") == kept
    assert rows(bridge, "owners") == 1 - kept


def test_no_statement_of_a_click_a_grade_or_a_delivery_reads_a_whole_table(
    bridge: Bridge, parties: Parties
) -> None:
    store = bridge.store
    fill(store.database, 0, 100, parties.lms_url, print)
    made, client = traffic(bridge, parties, 100), web_app(bridge).test_client()
    requests = [*made.launches11(2), *made.outcomes(1)]
    with statements.counted(store.database) as seen:
        assert [statements.send(client, request) for request in requests] == [200, 200, 200]
        for delivery in claims.deliveries(store, now(), 15, 32):
            store.settle(delivery, now(), Outcome("delivered"))
        claims.first(store.deliveries_due())
    assert len(seen) > 21
    with store.database.reading() as connection:
        for statement in seen:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            steps = [row[3] for row in plan]
            # an index read from its end, as min() does, is written as a search
            # and the parties that work is due for are no table
            scans = [step for step in steps if step.startswith("SCAN") and step != "SCAN parties"]
            assert not scans, (statement, steps)


def rows(bridge: Bridge, table: str) -> int:
    """How many rows a table has."""
    with bridge.store.database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608
