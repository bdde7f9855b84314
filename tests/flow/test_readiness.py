"""/readyz and the doctor of a running bridge whose database has no room for another grade."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.rig import Rig
from tests.flow.world import HTTP, eventually
from tests.test_budgets import children

MANY = 400
WORDS = ("no space is left", "its disk is full")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Rig]:
    """A rig whose bridge delivers nothing, so that nobody but the tests writes."""
    made = Rig(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    made.bridge.serve("--no-worker", "--workers", "1")
    yield made
    made.stop()


def readiness(rig: Rig) -> tuple[int, str]:
    answer = HTTP.request("GET", f"{rig.bridge.url}/readyz")
    return answer.status, answer.data.decode()


def limit_files(pid: int, size: int) -> None:
    """No file of the process grows beyond that, as on a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits others")
def test_a_bridge_that_can_keep_no_grade_is_not_ready(full: Rig) -> None:
    sitting = full.sit()
    assert readiness(full) == (200, "ready\n")
    (web,) = children(full.bridge.processes[0].pid)
    limit_files(web, os.path.getsize(full.bridge.folder / "bridge.sqlite3"))
    for number in range(MANY):
        if full.report(sitting, f"0.{number + 1:03}").status >= 500:
            break
    else:
        raise AssertionError("the disk was never full")
    begun = time.monotonic()
    status, said = readiness(full)
    assert status == 503
    assert any(words in said for words in WORDS)
    assert time.monotonic() - begun < 5
    for secret in (str(full.bridge.folder), "sqlite", "write_probe"):
        assert secret not in said
    limit_files(web, resource.RLIM_INFINITY)
    eventually(lambda: readiness(full), (200, "ready\n"))
    assert full.report(sitting, "0.5").said == (200, "success")


def test_the_doctor_says_what_to_do_about_a_database_that_takes_nothing(full: Rig) -> None:
    full.sit()
    full.bridge.end()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = os.path.getsize(full.bridge.folder / "bridge.sqlite3-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        said = CliRunner().invoke(main, ["doctor", "--json", "--config", str(full.bridge.config)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.exit_code == 1, said.output
    found = {one["what"]: one for one in json.loads(said.stdout)}
    assert any(words in found["database"]["said"] for words in WORDS)
    assert "Free space" in found["database"]["remedy"]
    assert "grades" in found  # what can be read is looked at all the same
