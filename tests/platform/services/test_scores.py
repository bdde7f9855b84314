"""Scores: what a tool says about one user at one line item, and what becomes of it."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lti_bridge.bench.statements import counted
from lti_bridge.lti import ags
from tests.platform.services.platform import RESULT, SCORE, SCORE_TYPE, Learner, Platform

_users = iter(range(10_000))


@pytest.fixture
def bob(platform: Platform) -> Learner:
    """A learner of their own for each test, whose user id is in `claims`."""
    name = f"user-{next(_users)}"
    learner = platform.open(user=name, resource_link_id="scored")
    return Learner({**learner.claims, "name": name})


def grade(platform: Platform, learner: Learner) -> tuple[str | None, str | None]:
    """What the LMS is to show."""
    return platform.grade(learner.claims["name"])[:2]


def awaiting(platform: Platform, learner: Learner) -> str:
    """How the LMS is to hear of marks to come."""
    sql = "SELECT awaiting FROM grades WHERE user_id = :user"
    return str(platform.rows(sql, user=learner.claims["name"])[0][0])


def state(platform: Platform, learner: Learner) -> str:
    """The state of the learner's newest attempt."""
    sql = (
        "SELECT a.state FROM attempts a JOIN learners l ON l.id = a.learner_id"
        " WHERE l.user_id = :user ORDER BY a.number DESC LIMIT 1"
    )
    return str(platform.rows(sql, user=learner.claims["name"])[0][0])


def kept(platform: Platform, learner: Learner) -> dict[str, Any]:
    """What is kept beside the newest score at the learner's own line item."""
    ((more,),) = platform.rows(
        "SELECT s.more FROM tool_scores s JOIN learners l ON l.id = s.learner_id"
        " WHERE l.user_id = :user AND s.line_item_id = :item",
        user=learner.claims["name"],
        item=learner.line_item.rpartition("/")[2],
    )
    return dict(json.loads(more))


def result(platform: Platform, learner: Learner) -> dict[str, Any] | None:
    """The learner's result at their own line item."""
    found = platform.quiz.results(learner.line_item, f"?user_id={learner.user_id}")
    return found[0] if found else None


@pytest.mark.spec("P13AS-01", "P13ID-04")
def test_a_score_is_taken_and_is_on_its_way_to_the_lms(fresh: Platform) -> None:
    ann = fresh.open()
    answer = fresh.quiz.score(ann, scoreGiven=0.85)
    assert answer.status_code == 200
    assert fresh.grade() == ("0.85", "1", "pending")
    loose = fresh.quiz.call(
        "POST",
        f"{ann.line_item}/scores",
        SCORE,
        {
            "userId": ann.user_id,
            "scoreGiven": 85.75,
            "scoreMaximum": 100,
            "timestamp": f"{fresh.tick()}Z",
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "https://example.org/extension": {"a": 1},
        },
        "application/vnd.ims.lis.v1.score+JSON; charset=UTF-8",
    )
    assert loose.status_code == 200
    assert fresh.grade() == ("85.75", "100", "pending")


@pytest.mark.spec("P13AS-03", "P13AS-04", "P13AS-05", "P13AS-11", "P13AS-15", "P13AS-16")
@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {name: value}
            for name in ("userId", "timestamp", "activityProgress", "gradingProgress")
            for value in (..., None, "", 5, "nonsense" if name != "userId" else True, ["x"], {})
        ),
        {"scoreMaximum": ...},
        {"scoreMaximum": None},
        *({"scoreMaximum": value} for value in (0, -1, "1", True, [])),
        *({"scoreGiven": value} for value in (-0.1, "1", True, False, [1], {}, 1e60)),
        *(
            {"timestamp": value}
            for value in (
                "2026-01-01T00:00:00",
                "2026-01-01",
                "01/01/2026",
                "2026-13-01T00:00:00Z",
                "2026-01-01T24:61:00Z",
                "2026-01-01T00:00:00+99:99",
                "2026-W01-1T00:00:00Z",
                1767225600,
                "2026-01-01T00:00:00Z; DROP TABLE",
            )
        ),
        {
            "submission": {
                "startedAt": "2026-01-02T00:00:00Z",
                "submittedAt": "2026-01-01T00:00:00Z",
            }
        },
        {"submission": {"startedAt": "2026-01-02T00:00:00"}},
        {"submission": "x"},
        {"scoringUserId": ""},
        {"scoringUserId": 5},
        {"comment": 5},
        {"comment": "a\0b"},
        {"comment": "x" * 10_001},
    ],
    ids=str,
)
def test_a_wrong_score_changes_nothing(
    platform: Platform, bob: Learner, wrong: dict[str, Any]
) -> None:
    before = platform.snapshot()
    assert platform.quiz.score(bob, **wrong).status_code == 400
    assert platform.snapshot() == before


@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_what_is_empty_is_absent(platform: Platform, bob: Learner, nothing: object) -> None:
    answer = platform.quiz.score(bob, comment=nothing, submission=nothing)
    assert answer.status_code == 200, answer.data


@pytest.mark.spec("P13AS-05")
def test_numbers_that_json_does_not_have_change_nothing(platform: Platform, bob: Learner) -> None:
    good = {
        "userId": bob.user_id,
        "scoreGiven": 7,
        "scoreMaximum": 1,
        "timestamp": f"{platform.tick()}Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    before = platform.snapshot()
    url = f"{bob.line_item}/scores"
    for written in (b"NaN", b"Infinity", b"-Infinity", b"1e999999", b"0x7", b"07", b"1" * 5000):
        body = json.dumps(good).encode().replace(b": 7", b": " + written)
        assert platform.quiz.call("POST", url, SCORE, body, SCORE_TYPE).status_code == 400, written
    assert platform.snapshot() == before


@pytest.mark.spec("P13AS-06", "P13AS-07", "P13AS-20")
@pytest.mark.parametrize(
    ("given", "maximum", "shown"),
    [
        ("1.1", "1", "110"),
        ("1", "3", "33.33333333333333333333333333"),
        ("0.33333", "1", "33.333"),
        ("85.75", "100", "85.75"),
        ("0", "10", "0"),
        ("0.1234567890123456789", "1", "12.34567890123456789"),
        ("1e-1", "1E+0", "10"),
    ],
)
def test_numbers_stay_exact(
    platform: Platform, bob: Learner, given: str, maximum: str, shown: str
) -> None:
    body = (
        f'{{"userId":"{bob.user_id}","scoreGiven":{given},"scoreMaximum":{maximum},'
        f'"timestamp":"{platform.tick()}Z","activityProgress":"Completed",'
        '"gradingProgress":"FullyGraded"}'
    )
    url = f"{bob.line_item}/scores"
    answer = platform.quiz.call("POST", url, SCORE, body.encode(), SCORE_TYPE)
    assert answer.status_code == 200, answer.data
    results = platform.quiz.call(
        "GET",
        f"{bob.line_item}/results?user_id={bob.user_id}",
        "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
    )
    assert f'"resultScore":{shown},"resultMaximum":100' in results.text
    assert grade(platform, bob)[0] == {"1e-1": "0.1"}.get(given, given)


@pytest.mark.spec("P13AS-07")
@pytest.mark.parametrize(("given", "of", "maximum", "shown"), [(1, 3, 6, 2), (2, 6, 3, 1)])
def test_a_third_of_a_maximum_is_exact(  # a third, divided first, would be rounded
    platform: Platform, bob: Learner, given: int, of: int, maximum: int, shown: int
) -> None:
    url = platform.quiz.create(bob, scoreMaximum=maximum).json["id"]
    assert platform.quiz.score(bob, item=url, scoreGiven=given, scoreMaximum=of).status_code == 200
    written = platform.quiz.call("GET", f"{url}/results", RESULT).data
    (found,) = json.loads(written, parse_int=Decimal, parse_float=Decimal)
    assert (found["resultScore"], found["resultMaximum"]) == (Decimal(shown), Decimal(maximum))


@pytest.mark.spec("P13AS-08", "AMB-09")
@pytest.mark.parametrize("nothing", [..., None])
def test_a_score_without_score_clears(platform: Platform, bob: Learner, nothing: Any) -> None:
    platform.quiz.score(bob, scoreGiven=0.5)
    assert grade(platform, bob) == ("0.5", "1")
    assert platform.quiz.score(bob, scoreGiven=nothing).status_code == 200
    assert (grade(platform, bob), result(platform, bob)) == ((None, None), None)
    assert state(platform, bob) == "invalidated"
    assert platform.quiz.score(bob, scoreGiven=0.75).status_code == 200
    assert grade(platform, bob) == ("0.75", "1")


@pytest.mark.spec("P13AS-09", "SECP-48")
def test_an_older_score_changes_nothing(platform: Platform, bob: Learner) -> None:
    late, early = "2026-05-05T10:00:00.000002Z", "2026-05-05T10:00:00.000001Z"
    assert platform.quiz.score(bob, late, scoreGiven=0.9).status_code == 200
    before = platform.snapshot()
    for at in (early, "2025-01-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        stale = platform.quiz.score(bob, at, scoreGiven=1)
        assert (stale.status_code, stale.json["error"]) == (409, "stale-score")
    assert platform.snapshot() == before


@pytest.mark.spec("P13AS-09", "AMB-10")
def test_the_same_score_again_is_fine_and_another_one_is_not(
    platform: Platform, bob: Learner
) -> None:
    at = "2026-05-05T10:00:00.736Z"
    assert platform.quiz.score(bob, at, scoreGiven=0.50).status_code == 200
    before = platform.snapshot()
    same = "2026-05-05T12:00:00.736000+02"
    assert platform.quiz.score(bob, same, scoreGiven=0.5).status_code == 200
    assert platform.quiz.score(bob, at, scoreGiven=0.6).status_code == 409
    assert platform.quiz.score(bob, at, scoreGiven=0.5, comment="new").status_code == 409
    assert platform.snapshot() == before


@pytest.mark.spec("P13AS-10")
def test_times_are_compared_as_instants(platform: Platform, bob: Learner) -> None:
    for at, status in (
        ("2026-04-16T18:54:35Z", 200),
        ("2026-04-16T20:54:36+02:00", 200),
        ("2026-04-16T18:54:36.736Z", 200),
        ("2026-04-16T18:54:36.736+00:00", 409),
        ("2026-04-16T18:54:36.736+00", 409),
        ("2026-04-16T23:00:00+12:00", 409),
        ("2026-04-16T18:54:36.7361Z", 200),
        ("2026-04-16T06:54:37-12:00", 200),
    ):
        score = random.random()
        assert platform.quiz.score(bob, at, scoreGiven=score).status_code == status, at


@pytest.mark.spec("SECP-48")
def test_a_time_far_ahead_is_refused(platform: Platform, bob: Learner) -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    assert platform.quiz.score(bob, ahead.isoformat(), scoreGiven=0.1).status_code == 200
    before = platform.snapshot()
    for at in ((ahead + timedelta(seconds=60)).isoformat(), "9999-12-31T23:59:59Z"):
        assert platform.quiz.score(bob, at).status_code == 400
    assert platform.snapshot() == before


@pytest.mark.spec("P13AS-12", "P13AS-08", "BR-11")
def test_progress_without_a_full_grade_is_kept_and_gives_none(
    platform: Platform, bob: Learner
) -> None:
    steps = (
        ("Initialized", "NotReady", ..., "started"),
        ("Started", "NotReady", ..., "started"),
        ("InProgress", "NotReady", 0.2, "started"),
        ("Submitted", "NotReady", ..., "finished"),
        ("Submitted", "Pending", ..., "awaiting-marks"),
        ("Completed", "PendingManual", 0.4, "awaiting-marks"),
        ("Completed", "Failed", ..., "finished"),
    )
    for activity, grading, score, wanted in steps:
        answer = platform.quiz.score(
            bob, activityProgress=activity, gradingProgress=grading, scoreGiven=score
        )
        assert answer.status_code == 200
        assert (state(platform, bob), grade(platform, bob)) == (wanted, (None, None))
        assert awaiting(platform, bob) == ""  # an LMS of version 1.1 has no word for it
        progress = {"activityProgress": activity, "gradingProgress": grading}
        assert kept(platform, bob).items() >= progress.items()
        assert result(platform, bob) is None
    platform.quiz.score(bob, scoreGiven=0.8)
    assert (state(platform, bob), grade(platform, bob)) == ("graded", ("0.8", "1"))
    # a preliminary score leaves the grade that is there
    platform.quiz.score(bob, gradingProgress="Pending", scoreGiven=0.9)
    assert grade(platform, bob) == ("0.8", "1")
    assert (result(platform, bob) or {})["resultScore"] == 80


@pytest.mark.spec("BR-11")
def test_the_tools_own_word_for_marks_to_come_goes_on(platform: Platform, bob: Learner) -> None:
    with platform.bridge.store.database.writing() as connection:  # as if the LMS spoke 1.3
        place = {"item": "https://lms.example.edu/item", "scopes": ags.SCORE}
        target = "UPDATE grades SET outcome_url = '', line_item = :item, scopes = :scopes"
        connection.execute(text(target), place)
    for grading, told in (
        ("PendingManual", "PendingManual"),
        ("Pending", "Pending"),
        ("NotReady", ""),
        ("PendingManual", "PendingManual"),
        ("FullyGraded", ""),
    ):
        score = 0.4 if grading == "FullyGraded" else ...
        platform.quiz.score(bob, gradingProgress=grading, scoreGiven=score)
        assert awaiting(platform, bob) == told


@pytest.mark.spec("AMB-09")
def test_progress_after_a_grade_is_no_message_to_the_lms(platform: Platform, bob: Learner) -> None:
    """So nothing that the bridge sends on can clear a grade by mistake."""
    told = "SELECT version FROM grades WHERE user_id = :user"
    versions = []
    for grading, score in (("FullyGraded", 0.8), ("Pending", 0.9), ("PendingManual", 0.1)):
        answer = platform.quiz.score(bob, gradingProgress=grading, scoreGiven=score)
        assert answer.status_code == 200
        assert grade(platform, bob) == ("0.8", "1")
        versions.append(platform.rows(told, user=bob.claims["name"]))
    assert versions == [[(1,)]] * 3


@pytest.mark.spec("P13AS-13")
def test_a_comment_goes_with_its_score(platform: Platform, bob: Learner) -> None:
    for comment, shown in (("Well done", "Well done"), ("Better", "Better"), (" ", None)):
        platform.quiz.score(bob, comment=comment, scoringUserId="teacher")
        found = result(platform, bob) or {}
        assert found.get("comment") == shown
        assert found["scoringUserId"] == "teacher"
    platform.quiz.score(bob, comment="x")
    platform.quiz.score(bob)
    assert "comment" not in (result(platform, bob) or {"comment": ""})
    platform.quiz.score(bob, comment="x")
    platform.quiz.score(bob, comment=None)
    assert "comment" not in (result(platform, bob) or {"comment": ""})


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.spec("P13AS-14")
def test_the_times_of_a_submission(platform: Platform, bob: Learner) -> None:
    def said(activity: str, at: str, **submission: str) -> tuple[int | None, int | None]:
        more = {"submission": submission} if submission else {}
        answer = platform.quiz.score(
            bob, at, activityProgress=activity, gradingProgress="NotReady", scoreGiven=..., **more
        )
        assert answer.status_code == 200
        found = kept(platform, bob)
        return found.get("startedAt"), found.get("submittedAt")

    day = [f"2026-02-{number:02}T00:00:00+00:00" for number in range(1, 20)]
    us = [_us(one) for one in day]
    assert said("Initialized", day[1]) == (None, None)
    assert said("Started", day[2]) == (us[2], None)
    assert said("InProgress", day[3]) == (us[2], None)
    assert said("Submitted", day[4]) == (us[2], us[4])
    assert said("Completed", day[5]) == (us[2], us[4])
    assert said("InProgress", day[6]) == (us[2], None)
    given = {"startedAt": day[0], "submittedAt": day[3]}
    assert said("Completed", day[7], **given) == (us[0], us[3])
    assert said("Completed", day[8]) == (us[0], us[3])
    assert said("Initialized", day[9]) == (None, None)
    assert said("Submitted", day[10], startedAt=day[9]) == (us[9], us[10])


@pytest.mark.spec("P13AS-17", "SECP-44", "AMB-14")
def test_a_user_that_the_course_does_not_know_is_refused(platform: Platform, bob: Learner) -> None:
    elsewhere = platform.open(user="elsewhere", context_id="else", resource_link_id="else")
    own = platform.quiz.create(bob).json["id"]
    before = platform.snapshot()
    for item in (bob.line_item, own):
        for user in ("nobody", bob.claims["name"], bob.user_id[:-1], "' OR 1=1 --"):
            assert platform.quiz.score(bob, item=item, userId=user).status_code == 404, user
        # one whom the tool knows, and not of this course
        assert platform.quiz.score(bob, item=item, userId=elsewhere.user_id).status_code == 403
    assert platform.snapshot() == before


@pytest.mark.spec("P13AS-18")
def test_a_user_without_an_attempt_is_refused_with_a_reason(platform: Platform) -> None:
    """Known in the course by another link; and the LMS names places of grades by LTI 1.1."""
    bob = platform.open(user="bob", resource_link_id="by-outcomes")
    there = platform.open(user="other-link", resource_link_id="other-link")
    before = platform.snapshot()
    answer = platform.quiz.score(bob, userId=there.user_id)
    assert answer.status_code == 403, answer.data
    assert answer.json["error"] == "score-refused"
    assert "only when they open the link" in answer.json["error_description"]
    assert platform.snapshot() == before


def test_only_the_deciding_line_item_of_a_link_is_a_grade(platform: Platform) -> None:
    learner = platform.open(user="several", resource_link_id="of several")
    bob = Learner({**learner.claims, "name": "several"})
    second = platform.quiz.create(bob, resourceLinkId=bob.link).json["id"]
    free = platform.quiz.create(bob).json["id"]
    for item in (second, free):
        assert platform.quiz.score(bob, item=item, scoreGiven=0.3).status_code == 200
        assert len(platform.quiz.results(item)) == 1
    assert grade(platform, bob) == (None, None)
    platform.quiz.score(bob, scoreGiven=0.4)
    assert grade(platform, bob) == ("0.4", "1")


def test_without_a_declared_line_item_the_oldest_of_the_link_decides(fresh: Platform) -> None:
    # an LMS that wants no grade, at first
    nothing = {"lis_outcome_service_url": None, "lis_result_sourcedid": None}
    ann = fresh.open(**nothing)
    made = [fresh.quiz.create(ann, resourceLinkId=ann.link).json["id"] for _ in range(2)]
    time.sleep(0.01)
    decides = fresh.rows("SELECT id FROM tool_line_items ORDER BY by_tool, created_at, id")[0][0]
    first, second = sorted(made, key=lambda url: not url.endswith(decides))
    fresh.quiz.score(ann, item=second, scoreGiven=0.2)
    assert fresh.grade()[0] is None
    fresh.quiz.score(ann, item=first, scoreGiven=0.6)
    assert fresh.grade()[:2] == ("0.6", "1")
    later = fresh.open()  # now the LMS wants one: the declared line item decides
    declared = fresh.rows("SELECT id FROM tool_line_items WHERE by_tool = 0")[0][0]
    fresh.quiz.score(later, item=f"{later.line_items}/{declared}", scoreGiven=0.7)
    fresh.quiz.score(ann, item=first, scoreGiven=0.8)
    assert fresh.grade()[:2] == ("0.7", "1")


def test_a_score_is_for_the_open_attempt_else_for_the_newest(fresh: Platform) -> None:
    ann = fresh.open()
    fresh.quiz.score(ann, scoreGiven=0.9)
    fresh.open()  # a second attempt
    fresh.quiz.score(ann, scoreGiven=0.5)
    fresh.quiz.score(ann, scoreGiven=0.6)
    rows = fresh.rows("SELECT number, state, given FROM attempts ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, "graded", "0.9"), (2, "graded", "0.6")]
    assert fresh.grade()[0] == "0.9"  # the best counts


@pytest.mark.spec("P13AS-19")
def test_of_twenty_scores_at_once_the_latest_wins(fresh: Platform) -> None:
    ann = fresh.open()
    free = fresh.quiz.create(ann).json["id"]
    token = fresh.quiz.token(SCORE)
    times = [f"2026-03-03T00:00:00.{number:06}Z" for number in range(1, 21)]

    def post(number: int) -> set[int]:
        body = {
            "userId": ann.user_id,
            "scoreGiven": number,
            "scoreMaximum": 20,
            "timestamp": times[number - 1],
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
        }
        return {
            fresh.quiz.send("POST", f"{item}/scores", token, body, SCORE_TYPE).status_code
            for item in (ann.line_item, free)
        }

    numbers = random.sample(range(1, 21), 20)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, numbers))
    assert set().union(*answers) <= {200, 409}
    assert fresh.grade()[:2] == ("20", "20")
    for item, maximum in ((ann.line_item, 100), (free, 60)):
        assert [one["resultScore"] for one in fresh.quiz.results(item)] == [maximum]


def test_a_line_item_deleted_meanwhile_breaks_nothing(fresh: Platform) -> None:
    ann = fresh.open()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            url = fresh.quiz.create(ann).json["id"]
            scope = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
            scored = [pool.submit(fresh.quiz.score, ann, item=url) for _ in range(4)]
            gone = pool.submit(fresh.quiz.call, "DELETE", url, scope)
            assert gone.result().status_code == 204
            assert {one.result().status_code for one in scored} <= {200, 404, 409}
    assert fresh.rows("SELECT * FROM tool_scores") == []


def test_a_score_costs_a_fixed_number_of_statements(platform: Platform, bob: Learner) -> None:
    token = platform.quiz.token(SCORE)
    body = {
        "userId": bob.user_id,
        "scoreGiven": 1,
        "scoreMaximum": 2,
        "timestamp": f"{platform.tick()}Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    with counted(platform.bridge.store.database) as seen:
        url = f"{bob.line_item}/scores"
        assert platform.quiz.send("POST", url, token, body, SCORE_TYPE).status_code == 200
    assert len(seen) == 7, seen
    with platform.bridge.store.database.reading() as connection:
        for statement in seen:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            steps = [row[3] for row in plan]
            assert not [step for step in steps if step.startswith("SCAN")], (statement, steps)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
MEMBERS = (
    "userId",
    "scoreGiven",
    "scoreMaximum",
    "timestamp",
    "activityProgress",
    "gradingProgress",
    "comment",
    "submission",
    "scoringUserId",
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3), st.binary(max_size=40))
def test_no_body_breaks_anything(platform: Platform, members: dict[str, Any], raw: bytes) -> None:
    carl = platform.open(user="carl", resource_link_id="garbage")
    answer = platform.quiz.score(carl, **members)
    assert answer.status_code in (200, 400, 404), answer.data
    url = f"{carl.line_item}/scores"
    assert platform.quiz.call("POST", url, SCORE, raw, SCORE_TYPE).status_code == 400
