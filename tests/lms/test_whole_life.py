"""A grade's whole life in the gradebook of each family (docs/lms.md), over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.lti import ags
from lti_bridge.sandbox.lms.families import FAMILIES
from lti_bridge.store import grades
from tests.lms.grading import Bridge, bridge_before
from tests.lms.pretend import LINK, PretendLms

GRADE = f"grade-{PretendLms.USER}"
TAKES_NONE = frozenset({"studip"})  # no score at all by AGS, as a running one (docs/lms.md)


class Life:
    """One grade, and what becomes of it: the state, what we think is shown, what is."""

    def __init__(self, family: str, bridge: Bridge, lms: PretendLms) -> None:
        self.family, self.bridge, self.lms = family, bridge, lms

    def report(self, score: str | None, number: int, **more: Any) -> None:
        self.bridge.report(score, user=PretendLms.USER, number=number, **more)

    def after(self) -> tuple[str, str, float | None]:
        """How the delivery stands, what it is believed to show, and what it shows."""
        self.bridge.deliver()
        self.bridge.look(seconds=6)
        row = self.bridge.row()
        return row["delivery"], row["shown"], self.lms.cell().get("score")

    def force(self) -> None:
        grades.resend(self.bridge.database, [GRADE], now=self.bridge.clock(), force=True)


def begin(folder: Path, family: str, **more: Any) -> Iterator[Life]:
    lms = PretendLms(family, **more)
    code = FAMILIES[family].code
    try:
        with bridge_before(folder, lms, code) as bridge:
            bridge.clock.now = datetime.now(UTC)
            known = bridge.registrations["lms"]
            for scope in (ags.SCORE, ags.RESULT_READ, ags.LINE_ITEM):
                bridge.tokens.get(known, frozenset({scope}), "1")  # before the clock runs ahead
            yield Life(family, bridge, lms)
    finally:
        lms.stop()


@pytest.fixture(params=sorted(FAMILIES.keys() - TAKES_NONE))
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    yield from begin(tmp_path, request.param)


@pytest.mark.parametrize("family", sorted(TAKES_NONE))
def test_a_family_that_takes_no_score_says_so_each_time(family: str, tmp_path: Path) -> None:
    for life in begin(tmp_path, family):
        life.report("60", 1)
        assert life.after() == ("refused", "", None)
        life.lms.teacher(75)
        life.report("90", 2)
        assert life.after() == ("refused", "", 75)  # nothing of the teacher's is touched
        asked = [call["status"] for call in life.lms.log() if call["path"].endswith("/scores")]
        assert asked == [404, 404]  # each was sent once, and what was answered is the reason
        assert "HTTP 404" in life.bridge.row()["last_error"]


def test_a_grade_from_its_first_day_to_its_last(life: Life) -> None:
    life.report("60", 1)
    assert life.after() == ("delivered", "60/100", 60)
    life.report("90", 2)  # better
    assert life.after() == ("delivered", "90/100", 90)
    life.report("40", 3)  # worse, where the last one counts
    assert life.after() == ("delivered", "40/100", 40)
    life.report("45", 3)  # corrected
    assert life.after() == ("delivered", "45/100", 45)
    for number in (3, 2, 1):
        life.report(None, number)  # invalidated
    assert life.after() == ("delivered", "-", None)
    life.report(None, 4, state="awaiting-marks")  # handed in, marks to come
    assert life.after() == ("delivered", "-", None)
    life.report("70", 4)
    assert life.after() == ("delivered", "70/100", 70)


def test_a_teachers_word_stays_until_it_goes_or_a_person_says_otherwise(life: Life) -> None:
    life.report("60", 1)
    assert life.after() == ("delivered", "60/100", 60)
    life.lms.teacher(75)
    life.report("90", 2)
    assert life.after() == ("waiting", "75/100", 75)
    life.report("92", 2)  # a correction waits, too
    assert life.after() == ("waiting", "75/100", 75)
    life.report(None, 2)
    life.report(None, 1)
    life.report(None, 3, state="awaiting-marks")
    assert life.after() == ("waiting", "75/100", 75)
    life.report("95", 3)
    life.force()
    stays = life.family == "moodle"
    shown = 75 if stays else 95
    assert life.after() == ("delivered", f"{shown}/100", shown)
    assert life.bridge.row()["overridden"] == int(stays)


def test_a_grade_before_ours_is_no_teachers_word(life: Life) -> None:
    life.lms.teacher(75)
    life.report("60", 1)
    stays = life.family == "moodle"
    shown = 75 if stays else 60
    assert life.after() == ("delivered", f"{shown}/100", shown)


@pytest.fixture
def canvas(tmp_path: Path) -> Iterator[Life]:
    yield from begin(tmp_path, "canvas")


def attempts(life: Life) -> int:
    """How often Canvas thinks that work was handed in."""
    return life.lms.cell()["attempts"]  # type: ignore[no-any-return]


def test_canvas_counts_what_was_handed_in_and_nothing_else(canvas: Life) -> None:
    canvas.report(None, 1, state="awaiting-marks")
    canvas.after()
    assert attempts(canvas) == 1
    canvas.report("60", 1)
    assert canvas.after()[2] == 60
    canvas.report("65", 1)
    assert canvas.after()[2] == 65
    assert attempts(canvas) == 1
    canvas.report("90", 2)
    assert canvas.after()[2] == 90
    assert attempts(canvas) == 2
    for number in (2, 1):
        canvas.report(None, number)
    assert canvas.after()[2] is None
    assert attempts(canvas) == 2


def test_canvas_takes_grades_beyond_the_attempts_of_its_assignment(canvas: Life) -> None:
    canvas.lms.control("item", item="1", attempts=1)
    canvas.report("60", 1)
    canvas.after()
    canvas.report("90", 2)
    assert canvas.after() == ("delivered", "90/100", 90)
    assert attempts(canvas) == 1
    for number in (2, 1):
        canvas.report(None, number)
    assert canvas.after() == ("delivered", "-", None)


WITHOUT_RESULTS = {"scopes": (ags.SCORE,)}


def test_marks_to_come_leave_a_teachers_score_where_canvas_shows_no_results(canvas: Life) -> None:
    canvas.lms.teacher(75)
    canvas.report(None, 1, state="awaiting-marks", **WITHOUT_RESULTS)
    assert canvas.after() == ("delivered", "", 75)


def test_marks_to_come_take_a_score_of_ours_away_where_canvas_shows_no_results(
    canvas: Life,
) -> None:
    canvas.report("60", 1, **WITHOUT_RESULTS)
    canvas.after()
    canvas.report(None, 1, **WITHOUT_RESULTS)
    canvas.report(None, 2, state="awaiting-marks", **WITHOUT_RESULTS)
    assert canvas.after() == ("delivered", "", None)


@pytest.mark.parametrize(
    ("family", "course", "words"),
    [
        ("canvas", {"status": "Inactive"}, "HTTP 422: User not found in course"),
        ("canvas", {"maximum": 0}, "HTTP 422: Line item score maximum is 0"),
        ("canvas", {"concluded": True}, "HTTP 404: The specified resource does not exist"),
        ("brightspace", {"status": "Deleted"}, "404: User in requested score does not exist"),
        ("moodle", {"status": "Deleted"}, "HTTP 400"),
    ],
)
def test_a_refusal_says_why(
    tmp_path: Path, family: str, course: dict[str, Any], words: str
) -> None:
    for life in begin(tmp_path, family):
        life.report("60", 1)
        if "status" in course:
            life.lms.control("status", user=PretendLms.USER, **course)
        elif "maximum" in course:
            life.lms.control("item", item="1", **course)
        else:
            life.lms.control("course", **course)
        assert life.after()[0] == "refused"
        assert words in life.bridge.row()["last_error"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("lock", "scores: HTTP 500: the grade or its whole column is locked there"),
        ("delete-link", "scores: HTTP 403: the activity or its column was deleted there"),
        ("delete-item", "scores: HTTP 404: the column, or this learner in it, is not there"),
        ("status", "scores: HTTP 400: it takes no grade of this person"),
    ],
)
def test_moodle_is_understood_where_it_gives_no_reason(
    tmp_path: Path, what: str, words: str
) -> None:
    values: dict[str, dict[str, Any]] = {
        "lock": {"item": "1"},
        "delete-link": {"link": LINK},
        "delete-item": {"item": "1"},
        "status": {"user": PretendLms.USER, "status": "Deleted"},
    }
    for life in begin(tmp_path, "moodle"):
        life.report("60", 1)
        life.lms.control(what, **values[what])
        assert life.after()[0] == "refused"
        assert life.bridge.row()["last_error"].startswith(words)


def test_canvas_has_all_grades_of_a_class_and_none_has_spent_a_try_on_its_bucket(
    tmp_path: Path,
) -> None:
    users = [str(1000 + number) for number in range(40)]
    for life in begin(tmp_path, "canvas", crowd=len(users)):
        life.lms.control("fault", path="/lti/ags", delay_s=2, times=-1)
        for user in users:
            life.bridge.report("60", user=user)
        with ThreadPoolExecutor(32) as pool:
            for _ in range(30):
                life.bridge.passback.deliver_due(pool)
                life.bridge.clock.forward(seconds=1)
        rows = [life.bridge.row(user) for user in users]
        assert {one["delivery"] for one in rows} == {"delivered"}
        assert {one["tries"] for one in rows} == {1}  # the one that was taken
        throttled = [one for one in life.lms.log() if one["status"] == 403]
        assert 0 < len(throttled) < len(users) / 2
