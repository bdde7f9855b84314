"""Before an activity opens, keys and tokens of the LMSs are fetched that its students come from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.flow.rig import Rig
from tests.flow.world import eventually

BEST = 'id = "best"\n'


@pytest.fixture
def rig(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    made = Rig(tmp_path, database_url)
    made.bridge.serve("--no-worker")
    made.sit("new", "best")
    made.sit("next", "last")
    made.bridge.end()
    made.school.calls.clear()
    yield made
    made.stop()


def opens(rig: Rig, minutes: int) -> None:
    """Let the activity open in so many minutes, and start everything."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    config = rig.bridge.config
    text = config.read_text().replace(BEST, f"{BEST}opens_at = {at.isoformat()}\n", 1)
    config.write_text(text)
    rig.bridge.serve()


def fetched(rig: Rig) -> list[str]:
    """What the log has of it."""
    lines = [line for line in rig.bridge.log().splitlines() if "event=warming.fetched" in line]
    return sorted(line.partition("registration=")[2].split()[0] for line in lines)


def test_what_the_first_student_needs_is_there_before(rig: Rig) -> None:
    opens(rig, 4)
    eventually(lambda: fetched(rig), ["new", "new"])  # by the web process, and by the worker
    assert [call.path for call in rig.school.calls] == ["/token"]


def test_nothing_is_fetched_for_what_opens_later(rig: Rig) -> None:
    opens(rig, 60)
    eventually(lambda: "worker.started" in rig.bridge.log(), True)
    assert fetched(rig) == []
    assert rig.school.calls == []
