"""Bringing grades to LMSs that answer rightly, wrongly, late or not at all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

import jwt
import pytest

from tests.flow.rig import Rig, Sitting, cell_id
from tests.flow.school import AGS, LTI, OUTCOME_CLAIM, OUTCOME_SCOPE, QUERY, SCORE, Call, Err
from tests.flow.signing import NS, reply_document, words
from tests.flow.test_grades import sent, settled
from tests.flow.world import eventually

RESULT_READ = AGS + "scope/result.readonly"
HTML = b"<html><body>Maintenance</body></html>"


@dataclass(frozen=True)
class Case:
    """What the LMS answers to the first calls, and how the grade ends."""

    errs: tuple[Err, ...]
    state: str = "delivered"
    calls: int = 1
    reason: str = ""
    lms: str = "old"


def pox(major: str, status: int = 200, reference: str = "", **more: str) -> Err:
    """An envelope as the answer; without a reference it belongs to any message."""
    return Err(status, reply_document(major, reference, **more))


def again(*errs: Err, **more: str) -> Case:
    """Not delivered by these tries, but by the next."""
    return Case(errs, calls=len(errs) + 1, **more)


def refused(err: Err, reason: str, **more: str) -> Case:
    """Refused for good by the first answer."""
    return Case((err,), "refused", reason=reason, **more)


BARE = reply_document("success", "").replace(b' xmlns="' + NS.encode() + b'"', b"")
CASES = {
    "success as text/html": Case((pox("success"),)),
    "success as application/xml": Case((Err(200, BARE, "application/xml"),)),
    "success 201": Case((pox("success", 201),)),
    "success with a warning": Case((pox("success", severity="warning"),)),
    "success in capitals": Case((pox("Success"),)),
    "processing": Case((pox("processing"),)),
    "failure": refused(pox("failure", description="No such user"), "No such user"),
    "failure 400": refused(pox("failure", 400, description="bad id"), "bad id"),
    "failure 401": refused(pox("failure", 401, description="signature"), "signature"),
    "failure 403": refused(pox("failure", 403, description="closed"), "closed"),
    "failure 404": refused(pox("failure", 404, description="gone"), "gone"),
    "unsupported": refused(pox("unsupported", severity="error"), "unsupported"),
    "unimplemented": refused(pox("unimplemented", severity="error"), "unsupported"),
    "unknown code": refused(pox("perhaps"), "perhaps"),
    "success 401": again(pox("success", 401)),
    "success 403": refused(pox("success", 403), "403"),
    "success 404": refused(pox("success", 404), "404"),
    "success 500": again(pox("success", 500)),
    "processing 404": refused(pox("processing", 404), "404"),
    "failure 503": again(pox("failure", 503)),
    "another's message": again(pox("success", reference="not-ours")),
    "no codeMajor": again(pox("")),
    "html 200": again(Err(200, HTML)),
    "garbage": again(Err(200, b"\x00\xff<<<&")),
    "empty": again(Err(200, b"")),
    "html 404": refused(Err(404, HTML), "404"),
    "html 403": refused(Err(403, HTML), "403"),
    "redirect": again(Err(302, b"")),
    "html 401": again(Err(401, HTML)),
    "500": again(Err(500, HTML)),
    "503": again(Err(503)),
    "429": again(Err(429)),
    "408": again(Err(408)),
    "too late": again(Err(200, reply_document("success", ""), late_s=6)),
    "hangs up": again(Err(hang_up=True)),
    "hangs up twice": again(Err(hang_up=True), Err(hang_up=True)),
    "takes it and hangs up": again(Err(hang_up=True, stores=True)),
    "endless": again(Err(200, b"x" * 1_100_000)),
    "score 201": Case((Err(201),), lms="new"),
    "score 202": Case((Err(202),), lms="new"),
    "score 204": Case((Err(204),), lms="new"),
    "score with an answer": Case((Err(200, b'{"resultUrl":"x"}'),), lms="new"),
    "score []": refused(Err(200, b" []\n"), "nothing was stored", lms="new"),
    "score 400": refused(Err(400), "400", lms="new"),
    "score 403": refused(Err(403), "403", lms="new"),
    "score 404": refused(Err(404), "404", lms="new"),
    "score 422": refused(Err(422), "422", lms="new"),
    "score 429": again(Err(429), lms="new"),
    "score 500": again(Err(500), lms="new"),
    "score 503": again(Err(503), Err(502), lms="new"),
    "score too late": again(Err(late_s=6), lms="new"),
    "score hangs up": again(Err(hang_up=True), lms="new"),
    "score taken, answer lost": again(Err(hang_up=True, stores=True), lms="new"),
    "score taken, then 500": again(Err(500, stores=True), lms="new"),
    "score 409": again(Err(409), lms="new"),
    "score 409, then lost": again(Err(409), Err(hang_up=True, stores=True), lms="new"),
    "score 409 again": Case((Err(409),) * 9, "refused", 2, "later grade", "new"),
}
RETRIED = [name for name, case in CASES.items() if case.calls > 1]


@dataclass(frozen=True)
class Done:
    """A finished case."""

    case: Case
    sitting: Sitting
    row: dict[str, object]
    calls: list[Call]


@pytest.fixture(scope="module")
def all_cases(rig: Rig) -> dict[str, Sitting]:
    """Every case set off at the same time."""
    sittings = {}
    for name, case in CASES.items():
        sittings[name] = sitting = (
            rig.sit(case.lms, deployment="cases") if case.lms == "new" else rig.sit()
        )
        rig.school.errs[sitting.learner] = list(case.errs)
    for sitting in sittings.values():
        assert rig.report(sitting, "0.333333333333").said == (200, "success")
    return sittings


@pytest.fixture
def done(request: pytest.FixtureRequest, rig: Rig, all_cases: dict[str, Sitting]) -> Done:
    """One case, waited for."""
    case, sitting = CASES[request.param], all_cases[request.param]
    eventually(lambda: rig.grade(sitting)["delivery"], case.state)
    return Done(case, sitting, rig.grade(sitting), rig.school.of(sitting.learner))


def cases(*names: str) -> pytest.MarkDecorator:
    """These cases."""
    return pytest.mark.parametrize("done", names or CASES, indirect=True)


@pytest.mark.spec("T11O-05", "T11O-06", "T13AG-12", "AMB-08", "BR-16")
@cases()
def test_how_a_grade_ends(rig: Rig, done: Done) -> None:
    assert len(done.calls) == done.case.calls
    assert {call.value for call in done.calls} == {"0.333333333333"}
    row = done.row
    if done.case.state == "delivered":
        assert (row["delivered_version"], row["last_error"]) == (1, "")
    else:
        assert row["delivered_version"] == 0
        assert done.case.reason in str(row["last_error"])
        assert row["due_at"] is None  # a person has to look at it


@pytest.mark.spec("T11O-04", "T11O-09")
@cases(*(name for name in RETRIED if CASES[name].lms == "old"))
def test_a_retry_is_signed_anew_and_brings_the_same_score(done: Done) -> None:
    for name in ("oauth_nonce", "oauth_signature"):
        assert len({call.oauth[name] for call in done.calls}) == len(done.calls)
    times = [int(call.oauth["oauth_timestamp"]) for call in done.calls]
    assert times == sorted(times)  # of one second where another's success wakes what waits
    ids = {words(c.message, MESSAGE_ID) for c in done.calls}
    assert len(ids) == len(done.calls)


@pytest.mark.spec("T11O-09")
def test_nothing_is_sent_again_at_once(rig: Rig) -> None:
    """At an LMS where nobody's success wakes what waits. That the waits grow is in tests/core."""
    sitting = rig.sit("other")
    rig.school.errs[sitting.learner] = list(CASES["hangs up twice"].errs)
    assert rig.report(sitting, "0.5").major == "success"
    eventually(settled(rig, sitting), True)
    calls = rig.school.of(sitting.learner)
    first, second, third = (call.at for call in calls)
    signed, *_, last = (int(call.oauth["oauth_timestamp"]) for call in calls)
    assert signed < last
    assert second - first > 1.4
    assert third - second > 1.4


@pytest.mark.spec("T13AG-12")
@cases(*(name for name in RETRIED if CASES[name].lms == "new" and "409" not in name))
def test_a_retried_score_has_the_same_time(done: Done) -> None:
    assert len({call.body for call in done.calls}) == 1


@pytest.mark.spec("T13AG-12")
@cases("score taken, answer lost", "score taken, then 500")
def test_a_conflict_with_our_own_earlier_try_is_success(done: Done) -> None:
    assert [call.status for call in done.calls][1:] == [409]


@cases("score 409", "score 409, then lost", "score 409 again")
def test_a_conflict_with_a_later_grade_is_answered_once(done: Done) -> None:
    first, second, *more = done.calls
    assert (second.stamp - first.stamp).total_seconds() >= 60
    assert all(call.body == second.body for call in more)


MESSAGE_ID = "imsx_POXHeader/imsx_POXRequestHeaderInfo/imsx_messageIdentifier"
VERSION = "imsx_POXHeader/imsx_POXRequestHeaderInfo/imsx_version"


@pytest.mark.spec("T11O-01", "T11O-02", "T11O-03", "T11O-04", "T11O-10", "BR-12")
@pytest.mark.parametrize("accepted", ["", "text,url,ltiLaunchUrl"])
def test_what_an_outcome_message_looks_like(rig: Rig, accepted: str) -> None:
    sitting = rig.sit(ext_outcome_data_values_accepted=accepted)
    assert rig.report(sitting, "0.5").major == "success"
    eventually(settled(rig, sitting), True)
    assert rig.delete(sitting).major == "success"
    replace, delete = sent(rig, sitting)
    for call, operation in ((replace, "replaceResult"), (delete, "deleteResult")):
        assert call.path == f"/outcome?{QUERY}"
        assert call.headers["Content-Type"] == "application/xml"
        assert b"oauth_" not in call.body
        assert words(call.message, VERSION) == "V1.0"
        record = f"imsx_POXBody/{operation}Request/resultRecord"
        assert words(call.message, f"{record}/sourcedGUID/sourcedId") == cell_id(sitting.learner)
        assert call.message.find(".//{*}resultData") is None
    score = "imsx_POXBody/replaceResultRequest/resultRecord/result/resultScore"
    assert words(replace.message, f"{score}/language") == "en"
    assert words(replace.message, f"{score}/textString") == "0.5"
    assert delete.message.find(".//{*}result") is None
    assert words(replace.message, MESSAGE_ID) != words(delete.message, MESSAGE_ID)


@pytest.mark.spec("T13AG-01", "T13AG-03", "T13AG-05", "T13AG-07", "T13AG-08", "T13AG-09")
@pytest.mark.spec("BR-10", "BR-12")
def test_what_a_score_looks_like(rig: Rig) -> None:
    sitting = rig.sit("new", "last")
    before = time.time()
    assert rig.report(sitting, "0.333333333333").major == "success"
    eventually(settled(rig, sitting), True)
    assert rig.delete(sitting).major == "success"
    given, cleared = sent(rig, sitting)
    for call in (given, cleared):
        assert call.path == "/items/last/lineitem/scores?type_id=1&x=%C3%A4"
        assert call.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"
        assert not re.search(rb"\s", call.body)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", call.score["timestamp"])
    assert before - 1 < given.stamp.timestamp() < time.time() + 1
    assert b'"scoreGiven":0.333333333333,"scoreMaximum":1,' in given.body
    assert given.score | {"timestamp": "", "scoreGiven": 0, "scoreMaximum": 1} == {
        "userId": sitting.learner,
        "scoreGiven": 0,
        "scoreMaximum": 1,
        "timestamp": "",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    assert cleared.score | {"timestamp": ""} == {
        "userId": sitting.learner,
        "timestamp": "",
        "activityProgress": "Initialized",
        "gradingProgress": "NotReady",
    }


def report_to(rig: Rig, deployment: str, learners: int, lms: str = "new") -> list[Sitting]:
    """Grades for some learners of one deployment, all at once."""
    sittings = [rig.sit(lms, deployment=deployment) for _ in range(learners)]
    for sitting in sittings:
        assert rig.report(sitting, "0.5").major == "success"
    return sittings


def bearers(calls: list[Call]) -> list[str]:
    """The tokens that came with the calls."""
    return [call.headers["Authorization"].removeprefix("Bearer ") for call in calls]


@pytest.mark.spec("T13TK-01", "T13TK-02", "T13TK-03", "T13TK-04", "T13TK-05", "T13TK-08")
def test_what_a_token_request_looks_like(rig: Rig) -> None:
    ags = {"scope": [SCORE, RESULT_READ], "lineitem": f"{rig.school.url}/items/1"}
    sitting = rig.sit("new", deployment="asks", **{AGS + "claim/endpoint": ags})
    assert rig.report(sitting, "0.5").major == "success"
    sent(rig, sitting)
    (call,) = rig.school.of("token:asks")
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = {name: value for name, (value,) in parse_qs(call.body.decode()).items()}
    assertion = form.pop("client_assertion")
    assert form == {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": SCORE,
    }
    header, claims = jwt.get_unverified_header(assertion), rig.school.assertion(assertion)
    assert (header["alg"], header["typ"]) == ("RS256", "JWT")
    assert claims["iss"] == claims["sub"] == "client-new"
    assert claims["aud"] == f"{rig.school.url}/token"
    assert claims[f"{LTI}deployment_id"] == "asks"
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert abs(claims["iat"] - time.time()) < 60


@pytest.mark.spec("T13TK-07")
def test_one_token_serves_many_grades_of_one_registration_only(rig: Rig) -> None:
    mine = report_to(rig, "many", 12)
    others = report_to(rig, "many", 2, "next")
    tokens = {s.learner: bearers(sent(rig, s)) for s in mine + others}
    used = [{token for s in part for token in tokens[s.learner]} for part in (mine, others)]
    assert [len(part) for part in used] == [1, 1]
    clients = [rig.school.tokens[token][0] for part in used for token in part]
    assert clients == ["client-new", "client-next"]
    elsewhere = report_to(rig, "elsewhere", 1)
    assert not used[0] & set(bearers(sent(rig, elsewhere[0])))
    assert len(rig.school.of("token:many")) == 2
    assert len(rig.school.of("token:elsewhere")) == 1


@pytest.mark.spec("T13TK-08", "T13TK-09")
def test_a_refused_token_is_renewed_once(rig: Rig) -> None:
    (sitting,) = report_to(rig, "renewed", 1)
    sent(rig, sitting)
    rig.school.tokens.clear()  # the LMS has forgotten it before its time
    many = report_to(rig, "renewed", 8)
    for one in many:
        calls = sent(rig, one)
        assert calls[-1].status == 200
        assert len(calls) <= 2
    assert len(rig.school.of("token:renewed")) == 2
    last = rig.sit("new", deployment="renewed")
    rig.school.errs[last.learner] = [Err(401)] * 2
    assert rig.report(last, "0.5").major == "success"
    sent(rig, last)
    calls = rig.school.of(last.learner)
    assert [call.status for call in calls] == [401, 401, 200]
    assert len(set(bearers(calls))) == 2  # a new token for the second call, then no more
    assert rig.grade(last)["tries"] == 2  # the renewal was part of the first one
    assert calls[2].at - calls[1].at > 1


@pytest.mark.spec("T13TK-06")
def test_a_scope_that_was_not_granted_is_not_tried(rig: Rig) -> None:
    rig.school.granted["less"] = RESULT_READ
    (sitting,) = report_to(rig, "less", 1)
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    assert SCORE in rig.grade(sitting)["last_error"]
    assert rig.school.of(sitting.learner) == []


@pytest.mark.spec("T13TK-05")
def test_a_scope_that_was_not_offered_is_not_asked_for(rig: Rig) -> None:
    ags = {"scope": [RESULT_READ], "lineitem": f"{rig.school.url}/items/1"}
    sitting = rig.sit("new", deployment="unoffered", **{AGS + "claim/endpoint": ags})
    assert rig.report(sitting, "0.5").major == "success"
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    assert "no place" in rig.grade(sitting)["last_error"]
    assert rig.school.of("token:unoffered") == []


@pytest.mark.spec("BR-15")
def test_a_grade_with_nowhere_to_go_is_kept_until_there_is_a_place(rig: Rig) -> None:
    ags = {"scope": [RESULT_READ], "lineitem": f"{rig.school.url}/items/1"}
    sitting = rig.sit("new", "last", deployment="nowhere", **{AGS + "claim/endpoint": ags})
    assert rig.report(sitting, "0.5").said == (200, "success")
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    assert "no place" in rig.grade(sitting)["last_error"]
    assert rig.read(sitting) == "0.5"
    assert rig.school.of(sitting.learner) == []
    rig.sit("new", "last", sitting.learner, deployment="nowhere", **{AGS + "claim/endpoint": ags})
    assert rig.grade(sitting)["delivery"] == "refused"
    rig.sit("new", "last", sitting.learner, deployment="nowhere")  # now there is one
    assert rig.grade(sitting)["delivery"] == "pending"
    rig.report(rig.sit("old", "last"), "1")  # the worker looks; else it does every minute
    assert [call.value for call in sent(rig, sitting)] == ["0.5"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        ("invalid_scope", "refused"),
        ("unauthorized_client", "refused"),
        ("invalid_client", "pending"),
        (None, "pending"),
    ],
)
def test_a_refused_token_request_is_remembered(rig: Rig, error: str | None, state: str) -> None:
    deployment = f"refuses-{error}"
    body = json.dumps({"error": error}).encode() if error else HTML
    rig.school.errs[f"token:{deployment}"] = [Err(400, body)]
    (sitting,) = report_to(rig, deployment, 1)
    eventually(lambda: rig.grade(sitting)["last_error"] != "", True)
    row = rig.grade(sitting)
    assert row["delivery"] == state
    assert (error or "a web page") in row["last_error"]
    if state == "pending":
        assert sent(rig, sitting)[-1].status == 200


def outcome_claim(rig: Rig, learner: str) -> dict[str, dict[str, str]]:
    """What an LMS offers that takes grades only as Basic Outcomes."""
    place = {
        "lis_outcome_service_url": f"{rig.school.url}/outcome?{QUERY}",
        "lis_result_sourcedid": cell_id(learner),
    }
    return {OUTCOME_CLAIM: place}


@pytest.mark.spec("T13TK-05", "T13TK-07")
def test_an_outcome_claim_is_used_with_a_bearer_token(rig: Rig) -> None:
    claim = outcome_claim(rig, "bo-learner")
    sitting = rig.sit("new", "last", "bo-learner", deployment="bo", **claim)
    assert rig.report(sitting, "0.5").major == "success"
    eventually(settled(rig, sitting), True)
    assert rig.delete(sitting).major == "success"
    replace, delete = sent(rig, sitting)
    assert (replace.operation, replace.value) == ("replaceResult", "0.5")
    assert (delete.operation, delete.value) == ("deleteResult", None)
    assert {call.headers["Content-Type"] for call in (replace, delete)} == {
        "application/vnd.ims.lti.v1.outcome+xml"
    }
    (token,) = set(bearers([replace, delete]))
    assert rig.school.tokens[token] == ("client-new", OUTCOME_SCOPE)
    assert rig.school.cells["bo-learner"] is None


def test_scores_are_preferred_where_both_are_offered(rig: Rig) -> None:
    ags = {"scope": [SCORE], "lineitem": f"{rig.school.url}/items/1"}
    claims = outcome_claim(rig, "both") | {AGS + "claim/endpoint": ags}
    sitting = rig.sit("new", "best", "both", deployment="both", **claims)
    assert rig.report(sitting, "0.5").major == "success"
    assert [call.path for call in sent(rig, sitting)] == ["/items/1/scores"]


def test_a_removed_lms_and_a_forbidden_address_are_refused(rig: Rig) -> None:
    sitting = rig.sit(lis_outcome_service_url="http://192.0.2.1/outcome")
    assert rig.report(sitting, "0.5").major == "success"
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    assert "192.0.2.1" in rig.grade(sitting)["last_error"]


@pytest.fixture(autouse=True)
def nothing_private_in_the_log(rig: Rig) -> Iterator[None]:
    """Whatever happens, the log names no learner, token or sourcedid."""
    yield
    log = rig.bridge.log()
    assert "learner-" not in log
    assert not any(token in log for token in rig.school.tokens)
