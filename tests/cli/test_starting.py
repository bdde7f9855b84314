"""What is refused at the start, with table, key and reason, before anything runs beside others."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from lti_bridge import postgres
from lti_bridge.assembly.basics import now
from lti_bridge.cli import main
from lti_bridge.errors import ConfigurationError
from lti_bridge.settings import parse
from lti_bridge.store import processes
from lti_bridge.store.engine import Database
from tests.flow.world import free_port
from tests.prepared import prepare


def started(folder: Path, **bridge: str) -> str:
    """What `lti-bridge worker` says when it is refused."""
    settings = {
        "database_url": f"sqlite:///{folder}/bridge.sqlite3",
        "queue_url": f"sqlite:///{folder}/queue.sqlite3",
        "keys_dir": f"{folder}/keys",
        **bridge,
    }
    config = folder / "config.toml"
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    config.write_text("\n".join(["[bridge]", *lines]), encoding="utf-8")
    said = CliRunner().invoke(main, ["worker", "--config", str(config)])
    assert said.exit_code == 1, said.output
    return said.output


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_queue_address_without_a_server(tmp_path: Path, scheme: str) -> None:
    if scheme == "redis":
        pytest.importorskip("redis")
    prepare(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    url = f"{scheme}://somebody:a-secret@127.0.0.1:{free_port()}/0"
    said = started(tmp_path, queue_url=url)
    assert "bridge: queue_url: no queue answers at" in said
    assert "127.0.0.1" in said
    assert "a-secret" not in said


def other_process(database: Database, keys: str, age: timedelta) -> None:
    at = now() - age
    one = processes.Process("1", "elsewhere", "web", "0.9", keys, timedelta(), at, at)
    processes.say(database, one)


def test_other_keys_than_a_process_that_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    prepare(tmp_path, url)
    database = Database(url)
    other_process(database, "of-another", timedelta(seconds=12))
    said = started(tmp_path)
    database.close()
    assert "bridge: keys_dir:" in said
    assert "elsewhere" in said
    assert re.search(r"seen 1\d s ago", said)


def test_a_schema_of_a_newer_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.sqlite3"
    prepare(tmp_path, url)
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    said = started(tmp_path)
    assert "bridge: database_url: the schema is 9999, of a newer version" in said


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            {"connection": [{"name": "a", "kind": "demo", "max_in_flight": -1}]},
            "max_in_flight",
        ),
        ({"bridge": {"call_timeout_s": -1}}, "bridge.call_timeout_s"),
        ({"bridge": {"database_connections": 0}}, "bridge.database_connections"),
    ],
)
def test_numbers_that_make_no_sense(tables: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(tables, "config.toml")
    assert said in refused.value.detail


def test_an_address_of_several_servers_is_libpqs_own() -> None:
    url = "postgresql+psycopg://bridge:s@a,b:5433/bridge?target_session_attrs=read-write"
    found = postgres.parameters(url, "database_url")
    assert (found["host"], found["port"]) == ("a,b", ",5433")
    assert found["target_session_attrs"] == "read-write"
    assert found["tcp_user_timeout"] == "8000"
    with pytest.raises(ConfigurationError, match="bridge: queue_url: no address of PostgreSQL"):
        postgres.parameters("postgresql://a/b?nonsense=1", "queue_url")


def test_a_process_that_ends_is_forgotten(database_url: str) -> None:
    database = Database(database_url)
    other_process(database, "k", timedelta())
    (one,) = processes.known(database)
    assert (one.host, one.kind, one.runs(now())) == ("elsewhere", "web", True)
    assert not one.runs(now() + processes.GONE_AFTER)
    processes.leave(database, one)
    assert processes.known(database) == []
    database.close()
