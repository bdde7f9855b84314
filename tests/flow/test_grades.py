"""Which grade a gradebook shows: policies, order, times, and nothing sent twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import sqlalchemy

from tests.flow.rig import POLICIES, Rig, Sitting
from tests.flow.school import Call, Err
from tests.flow.world import eventually

# after attempts of 0.4, 0.9 and 0.6; after the second becomes 0.5; after it is taken back
SHOWN = {
    "best": ["0.4", "0.9", "0.9", "0.6", "0.6"],
    "last": ["0.4", "0.9", "0.6", "0.6", "0.6"],
    "first": ["0.4", "0.4", "0.4", "0.4", "0.4"],
    "mean": ["0.4", "0.65", "0.6" + "3" * 27, "0.5", "0.5"],
}
SENT = {"best": 3, "last": 3, "first": 1, "mean": 4}


def settled(rig: Rig, sitting: Sitting) -> Callable[[], bool]:
    """Whether the newest grade of the cell was delivered."""

    def look() -> bool:
        row = rig.grade(sitting)
        return bool(row["delivery"] == "delivered" and row["delivered_version"] == row["version"])

    return look


def sent(rig: Rig, sitting: Sitting) -> list[Call]:
    """The calls for a learner, once everything reported so far has been dealt with."""
    eventually(settled(rig, sitting), True)
    return rig.school.of(sitting.learner)


def test_the_policy_decides_what_the_gradebook_shows(fresh_rig: Rig) -> None:
    cells = [(lms, policy) for lms in ("old", "new") for policy in POLICIES]
    sittings: dict[tuple[str, str], list[Sitting]] = {cell: [] for cell in cells}

    def shown(number: int) -> None:
        for cell in cells:
            learner = sittings[cell][0].learner
            eventually(lambda of=learner: fresh_rig.school.cells.get(of), SHOWN[cell[1]][number])
            eventually(settled(fresh_rig, sittings[cell][0]), True)

    for number, score in enumerate(("0.4", "0.9", "0.6")):
        for lms, policy in cells:
            sitting = fresh_rig.sit(lms, policy, f"{policy}-{lms}")
            assert sitting not in sittings[lms, policy]
            sittings[lms, policy].append(sitting)
            assert fresh_rig.report(sitting, score).said == (200, "success")
        shown(number)
    for cell in cells:
        assert fresh_rig.report(sittings[cell][1], "0.5").said == (200, "success")
    shown(3)
    for cell in cells:
        assert fresh_rig.delete(sittings[cell][1]).said == (200, "success")
    shown(4)
    for cell in cells:
        assert len(sent(fresh_rig, sittings[cell][0])) == SENT[cell[1]], cell
        assert [fresh_rig.read(one) for one in sittings[cell]] == ["0.4", "", "0.6"]
        for sitting in sittings[cell]:
            assert fresh_rig.delete(sitting).said == (200, "success")
    for cell in cells:  # when all is taken back, the gradebook is empty again
        eventually(lambda of=sittings[cell][0].learner: fresh_rig.school.cells[of], None)


@pytest.mark.spec("T13AG-09")
@pytest.mark.parametrize("lms", ["old", "new"])
def test_the_same_grade_reported_again_sends_nothing(rig: Rig, lms: str) -> None:
    sitting = rig.sit(lms)
    for score in ("0.5", "0.5", "0.50", ".5", "5e-1", "0.500000"):
        assert rig.report(sitting, score).said == (200, "success")
    again = rig.sit(lms, learner=sitting.learner)
    assert rig.report(again, "0.4999").said == (200, "success")  # not better
    assert [call.value for call in sent(rig, sitting)] == ["0.5"]
    assert rig.report(again, "0.6").said == (200, "success")
    eventually(lambda: rig.school.cells[sitting.learner], "0.6")
    assert len(sent(rig, sitting)) == 2


@pytest.mark.spec("T13AG-06", "BR-13")
def test_times_rise_by_whole_seconds(rig: Rig) -> None:
    sitting = rig.sit("new", "last")
    scores = [f"0.{number}" for number in range(1, 7)]
    for score in scores:
        assert rig.report(sitting, score).said == (200, "success")
        eventually(lambda score=score: rig.school.cells.get(sitting.learner), score)
        eventually(settled(rig, sitting), True)
    calls = sent(rig, sitting)
    assert [call.value for call in calls] == scores
    seconds = [int(call.stamp.timestamp()) for call in calls]
    assert all(earlier < later for earlier, later in pairwise(seconds))
    assert {call.status for call in calls} == {200}


@pytest.mark.spec("P11O-21", "T13AG-06")
def test_concurrent_grades_for_one_cell(fresh_rig: Rig) -> None:
    old, new = fresh_rig.sit("old", "last"), fresh_rig.sit("new", "last")
    scores = [f"0.{number}" for number in range(11, 30)]
    with ThreadPoolExecutor(12) as pool:
        tasks = [(sitting, score) for score in scores for sitting in (old, new)]
        replies = list(pool.map(lambda task: fresh_rig.report(*task), tasks))
    assert {reply.said for reply in replies} == {(200, "success")}
    for sitting in (old, new):
        attempt = sitting.sourced_id.split(".")[0]
        sql = "SELECT given FROM results WHERE attempt_id = :attempt"
        kept = [row["given"].ljust(4, "0") for row in fresh_rig.rows(sql, attempt=attempt)]
        assert sorted(kept) == scores
        calls = sent(fresh_rig, sitting)
        row = fresh_rig.grade(sitting)
        assert row["version"] == len(scores)
        last = fresh_rig.read(sitting)
        assert last == row["given"] == calls[-1].value == fresh_rig.school.cells[sitting.learner]
        assert len({call.value for call in calls}) == len(calls)
        if sitting is new:
            assert all(a.stamp < b.stamp for a, b in pairwise(calls))


@pytest.mark.spec("BR-13")
@pytest.mark.parametrize("lms", ["old", "new"])
def test_a_newer_grade_waits_for_the_older_one(rig: Rig, lms: str) -> None:
    sitting = rig.sit(lms, "last")
    rig.school.errs[sitting.learner] = [Err(503), Err(late_s=0.7, stores=True, status=500)]
    assert rig.report(sitting, "0.9").said == (200, "success")
    eventually(lambda: rig.grade(sitting)["tries"], 1)
    # as if it had failed often: the retry of the older one would be in two hours
    with rig.engine.begin() as connection:
        hours = "UPDATE grades SET tries = 7, due_at = 1 WHERE user_id = :user"
        connection.execute(sqlalchemy.text(hours), {"user": sitting.learner})
    eventually(lambda: len(rig.school.of(sitting.learner)), 2)
    assert rig.report(sitting, "0.3").said == (200, "success")
    eventually(lambda: rig.school.cells[sitting.learner], "0.3")
    _, older, newer, *once_more = sent(rig, sitting)
    assert (older.value, newer.value) == ("0.9", "0.3")
    assert newer.at - older.at > 0.7
    # where nobody can look, the newer one is sent once more (docs/decisions/0026)
    assert [call.value for call in once_more] == (["0.3"] if lms == "new" else [])


@pytest.mark.spec("T11O-11")
def test_each_lms_gets_its_own_learners_under_its_own_key(rig: Rig) -> None:
    sittings = [rig.sit(lms) for lms in ("old", "other", "old", "other")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda sitting: rig.report(sitting, "0.5"), sittings))
    for sitting in sittings:
        (call,) = sent(rig, sitting)
        assert call.oauth["oauth_consumer_key"] == f"{sitting.lms}-key"


@pytest.mark.spec("T11O-11")
def test_a_learner_of_two_lms_has_two_cells(rig: Rig) -> None:
    old, other = rig.sit("old", learner="twice"), rig.sit("other", learner="twice")
    assert old.sourced_id != other.sourced_id
    assert rig.report(old, "0.25").major == "success"
    (call,) = sent(rig, old)
    assert call.oauth["oauth_consumer_key"] == "old-key"
    assert rig.grade(other)["version"] == 0
    assert rig.read(other) == ""


def test_the_newest_place_for_a_grade_is_used(rig: Rig) -> None:
    sitting = rig.sit()
    moved = f"{rig.school.url}/outcome/moved?course=8"
    assert rig.sit(learner=sitting.learner, lis_outcome_service_url=moved) == sitting
    assert rig.report(sitting, "0.5").major == "success"
    (call,) = sent(rig, sitting)
    assert call.path == "/outcome/moved?course=8"


def test_without_a_place_for_grades_there_is_no_sourcedid(rig: Rig) -> None:
    sitting = rig.sit(lis_outcome_service_url="", lis_result_sourcedid="")
    assert sitting.sourced_id == ""
