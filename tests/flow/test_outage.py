"""One success after an outage wakes all that waits (`make faults ONLY=outage`: 2,000)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.faults.lanes import copies
from tests.flow.outage import outage
from tests.flow.rig import Rig

GRADES, AWAY_S, TAKES_S = 64, 4.0, 0.5
FIRST_S, PACE = 5.0, 0.5  # of the pace before: others may be at work on this machine


@pytest.mark.spec("BR-16")
def test_an_lms_that_is_back_gets_its_first_grade_soon_and_the_others_at_its_pace(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    try:
        found = outage(rig, copies, GRADES, AWAY_S, TAKES_S)
    finally:
        rig.stop()
    assert found.first_s <= FIRST_S
    assert found.after >= PACE * found.before
