"""An LMS that hangs keeps its own grades waiting, and nobody else's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.rig import Rig
from tests.flow.world import eventually

HANGING, OTHERS = 60, 5


@pytest.fixture
def deaf() -> Iterator[str]:
    """Where somebody listens and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/outcomes"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A bridge whose worker is not there yet."""
    made = Rig(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    made.bridge.serve("--no-worker")
    yield made
    made.stop()


def test_grades_of_others_do_not_wait_for_an_lms_that_hangs(rig: Rig, deaf: str) -> None:
    first = [rig.sit("other", lis_outcome_service_url=deaf) for _ in range(HANGING)]
    others = [rig.sit() for _ in range(OTHERS)]
    for sitting in (*first, *others):  # what hangs is due first
        assert rig.report(sitting, "0.5").said == (200, "success")
    rig.bridge.run("worker")
    eventually(lambda: {rig.grade(one)["delivery"] for one in others}, {"delivered"})
    tried = [rig.grade(one)["tries"] for one in first]
    assert sum(1 for one in tried if one) <= HANGING // 3, tried
