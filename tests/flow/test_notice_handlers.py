"""LMSs are asked for notices by the worker: once, again when the address changes, and in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.scene import running_scene
from tests.flow.test_notices import LTI, SCOPE, Teller, teller
from tests.flow.world import HTTP, eventually

KIND = "LtiContextCopyNotice"
SERVICE = "/lti/notice-handlers"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    """An LMS that offers notices, which has been launched from, and no worker yet."""
    folder = tmp_path_factory.mktemp("handlers")
    with running_scene(folder, f"sqlite:///{folder}/bridge.sqlite3") as scene:
        yield from teller(scene, "ids")


@pytest.fixture
def told(running: Teller) -> Iterator[Teller]:
    """The same, as if it had just been launched from for the first time."""
    scene = running.scene
    scene.world.control(running.party, "clear")
    scene.world.control(running.party, "notice", forget=True, keep=True)
    scene.write(
        "UPDATE notice_services SET registration = :name, url = :url, due_at = 0, base = '',"
        " handler = '', tries = 0, said = ''",
        name=running.name,
        url=f"{running.party.url}{SERVICE}/{running.deployment}",
    )
    yield running
    for process in scene.world.bridge.processes[1:]:
        scene.world.bridge.kill(process)


def asked(told: Teller) -> list[dict[str, Any]]:
    """The requests that came to the LMS's service."""
    log = HTTP.request("GET", f"{told.party.url}/control/log").json()
    return [entry for entry in log if entry["path"].startswith(SERVICE)]


def handler(told: Teller) -> str:
    """Where the LMS sends notices now."""
    return str(told.wanted().get(KIND, {}).get("handler", ""))


def doctor(told: Teller) -> str:
    """What `lti-bridge doctor` says about notices: that it is well or not, and what."""
    config = str(told.scene.world.bridge.config)
    ran = CliRunner().invoke(main, ["doctor", "--config", config, "--json"])
    (found,) = [one for one in json.loads(ran.stdout) if one["what"] == "notices"]
    return f"{'to mend' if found['remedy'] else 'well'}: {found['said']}"


@pytest.mark.spec("T13PN-01", "T13PN-03")
def test_the_worker_asks_once_and_no_request_waits_for_it(told: Teller) -> None:
    assert told.click("teacher", "101", "asks").status == 200
    assert asked(told) == []
    assert doctor(told).startswith("well: 0 of 1")
    assert "1 are asked as soon as a worker runs" in doctor(told)
    told.scene.world.bridge.run("worker")
    eventually(lambda: handler(told), told.address)
    assert doctor(told) == "well: 1 of 1 deployments tell of copied courses"
    told.click("teacher", "101", "asks-again")
    pid = told.scene.world.bridge.processes[-1]
    told.scene.world.bridge.kill(pid)
    told.scene.world.bridge.run("worker")
    eventually(lambda: told.scene.world.bridge.log().count("worker.started") >= 2, True)
    (request,) = asked(told)
    assert (request["method"], json.loads(request["body"])) == (
        "PUT",
        {"notice_type": KIND, "handler": told.address, "max_batch_size": 20},
    )
    tokens = HTTP.request("GET", f"{told.party.url}/control/log").json()
    assert SCOPE in [entry["value"] for entry in tokens if entry["path"] == "/lti/token"]


def test_another_address_of_the_bridge_is_told(told: Teller) -> None:
    told.scene.world.bridge.run("worker")
    eventually(lambda: handler(told), told.address)
    bridge = told.scene.world.bridge
    bridge.kill(bridge.processes[-1])
    text = bridge.config.read_text(encoding="utf-8")
    moved = Path(bridge.folder, "moved.toml")
    moved.write_text(text.replace(f'public_url = "{bridge.url}"', f'public_url = "{bridge.url}/b"'))
    kept, bridge.config = bridge.config, moved
    try:
        bridge.run("worker")
        eventually(lambda: handler(told), told.address.replace("/lti/", "/b/lti/"))
    finally:
        bridge.config = kept
    assert len(asked(told)) == 2


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_tried_again_later_and_said(told: Teller, status: int) -> None:
    told.scene.world.control(told.party, "fault", path=SERVICE, status=status, times=-1)
    told.scene.world.bridge.run("worker")
    eventually(lambda: f"HTTP {status}" in doctor(told), True)
    assert doctor(told).startswith("to mend: 0 of 1")
    (row,) = told.scene.rows("SELECT tries, due_at FROM notice_services")
    assert row.tries == 1
    told.scene.world.control(told.party, "clear")
    told.scene.write("UPDATE notice_services SET due_at = 0")
    eventually(lambda: handler(told), told.address)
    assert doctor(told) == "well: 1 of 1 deployments tell of copied courses"


@pytest.mark.spec("SECP-55")
def test_no_token_goes_to_a_service_that_is_not_the_lmss_own(told: Teller) -> None:
    theirs = told.scene.second
    told.scene.world.control(theirs, "clear")
    claim = {
        "service_versions": ["1.0"],
        "platform_notification_service_url": f"{theirs.url}{SERVICE}/1",
        "scope": [SCOPE],
        "notice_types_supported": [KIND],
    }
    told.click("teacher", "101", "astray", claims={f"{LTI}platformnotificationservice": claim})
    told.scene.world.bridge.run("worker")
    said = lambda: told.scene.rows("SELECT said FROM notice_services")[0][0]  # noqa: E731
    eventually(lambda: "is no host of" in said(), True)
    # before the doctor, which asks each LMS for a token of its own
    assert HTTP.request("GET", f"{theirs.url}/control/log").json() == []
    assert "is no host of" in doctor(told)
    assert asked(told) == []


def test_an_lms_that_is_trusted_no_more_is_asked_for_nothing(told: Teller) -> None:
    told.scene.write("UPDATE notice_services SET registration = 'gone-lms'")
    told.scene.world.bridge.run("worker")
    said = lambda: told.scene.rows("SELECT said FROM notice_services")[0][0]  # noqa: E731
    eventually(lambda: "not registered" in said(), True)
    assert asked(told) == []
    assert doctor(told).startswith("well: no LMS has offered")
