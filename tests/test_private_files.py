"""Databases, queues and keys are their owner's alone, made anew and after an upgrade."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from lti_bridge.assembly.bridge import build
from lti_bridge.cli import main
from lti_bridge.doctor.examine import examine
from lti_bridge.doctor.finding import Finding
from lti_bridge.queue import open_queue
from lti_bridge.settings import load
from lti_bridge.store.engine import Database

PRIVATE = 0o600


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """Whoever starts the bridge thinks of nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def config(tmp_path: Path, empty_database_url: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[bridge]\ndatabase_url = "{empty_database_url}"\nkeys_dir = "{tmp_path}/keys"\n'
        f'queue_url = "sqlite:///{tmp_path}/queue.sqlite3"\n'
    )
    return file


def modes(folder: Path) -> dict[str, int]:
    """The mode of each database file."""
    return {one.name: one.stat().st_mode & 0o777 for one in folder.glob("*.sqlite3*")}


def test_what_the_bridge_makes_is_private(config: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["migrate", "--config", str(config)])
    assert ran.exit_code == 0, ran.output
    bridge = build(load(config))
    bridge.waker.sweep_now()
    with bridge.store.database.writing() as connection:
        connection.execute(text("CREATE TABLE more (one INTEGER)"))
    assert {"queue.sqlite3", "queue.sqlite3-wal"} <= modes(tmp_path).keys()
    if bridge.store.database.is_sqlite:
        assert {"bridge.sqlite3", "bridge.sqlite3-wal"} <= modes(tmp_path).keys()
    assert set(modes(tmp_path).values()) == {PRIVATE}
    keys = tmp_path / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in keys.iterdir()} == {PRIVATE}
    bridge.close()


def test_what_an_older_version_left_open_becomes_private(tmp_path: Path) -> None:
    for name in ("bridge", "queue"):
        old = sqlite3.connect(tmp_path / f"{name}.sqlite3", isolation_level=None)
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("CREATE TABLE kept (one INTEGER)")
    assert len(modes(tmp_path)) == 6
    assert PRIVATE not in modes(tmp_path).values()
    database = Database(f"sqlite:///{tmp_path}/bridge.sqlite3")
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar() == 0
    open_queue(f"sqlite:///{tmp_path}/queue.sqlite3")
    assert len(modes(tmp_path)) >= 6
    assert set(modes(tmp_path).values()) == {PRIVATE}
    database.close()


def files_finding(findings: list[Finding]) -> Finding:
    (found,) = (one for one in findings if one.what == "files")
    return found


def test_doctor_says_what_others_can_read(config: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["migrate", "--config", str(config)])
    bridge = build(load(config))
    assert files_finding(list(examine(bridge))).remedy == ""
    names = ["queue.sqlite3", "queue.sqlite3-wal", "keys", "keys/secret", "keys/keys.json"]
    if bridge.store.database.is_sqlite:
        names += ["bridge.sqlite3", "bridge.sqlite3-wal"]
    for one in (tmp_path / name for name in names):
        before = one.stat().st_mode
        one.chmod(before | 0o040)
        found = files_finding(list(examine(bridge)))
        assert found.said == f"others can read {one}"
        assert "chmod go=" in found.remedy
        one.chmod(before)
    bridge.close()
