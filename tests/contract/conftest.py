"""Every case runs for every party whose kind has the capabilities that the case is about."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.kinds import Case, cases
from tests.contract.world import World, leaks

# A test that asks for one of these gets the parties that can do it.
NEEDS = {
    "case": "",
    "fetching": "fetch",
    "calling": "callback",
    "pushing": "push",
    "judging": "verdict",
}

MakeWorld = Callable[..., World]


def _able(case: Case, need: str) -> bool:
    if need == "push":  # it calls, and cannot be asked
        return "callback" in case.capabilities and "fetch" not in case.capabilities
    return not need or need in case.capabilities


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Fill the fixtures of NEEDS from the kinds that there are."""
    for name, need in NEEDS.items():
        if name in metafunc.fixturenames:
            able = [case for case in cases() if _able(case, need)]
            metafunc.parametrize(name, able, ids=str)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a schema, which take a moment to make."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def make_world(
    prepared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[MakeWorld]:
    """Makes worlds; afterwards nothing may have broken, and nothing may have leaked."""
    caplog.set_level(logging.DEBUG, "lti_bridge")
    made: list[World] = []

    def make(case: Case, **options: Any) -> World:
        folder = tmp_path / str(len(made))
        shutil.copytree(prepared, folder)
        made.append(World(case.kind, case.party(), folder, **options))
        if not any(prepared.iterdir()):
            made[-1].bridge.store.database.close()
            shutil.copytree(folder, prepared, dirs_exist_ok=True)
        return made[-1]

    yield make
    records = caplog.get_records("call")
    broken = [record.getMessage() for record in records if record.exc_info]
    leaked = [line for world in made for line in leaks(world, records)]
    for world in made:
        world.stop()
    assert broken == [], "an exception that is no BridgeError"
    assert leaked == [], "a secret or a name where none may be"
