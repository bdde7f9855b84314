"""Every case runs for every party whose kind has the capabilities that the case is about."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.kinds import Case, cases
from tests.contract.saying import PromiseBroken, sentence
from tests.contract.world import World, leaks

# A test that asks for one of these gets the parties that can do it.
NEEDS = {
    "case": "",
    "fetching": "fetch",
    "calling": "callback",
    "pushing": "push",
    "judging": "verdict",
}


class MakeWorld:
    """Makes worlds, and remembers them."""

    def __init__(self, prepared: Path, folder: Path) -> None:
        self.made: list[World] = []
        self._prepared, self._folder = prepared, folder

    def __call__(self, case: Case, **options: Any) -> World:
        """One for a case; further keys are of its connection."""
        folder = self._folder / str(len(self.made))
        shutil.copytree(self._prepared, folder)
        self.made.append(World(case.kind, case.party(), folder, **options))
        if not any(self._prepared.iterdir()):
            self.made[-1].bridge.store.database.close()
            shutil.copytree(folder, self._prepared, dirs_exist_ok=True)
        return self.made[-1]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Say of a test that fails which promise is broken, and how."""
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        given = pyfuncitem.funcargs
        case = next((one for one in given.values() if isinstance(one, Case)), None)
        if case is None:
            raise
        worlds = given["make_world"].made if "make_world" in given else []
        story = worlds[-1].story if worlds else []
        raise PromiseBroken(
            sentence(pyfuncitem.originalname, f"kind {case.kind!r} ({case})", story, error)
        ) from error


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
    make = MakeWorld(prepared, tmp_path)
    yield make
    records = caplog.get_records("call")
    broken = [record.getMessage() for record in records if record.exc_info]
    leaked = [line for world in make.made for line in leaks(world, records)]
    for world in make.made:
        world.stop()
    assert broken == [], "an exception that is no BridgeError; the log above has all of it"
    assert leaked == [], "a secret or a name where none may be: log, error or Report.raw"
