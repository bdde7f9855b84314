"""What an operator hears of: each matter from the rows that it is in, with a real bridge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from lti_bridge.alerts.looks import matters
from lti_bridge.alerts.seen import Seen
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.core.matters import Matter
from lti_bridge.settings import load
from lti_bridge.store.watch import STALE, Observation, observe

CONFIG = """
[bridge]
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"

[alerts]
away_s = 300
disk_free_mb = {disk_free_mb}

[[connection]]
name = "itep"
kind = "itep"
endpoint = "https://itep.example.com/api"
secret = "secret-of-the-test"
header_name_gtx = "X-Sig"
sig_encoding = "hex"
sequence_mode = "counter"
response_test_id_path = "test_id"
launch_template = "https://itep.example.com/{{test_id}}"
stock = {{ SLATE = 10 }}
stock_warning = 4
daily_limit = 10
"""


def made(folder: Path, database: str, disk_free_mb: int = 0) -> Bridge:
    config = folder / "config.toml"
    config.write_text(CONFIG.format(database=database, folder=folder, disk_free_mb=disk_free_mb))
    return build(load(config))


@pytest.fixture
def bridge(tmp_path: Path, database_url: str) -> Iterator[Bridge]:
    one = made(tmp_path, database_url)
    yield one
    one.close()


def found(bridge: Bridge) -> dict[str, Matter]:
    return {one.key: one for one in matters(bridge)}


def see(bridge: Bridge, process: str, *seen: Observation, ago: timedelta = timedelta()) -> None:
    observe(bridge.store.database, process, seen, bridge.clock() - ago)


def away(bridge: Bridge, ago_s: float) -> Observation:
    return Observation("grades", "campus", "away", bridge.clock() - timedelta(seconds=ago_s))


def test_a_quiet_bridge_has_none(bridge: Bridge) -> None:
    assert found(bridge) == {}


def test_a_party_is_away_when_it_has_been_for_long_enough(bridge: Bridge) -> None:
    see(bridge, "one", away(bridge, 200))
    assert found(bridge) == {}
    see(bridge, "two", away(bridge, 400))
    assert list(found(bridge)) == ["away campus"]
    see(bridge, "one")
    assert list(found(bridge)) == ["away campus"]
    see(bridge, "two")  # it sees nothing any more
    assert found(bridge) == {}


def test_what_a_dead_process_saw_is_forgotten(bridge: Bridge) -> None:
    see(bridge, "dead", away(bridge, 4000), ago=STALE + timedelta(seconds=1))
    assert found(bridge) == {}


def test_a_limit_and_a_stock_that_are_near(bridge: Bridge) -> None:
    today = bridge.clock().date().isoformat()
    with bridge.store.database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO purchase_days (connection, registration, day, bought)"
                " VALUES ('itep', 'campus', :day, 7)"
            ),
            {"day": today},
        )
    provider = bridge.catalogue.connection("itep").provider
    for _ in range(5):
        provider.stock.take("SLATE")  # type: ignore[attr-defined]
    assert found(bridge) == {}
    provider.stock.take("SLATE")  # type: ignore[attr-defined]
    with bridge.store.database.writing() as connection:
        connection.execute(text("UPDATE purchase_days SET bought = 8"))
    said = {key: one.said for key, one in found(bridge).items()}
    assert said == {
        "limit itep campus": "campus has bought 8 of 10 at itep today",
        "stock itep SLATE": "4 of SLATE are left at itep",
    }


def test_certificates_that_end_soon_and_a_disk_without_room(
    tmp_path: Path, database_url: str
) -> None:
    bridge = made(tmp_path, database_url, disk_free_mb=2**40)
    shown = bridge.basics.client._guard.certificates  # as connections leave it
    shown["soon.example.edu"] = (datetime.now(UTC) + timedelta(days=13)).timestamp()
    shown["later.example.edu"] = (datetime.now(UTC) + timedelta(days=15)).timestamp()
    seen = Seen(bridge)
    first = {one.about: one for one in seen.now()}
    assert "soon.example.edu" in first
    assert "later.example.edu" not in first
    assert seen.now() == list(first.values())  # and since the same time
    see(bridge, "one", *seen.now())
    keys = sorted(found(bridge))
    assert keys[0] == "certificate soon.example.edu"
    assert keys[1].startswith("disk ")
    assert len(keys) == 2
    bridge.close()
