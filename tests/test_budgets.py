"""tests/budgets.toml: statements, packages, memory and size do not grow unnoticed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
import urllib3
from packaging.requirements import Requirement

from tests.costs import cost_s
from tests.flow.world import HTTP, eventually, free_port
from tests.prepared import prepare

BUDGETS = tomllib.loads(Path(__file__).with_name("budgets.toml").read_text(encoding="utf-8"))
TRIES = 5  # on a machine that is busy, a process waits for memory that others use
SLACK = 0.1  # what a budget is above what was measured: allocators and wheels differ a little
LOADS = {
    "help": (
        "import pkgutil, lti_bridge.cli as cli;"
        "[__import__(f'lti_bridge.cli.{one.name}') for one in pkgutil.iter_modules(cli.__path__)];"
        "cli.main(['--help'], standalone_mode=False)"
    ),
    "serve": "import lti_bridge.assembly.web, lti_bridge.serving",
    "worker": "import lti_bridge.worker",
}
ROOTS = """
print()
import json, sys
roots = {name.partition(".")[0] for name in sys.modules}
ours = {"lti_bridge", "cython_runtime"}
print(json.dumps(sorted(r for r in roots - ours - set(sys.stdlib_module_names) if r[0] != "_")))
"""


@pytest.mark.parametrize("what", LOADS)
def test_nothing_is_loaded_that_was_not_before(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS[what] + ROOTS], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == BUDGETS["packages"][what].split()


def pss_mb(pid: int) -> float:
    """The process's share of memory in MB, what it shares divided by those that share it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    (found,) = re.findall(r"^Pss:\s+(\d+) kB", text, re.M)
    return int(found) / 1024


def children(pid: int) -> list[int]:
    """The processes that it has started and that are still there, oldest first."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def answers(url: str) -> bool:
    """Whether somebody listens there and is well."""
    try:
        return HTTP.request("GET", url).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def used_s(pid: int) -> float:
    """The processor time of a process that runs."""
    facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(folder: Path) -> Iterator[dict[str, int]]:
    """The processes of a bridge that is ready, by what each does."""
    database = f"sqlite:///{folder}/bridge.sqlite3"
    prepare(folder, database)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = folder / "config.toml"
    config.write_text(
        f'[bridge]\npublic_url = "{url}"\ndatabase_url = "{database}"\n'
        f'queue_url = "sqlite:///{folder}/queue.sqlite3"\nkeys_dir = "{folder}/keys"\n'
    )
    command = [sys.executable, "-m", "lti_bridge", "serve", "--config", config, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as bridge:
        try:
            eventually(lambda: answers(f"{url}/readyz"), True)
            web, worker = children(bridge.pid)
            yield {"supervisor": bridge.pid, "web": web, "worker": worker}
        finally:
            bridge.terminate()


LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")


@LINUX
def test_processes_need_no_more_memory_than_before(tmp_path: Path) -> None:
    with served(tmp_path) as found:
        needed = {name: round(pss_mb(pid), 1) for name, pid in found.items()}
    budget = BUDGETS["memory_mb"]  # less where other bridges run and share the libraries
    assert {name: value for name, value in needed.items() if value > budget[name]} == {}, needed


@LINUX
def test_a_start_takes_no_more_processor_time_than_before(tmp_path: Path) -> None:
    seen: list[float] = []
    while not seen or min(seen) > BUDGETS["processor_time"]["ready"]:
        assert len(seen) < TRIES, seen
        (folder := tmp_path / str(len(seen))).mkdir()
        bare = cost_s("-c", "import click")
        with served(folder) as found:
            seen.append(sum(map(used_s, found.values())) / bare)


def needed_by(need: Requirement, seen: set[str]) -> Iterator[Distribution]:
    """A distribution and all that it needs to run, each once."""
    try:
        found = distribution(need.name)
    except PackageNotFoundError:  # for another system than this
        return
    if need.name.lower() not in seen:
        yield found
    seen.add(need.name.lower())
    for extra in ("", *need.extras):
        for text in found.requires or ():
            more = Requirement(text)
            wanted = more.marker is None or more.marker.evaluate({"extra": extra})
            if wanted and more.name.lower() not in seen:
                yield from needed_by(more, seen)


def size_mb(found: Distribution) -> float:
    """How much space its files need, without what Python compiles of them."""
    paths = (found.locate_file(one) for one in found.files or () if "__pycache__" not in str(one))
    return sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) / 2**20


def test_an_installation_needs_no_more_space_than_before() -> None:
    ours = Path(__file__).parents[1] / "lti_bridge"
    files = (path for path in ours.rglob("*") if path.suffix != ".pyc" and path.is_file())
    own = sum(path.stat().st_size for path in files)
    others = [
        one for one in needed_by(Requirement("lti-bridge"), set()) if one.name != "lti-bridge"
    ]
    total = own / 2**20 + sum(map(size_mb, others))
    budget = BUDGETS["installed_mb"]["all"]
    assert budget * (1 - 2 * SLACK) < total < budget, "write what it is to tests/budgets.toml"
