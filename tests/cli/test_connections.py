"""The commands about connections: what each can, checks, choices, files, administrators."""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path

import pytest

import lti_bridge
from tests.cli.office import Office

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
