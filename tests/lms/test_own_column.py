"""What the LMS shows in a column that the bridge has made is looked at, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lms.grading import Bridge, Gradebook, bridge_before


@pytest.fixture
def lms() -> Iterator[Gradebook]:
    made = Gradebook()
    yield made
    made.running.stop()


@pytest.fixture
def bridge(tmp_path: Path, lms: Gradebook) -> Iterator[Bridge]:
    with bridge_before(tmp_path, lms) as made:
        yield made


def test_a_teachers_value_in_our_own_column_stays(bridge: Bridge, lms: Gradebook) -> None:
    own = {"line_item": "", "line_items": lms.container}
    bridge.report("80", **own)  # type: ignore[arg-type]
    assert bridge.deliver()["delivery"] == "delivered"
    assert len(lms.created) == 1
    assert bridge.look()["shown"] == "80/100"
    lms.cells["u1"]["score"] = 70
    bridge.report("90", number=2, **own)  # type: ignore[arg-type]
    row = bridge.deliver()
    assert (row["delivery"], row["overridden"], row["shown"]) == ("waiting", 1, "70/100")
    assert lms.cells["u1"]["score"] == 70
