"""The commands about connections: what each can, checks, choices, files, administrators."""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask, jsonify

import lti_bridge
from lti_bridge.cli import main
from lti_bridge.sandbox import serving
from tests.cli.office import Office
from tests.flow.world import free_port
from tests.lms.platform13 import jwk, rsa_key

PACKAGE = Path(lti_bridge.__file__).parent


def test_connections_are_listed_with_their_hooks(office: Office) -> None:
    found = {row["name"]: row for row in office.json("connections", "list")}
    assert set(found) == {"demo", "isograd", "mettl", "itep", "prov", "files", "tool"}
    token = office.bridge.catalogue.connection("itep").hook_token
    assert found["itep"]["hook"] == f"http://127.0.0.1:9/hooks/itep/{token}"
    assert found["files"]["hook"] == found["tool"]["hook"] == ""
    assert {"import", "export"} <= set(found["files"]["can"])
    assert found["mettl"]["may_leave"] == ["email", "family_name", "given_name"]
    text = office.ok("connections", "list")
    assert f"    hook: {found['itep']['hook']}\n" in text
    assert f"tool  lti  can: {', '.join(found['tool']['can'])}\n" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("demo", "has 2 tests"),
        ("isograd", "Credits left:"),
        ("mettl", "accepts the keys"),
        ("itep", "cannot be asked without taking a test ID"),
    ],
)
def test_check(office: Office, name: str, said: str) -> None:
    assert said in office.ok("connections", "check", name)
    assert said in office.json("connections", "check", name)["said"]


def test_an_account_that_does_not_work_is_named(office: Office) -> None:
    party = office.parties["mettl"]
    party.go_down()
    try:
        said = office.refused("connections", "check", "mettl")
        assert "docs/errors.md" in said
        assert office.refused("connections", "choices", "mettl")
    finally:
        party.come_back()


@pytest.mark.parametrize("name", ["demo", "isograd", "mettl"])
def test_choices(office: Office, name: str) -> None:
    found = office.json("connections", "choices", name)
    assert found
    first = found[0]
    line = f"{first['setting']} = {first['value']}  {first['label']}\n"
    assert line in office.ok("connections", "choices", name)


def test_registrations_are_exported_until_there_is_a_result(office: Office) -> None:
    waiting, done = office.begin("waits", "files"), office.begin("done", "files")
    office.ok("results", "enter", done, "50", "100", "--yes")
    text = office.ok("connections", "export", "files")
    (row,) = csv.DictReader(text.splitlines())
    assert row["attempt_id"] == waiting
    assert row["candidate_name"] == "Given-waits Family-waits"

    file = office.folder / "registrations.csv"
    file.write_text("what was there before")
    file.chmod(0o644)
    office.ok("connections", "export", "files", "-o", str(file))
    assert file.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    missing = str(office.folder / "no-folder" / "file.csv")
    assert "cannot be written" in office.refused("connections", "export", "files", "-o", missing)


def test_an_administrator_is_logged_in_from_here_only(office: Office) -> None:
    url = f"{office.parties['isograd'].url}/administration?account="
    asked = ("connections", "admin-url", "isograd", "boss@example.org")
    assert office.ok(*asked) == f"{url}master\n"
    assert office.ok(*asked, "--sub-account", "77") == f"{url}77\n"
    office.refused("connections", "admin-url", "isograd", "boss", status=2)
    callers = [
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if "capabilities.administers" in path.read_text(encoding="utf-8")
    ]
    assert callers == ["cli"]


@pytest.mark.parametrize(
    ("command", "more", "capability"),
    [
        ("check", (), "check"),
        ("choices", (), "choices"),
        ("export", (), "export"),
        ("admin-url", ("boss@example.org",), "administer"),
    ],
)
def test_what_a_kind_cannot_do(
    office: Office, command: str, more: tuple[str, ...], capability: str
) -> None:
    said = office.refused("connections", command, "tool", *more)
    assert f"kind 'lti' has no {capability}" in said
    assert "no connection named 'x'" in office.refused("connections", command, "x", *more)
    office.refused("connections", command, status=2)


TOOL_13 = """
[[connection]]
name = "{name}"
kind = "lti"
version = "1.3"
client_id = "{name}"
launch_url = "http://127.0.0.1:9/launch"
login_url = "http://127.0.0.1:9/login"
{keys}
"""


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """The commands of a bridge with LTI 1.3 tools, of which two have usable keys."""

    def answers(_: str) -> Flask:
        app, keys = Flask("keys"), {"keys": [jwk("one", rsa_key("tool"))]}
        app.get("/good", endpoint="good")(lambda: jsonify(keys))
        app.get("/empty", endpoint="empty")(lambda: jsonify(keys=[]))
        app.get("/page", endpoint="page")(lambda: "<p>no keys</p>")
        app.get("/deep", endpoint="deep")(lambda: "[" * 100_000)
        app.get("/long", endpoint="long")(lambda: jsonify(keys | {"x": "x" * 300_000}))
        return app

    running, config = serving.start(answers), tmp_path / "config.toml"
    pem = rsa_key("tool").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    paths = ("good", "empty", "page", "no", "deep", "long")
    keys = {path: f'jwks_url = "{running.url}/{path}"' for path in paths}
    keys["pem"] = f'public_key = """{pem.decode()}"""'
    keys["down"] = f'jwks_url = "http://127.0.0.1:{free_port()}/keys"'
    written = [TOOL_13.format(name=name, keys=text) for name, text in keys.items()]
    bridge = f'[bridge]\npublic_url = "http://127.0.0.1:9"\nkeys_dir = "{tmp_path}/keys"\n'
    bridge += f'database_url = "sqlite:///{tmp_path}/bridge.sqlite3"\n'
    bridge += f'queue_url = "sqlite:///{tmp_path}/queue.sqlite3"\n'
    config.write_text(bridge + "".join(written), encoding="utf-8")

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(config)], catch_exceptions=False)

    assert run("migrate").exit_code == 0
    yield run
    running.stop()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good", "Its logins begin at http://127.0.0.1:9/login"),
        ("good", "client_id is 'good' and the deployment_id '1'"),
        ("pem", "1 key, given by hand"),
    ],
)
def test_a_tools_keys_are_looked_at(tools: Callable[..., Result], name: str, said: str) -> None:
    found = tools("connections", "check", name)
    assert found.exit_code == 0, found.output
    assert said in found.stdout
    assert said in json.loads(tools("connections", "check", name, "--json").stdout)["said"]


@pytest.mark.parametrize("name", ["empty", "page", "no", "down", "deep", "long"])
def test_a_tool_without_usable_keys_is_told_from_the_others(
    tools: Callable[..., Result], name: str
) -> None:
    found = tools("connections", "check", name)
    assert found.exit_code == 1
    assert f"tool {name}: " in found.stderr
    assert "Check jwks_url." in found.stderr
    examined = {one["what"]: one for one in json.loads(tools("doctor", "--json").stdout)}
    assert examined[f"tool {name}"]["remedy"] == "Check jwks_url."
    assert [examined[f"tool {one}"]["remedy"] for one in ("good", "pem")] == ["", ""]
