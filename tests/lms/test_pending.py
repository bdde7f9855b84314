"""That marks are being made: told to LMSs which can hear it, and to nobody's loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.lti import ags
from tests.lms.grading import ALL, Bridge, Gradebook, bridge_before

OUTCOMES = {"outcome_url": "https://lms.example.org/outcomes", "sourced_id": "s-1"}


@pytest.fixture
def lms() -> Iterator[Gradebook]:
    made = Gradebook()
    yield made
    made.running.stop()


@pytest.fixture
def bridge(database_url: str, lms: Gradebook) -> Iterator[Bridge]:
    with bridge_before(database_url, lms) as made:
        yield made


def handed_in(bridge: Bridge, pending: str = "", **more: Any) -> None:
    bridge.report(None, state="awaiting-marks", pending=pending, **more)


def said(lms: Gradebook) -> list[tuple[Any, str, str]]:
    """What the LMS was told."""
    return [
        (one.get("scoreGiven"), one["activityProgress"], one["gradingProgress"])
        for one in lms.scores
    ]


@pytest.mark.spec("BR-11")
@pytest.mark.parametrize(
    ("word", "told"), [("", "Pending"), ("PendingManual", "PendingManual")], ids=["", "manual"]
)
def test_marks_to_come_are_told_and_then_the_marks(
    bridge: Bridge, lms: Gradebook, word: str, told: str
) -> None:
    handed_in(bridge, word)
    row = bridge.deliver()
    assert said(lms) == [(None, "Completed", told)]
    assert (row["delivery"], row["given"], row["awaiting"]) == ("delivered", None, told)
    handed_in(bridge)  # said again by the provider: no news for the LMS
    bridge.deliver()
    assert len(lms.scores) == 1
    bridge.report("80")
    row = bridge.deliver()
    assert said(lms)[1:] == [(80, "Completed", "FullyGraded")]
    assert (row["given"], row["awaiting"]) == ("80", "")
    assert lms.scores[0]["timestamp"] < lms.scores[1]["timestamp"]


@pytest.mark.spec("BR-11")
@pytest.mark.parametrize(
    "target",
    [
        {**OUTCOMES, "line_item": "", "scopes": ()},
        {**OUTCOMES, "line_item": "", "line_items": "https://lms.example.org/items"},
        {"scopes": (ags.RESULT_READ,)},
    ],
    ids=["1.1", "1.3-outcomes", "no-score-scope"],
)
def test_who_has_no_word_for_it_hears_nothing(bridge: Bridge, target: dict[str, Any]) -> None:
    handed_in(bridge, **target)
    row = bridge.deliver()
    assert (row["version"], row["delivery"], row["awaiting"]) == (0, "none", "")


@pytest.mark.spec("BR-11")
def test_a_grade_stays_while_the_next_attempt_is_marked(bridge: Bridge, lms: Gradebook) -> None:
    bridge.report("60")
    bridge.deliver()
    handed_in(bridge, number=2)
    bridge.deliver()
    assert said(lms) == [(60, "Completed", "FullyGraded")]
    bridge.report("70", number=2)
    bridge.deliver()
    assert said(lms)[1:] == [(70, "Completed", "FullyGraded")]


def test_an_attempt_that_is_void_takes_the_word_back(bridge: Bridge, lms: Gradebook) -> None:
    handed_in(bridge)
    bridge.deliver()
    bridge.report(None, state="invalidated")
    row = bridge.deliver()
    assert said(lms)[1:] == [(None, "Initialized", "NotReady")]
    assert (row["awaiting"], row["delivery"]) == ("", "delivered")


def test_a_teachers_value_is_neither_wiped_by_the_word_nor_by_the_marks(
    bridge: Bridge, lms: Gradebook
) -> None:
    lms.cells["u1"] = {"score": 90, "maximum": 100}
    handed_in(bridge)
    row = bridge.deliver()
    assert (row["delivery"], row["shown"], row["overridden"]) == ("waiting", "90/100", 1)
    bridge.report("80")
    assert bridge.deliver()["delivery"] == "waiting"
    assert lms.scores == []
    del lms.cells["u1"]
    bridge.look(2 * 86_400)
    assert bridge.deliver()["delivery"] == "delivered"
    assert said(lms) == [(80, "Completed", "FullyGraded")]


def test_canvas_hears_when_it_was_handed_in(tmp_path: Path, lms: Gradebook) -> None:
    with bridge_before(tmp_path, lms, "canvas") as bridge:
        handed_in(bridge, scopes=(ags.SCORE,))
        bridge.deliver(7 * 86_400)
        bridge.report("80", scopes=ALL)
        bridge.deliver()
    first, second = lms.scores
    assert first["submission"] == second["submission"]
    extension = "https://canvas.instructure.com/lti/submission"
    assert "new_submission" not in first[extension]
    assert second[extension]["new_submission"] is False
