"""The doctor of a running bridge: it tries what LMSs and tools will do, in both directions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.world import World, free_port, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running bridge and its LMS."""
    folder: Path = tmp_path_factory.mktemp("doctor")
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    made.bridge.serve()
    yield made
    made.stop()


def doctor(world: World, *changes: tuple[str, str]) -> dict[str, dict[str, str]]:
    """What it says with the configuration, some of it written otherwise."""
    text = world.bridge.config.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config = world.bridge.folder / "examined.toml"
    config.write_text(text, encoding="utf-8")
    ran = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)])
    assert ran.exit_code in (0, 1), ran.output
    return {one["what"]: one for one in json.loads(ran.stdout)}


def test_tokens_and_key_sets_are_tried_both_ways(world: World) -> None:
    found = doctor(world)
    assert found["tokens of campus13"] == {
        "what": "tokens of campus13",
        "said": "given for grades, columns and members",
        "remedy": "",
    }
    assert found["our key sets"]["said"] == f"1 reached at {world.bridge.url}"
    assert found["our key sets"]["remedy"] == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('client_id = "bridge-client"', 'client_id = "mistyped"', "invalid_client"),
        ("{lms}/lti/token", "{lms}/lti/nothing-here", "HTTP 404"),
        ("{lms}/lti/token", "http://127.0.0.1:{port}/lti/token", "refused"),
    ],
)
def test_an_lms_that_gives_no_token_is_never_called_good(
    world: World, old: str, new: str, said: str
) -> None:
    places: dict[str, Any] = {"lms": world.lms.url, "port": free_port()}
    found = doctor(world, (old.format(**places), new.format(**places)))["tokens of campus13"]
    assert found["said"].startswith("none: ")
    assert re.search(said, found["said"], re.IGNORECASE), found["said"]
    assert f"{world.bridge.url}/lti/jwks" in found["remedy"]


def test_an_lms_that_cannot_fetch_our_keys_gives_no_token(world: World) -> None:
    world.control(world.lms, "lacks", lacks=["keys"])
    found = doctor(world)
    assert "key set cannot be used" in found["tokens of campus13"]["said"]
    assert "HTTP security" in found["tokens of campus13"]["remedy"]
    assert found["lms campus13"]["remedy"] == ""
    world.control(world.lms, "lacks", lacks=[])


def test_a_scope_that_is_not_granted_is_named(world: World) -> None:
    world.control(world.lms, "lacks", lacks=["members"])
    found = doctor(world)["tokens of campus13"]
    assert found["said"] == "given, but not for contextmembership.readonly"
    assert found["remedy"] == ""
    world.control(world.lms, "lacks", lacks=["grades"])
    found = doctor(world)["tokens of campus13"]
    assert found["said"] == "given, but not for lineitem, result.readonly, score"
    assert "docs/lms.md" in found["remedy"]
    world.control(world.lms, "lacks", lacks=[])


def test_an_address_that_is_not_ours_is_named(world: World) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    found = doctor(world, (f'public_url = "{world.bridge.url}"', f'public_url = "{nobody}"'))
    assert f"{nobody}/lti/jwks" in found["our key sets"]["said"]
    assert "public_url" in found["our key sets"]["remedy"]
    other = world.bridge.folder / "other-keys"
    found = doctor(world, (f'keys_dir = "{world.bridge.folder}/keys"', f'keys_dir = "{other}"'))
    assert "has not the key" in found["our key sets"]["said"]
    assert "keys_dir" in found["our key sets"]["remedy"]
