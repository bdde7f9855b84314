"""Basic Outcomes of LTI 1.3 tools: a token, the 1.3 media type, and one cell with AGS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from werkzeug.test import TestResponse

from tests.flow.signing import NS, document
from tests.platform.services.platform import (
    LINE_ITEM,
    OUTCOME,
    OUTCOME_TYPE,
    SCORE,
    URL,
    Learner,
    Platform,
    Tool,
)

PATH = f"{URL}/platform/outcomes"
_users = iter(range(10_000))


@pytest.fixture
def eve(platform: Platform) -> Learner:
    """A learner of their own for each test."""
    name = f"eve-{next(_users)}"
    learner = platform.open(user=name)
    return Learner({**learner.claims, "name": name})


def said(answer: TestResponse) -> tuple[int, str]:
    """Status and imsx_codeMajor."""
    root = ElementTree.fromstring(answer.data)  # noqa: S314 - the bridge's own
    assert root.tag == f"{{{NS}}}imsx_POXEnvelopeResponse"
    return answer.status_code, root.findtext(f".//{{{NS}}}imsx_codeMajor") or ""


def text_of(answer: TestResponse) -> str | None:
    """The score of a readResult."""
    return ElementTree.fromstring(answer.data).findtext(f".//{{{NS}}}textString")  # noqa: S314


def post(tool: Tool, operation: str, learner: Learner, score: str | None = None) -> TestResponse:
    """One outcome message with a fresh token."""
    body = document(operation, learner.sourced_id, score)
    return tool.call("POST", PATH, OUTCOME, body, OUTCOME_TYPE)


def given(platform: Platform, learner: Learner) -> str | None:
    """The grade that the LMS is to show."""
    return platform.grade(learner.claims["name"])[0]


@pytest.mark.spec("P13BO-02", "P13BO-03", "P13BO-04")
def test_a_grade_is_replaced_read_and_deleted_with_a_token(
    platform: Platform, eve: Learner
) -> None:
    quiz = platform.quiz
    answer = post(quiz, "replaceResult", eve, "0.85")
    assert said(answer) == (200, "success")
    assert answer.content_type == OUTCOME_TYPE
    assert given(platform, eve) == "0.85"
    assert text_of(post(quiz, "readResult", eve)) == "0.85"
    assert said(post(quiz, "deleteResult", eve)) == (200, "success")
    assert given(platform, eve) is None
    assert text_of(post(quiz, "readResult", eve)) == ""
    assert said(post(quiz, "deleteResult", eve)) == (200, "success")
    for bad in ("1.1", "-1", "", "NaN", "0,5"):
        assert said(post(quiz, "replaceResult", eve, bad)) == (200, "failure")
    assert said(post(quiz, "fooResult", eve)) == (200, "unsupported")
    assert given(platform, eve) is None


@pytest.mark.spec("P13BO-03")
def test_both_media_types_are_taken_and_no_other(platform: Platform, eve: Learner) -> None:
    body = document("replaceResult", eve.sourced_id, "0.5")
    for kind in (OUTCOME_TYPE, "application/xml", f"{OUTCOME_TYPE}; charset=utf-8"):
        answer = platform.quiz.call("POST", PATH, OUTCOME, body, kind)
        assert said(answer) == (200, "success")
        assert answer.content_type == kind.partition(";")[0]
    for kind in ("text/xml", "application/json", None):
        before = platform.snapshot()
        answer = platform.quiz.call("POST", PATH, OUTCOME, body, kind)
        assert said(answer) == (400, "failure")
        assert platform.snapshot() == before


@pytest.mark.spec("P13BO-02", "SECP-18", "SECP-45")
def test_other_scopes_and_forged_tokens_change_nothing(platform: Platform, eve: Learner) -> None:
    body = document("replaceResult", eve.sourced_id, "1")
    before = platform.snapshot()
    answer = platform.quiz.call("POST", PATH, SCORE, body, OUTCOME_TYPE)
    assert said(answer) == (403, "failure")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    token = platform.quiz.token(OUTCOME, LINE_ITEM)
    for forged in ("x", token[:-3] + "AAA", platform.quiz.assertion()):
        answer = platform.quiz.send("POST", PATH, forged, body, OUTCOME_TYPE)
        assert said(answer) == (401, "failure")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    query = f"/platform/outcomes?access_token={token}"
    answer = platform.client.post(query, data=body, content_type="application/xml")
    assert said(answer) == (401, "failure")
    assert platform.snapshot() == before


@pytest.mark.spec("P13BO-06", "SECP-42", "SECP-44")
def test_a_sourcedid_of_another_tool_is_not_known(platform: Platform, eve: Learner) -> None:
    foreign = platform.open("lean", user="lean-user")
    before = platform.snapshot()
    for operation in ("replaceResult", "readResult", "deleteResult"):
        score = "1" if operation == "replaceResult" else None
        answers = [
            post(platform.lean, operation, eve, score),
            post(platform.quiz, operation, foreign, score),
        ]
        for sourced_id in (eve.sourced_id[:-1] + "x", "x", "", ".", eve.sourced_id + "x"):
            body = document(operation, sourced_id, score)
            answers.append(platform.quiz.call("POST", PATH, OUTCOME, body, OUTCOME_TYPE))
        assert {said(answer) for answer in answers} == {(200, "failure")}
        texts = {
            ElementTree.fromstring(answer.data).findtext(f".//{{{NS}}}imsx_description")  # noqa: S314
            for answer in answers
        }
        assert len(texts) == 1
    assert platform.snapshot() == before
    assert said(post(platform.lean, "replaceResult", foreign, "1")) == (200, "success")


@pytest.mark.spec("P13BO-04", "SECP-01", "SECP-04")
def test_broken_xml_changes_nothing(platform: Platform, eve: Learner) -> None:
    good = document("replaceResult", eve.sourced_id, "1")
    before = platform.snapshot()
    for body in (
        b"",
        b"<x",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + good,
        good.replace(b"imsoms_v1p0", b"other"),
        good + b"\0",
        b" " * 70_000,
    ):
        answer = platform.quiz.call("POST", PATH, OUTCOME, body, OUTCOME_TYPE)
        assert said(answer) == (400, "failure")
    assert platform.snapshot() == before


@pytest.mark.spec("P13BO-05", "P13AL-15")
def test_both_services_write_one_cell(fresh: Platform) -> None:
    ann, quiz = fresh.open(), fresh.quiz
    definition = {"label": "x", "scoreMaximum": 60}
    kind = "application/vnd.ims.lis.v2.lineitem+json"
    assert quiz.call("PUT", ann.line_item, LINE_ITEM, definition, kind).status_code == 200
    assert said(post(quiz, "replaceResult", ann, "0.5")) == (200, "success")
    (found,) = quiz.results(ann.line_item)
    assert (found["userId"], found["resultScore"]) == (ann.user_id, 30)
    assert quiz.score(ann, "2026-01-01T00:00:00Z", scoreGiven=1).status_code == 409
    newer = datetime.now(UTC).isoformat()
    assert quiz.score(ann, newer, scoreGiven=15, scoreMaximum=60).status_code == 200
    assert text_of(post(quiz, "readResult", ann)) == "0.25"
    assert said(post(quiz, "deleteResult", ann)) == (200, "success")
    assert quiz.results(ann.line_item) == []
    assert fresh.grade()[0] is None


@pytest.mark.spec("P13BO-05", "P13AS-19")
def test_both_services_at_once_end_in_one_grade(fresh: Platform) -> None:
    ann, quiz = fresh.open(), fresh.quiz

    def send(number: int) -> int:
        if number % 2:
            return post(quiz, "replaceResult", ann, f"0.{number:02}").status_code
        now = datetime.now(UTC).isoformat()
        return quiz.score(ann, now, scoreGiven=number, scoreMaximum=100).status_code

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(send, range(10, 34))) <= {200, 409}
    (found,) = quiz.results(ann.line_item)
    given, maximum, _ = fresh.grade()
    assert found["resultScore"] == pytest.approx(100 * float(given) / float(maximum))
