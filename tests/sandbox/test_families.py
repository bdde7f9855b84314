"""The pretend LMS with the habits of a family, as its source has them (docs/lms.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import urllib3

from lti_bridge.sandbox import serving
from lti_bridge.sandbox.lms import LmsSettings, make_app
from tests.sandbox.test_lms import (
    AGS,
    KEY,
    LINKS,
    NRPS,
    SCORE_TYPE,
    SECRET,
    Lms,
    envelope,
    outcome,
    signed_headers,
)
from tests.sandbox.test_lms import bridge_url as bridge_url

CANVAS = "https://canvas.instructure.com/lti/submission"
ITEM = "/lti/ags/101/lineitems/2/lineitem"
ALL = (f"{AGS}lineitem", f"{AGS}score", f"{AGS}result.readonly", NRPS)
Start = Callable[..., Lms]


@pytest.fixture
def start(bridge_url: str) -> Iterator[Start]:
    """Starts an LMS of a family."""
    running = []

    def begin(family: str, **more: Any) -> Lms:
        settings = LmsSettings(bridge_url, LINKS, KEY, SECRET, "client", "1", family=family, **more)
        running.append(serving.start(make_app(settings)))
        return Lms(running[-1].url, bridge_url)

    yield begin
    for one in running:
        one.stop()


class Tool:
    """A tool that sends scores, its times rising by a second."""

    def __init__(self, lms: Lms) -> None:
        self.lms, self.headers, self.second = lms, lms.bearer(*ALL), 0
        self.http = urllib3.PoolManager(maxsize=40, retries=False)

    def score(self, given: Any = 80, indent: int | None = None, **more: Any) -> Any:
        self.second += 1
        sent = {
            "userId": "4",
            "scoreGiven": given,
            "scoreMaximum": 100,
            "timestamp": f"2026-01-01T00:00:{self.second:02}Z",
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
        } | more
        body = json.dumps({k: v for k, v in sent.items() if v is not ...}, indent=indent)
        headers = {**self.headers, "Content-Type": SCORE_TYPE}
        return self.lms.call("POST", f"{ITEM}/scores?type_id=1", body=body, headers=headers)

    def results(self, user: str = "4") -> Any:
        url = f"{ITEM}/results?user_id={user}"
        return self.lms.call("GET", url, headers=self.headers).json()

    def cell(self) -> Any:
        return self.lms.cell("13")


def test_moodle_keeps_an_override_and_shows_it(start: Start) -> None:
    lms = start("moodle")
    tool = Tool(lms)
    assert tool.score(80, comment="good").status == 200
    lms.control("grade", item="2", user="4", points=70)
    assert tool.score(95).status == 200
    assert (tool.cell()["score"], tool.cell()["told"]) == (70, 95)
    assert tool.results()[0]["resultScore"] == 70
    lms.control("grade", item="2", user="4", points=None)
    assert tool.cell()["score"] == 95


def test_moodle_wipes_rescales_and_caps(start: Start) -> None:
    tool = Tool(start("moodle"))
    tool.score(4, scoreMaximum=5, comment="good")
    assert (tool.cell()["score"], tool.cell()["comment"]) == (80, "good")
    tool.score(120)
    assert (tool.cell()["score"], tool.cell()["told"], tool.cell()["comment"]) == (100, 120, "")
    tool.score(-5)
    assert (tool.cell()["score"], tool.cell()["told"]) == (0, -5)
    assert tool.score(70, gradingProgress="PendingManual").status == 200
    assert tool.cell()["score"] is None
    tool.score(70)
    assert tool.score(..., gradingProgress="Pending").status == 200
    assert tool.cell()["score"] is None


def test_moodle_refuses_in_its_own_way(start: Start) -> None:
    lms = start("moodle")
    tool = Tool(lms)
    for wrong in ({"scoreMaximum": ...}, {"userId": "2"}, {"userId": "99"}, {"timestamp": ...}):
        refused = tool.score(**wrong)
        assert (refused.status, refused.data) == (400, b"[]")
        silent = tool.score(indent=1, **wrong)
        assert (silent.status, silent.data) == (200, b"[]")
    assert tool.score(userId="someone").status == 502
    assert tool.cell() is None
    assert tool.score(scoreGiven="72").status == 200
    tool.second -= 1
    assert tool.score(73).status == 409
    lms.control("status", user="4", status="Inactive")
    assert tool.score(74).status == 200
    lms.control("status", user="4", status="Deleted")
    assert tool.score(75).status == 400
    lms.control("status", user="4", status="Active")
    lms.control("lock", item="2", user="4")
    assert (tool.score(76).status, tool.cell()["score"]) == (500, 74)
    lms.control("lock", item="2", user="4", locked=False)
    lms.control("lock", item="2")
    assert tool.score(77).status == 500
    lms.control("delete-link", link="13")
    refused = tool.score(78)
    assert (refused.status, refused.data) == (403, b"Invalid LTI id supplied.")


def test_moodle_writes_links_for_people_and_leaves_the_suspended_out(start: Start) -> None:
    lms = start("moodle")
    tool = Tool(lms)
    kind = tool.headers | {"Content-Type": "application/vnd.ims.lis.v2.lineitem+json"}
    for number in range(2):
        body = json.dumps({"label": f"More {number}", "scoreMaximum": 1})
        lms.call("POST", "/lti/ags/101/lineitems?type_id=1", body=body, headers=kind)
    page = lms.call("GET", "/lti/ags/101/lineitems?type_id=1&limit=1", headers=tool.headers)
    assert page.headers["Link"].encode("latin-1").decode().endswith("rel=“next”")
    assert "&amp;" in page.headers["Link"]
    lms.control("status", user="5", status="Inactive")
    members = lms.call("GET", "/lti/nrps/101/memberships", headers=tool.headers).json()["members"]
    assert "5" not in [one["user_id"] for one in members]


def test_moodle_gives_tokens_for_any_audience_and_fails_outcomes_without_a_word(
    start: Start,
) -> None:
    lms = start("moodle")
    asked = lms.ask_token(lms.assertion(aud="https://elsewhere.example.edu"), ALL[0])
    assert asked.status == 200
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    lms.control("lock", item="1", user="4")
    said = outcome(lms, envelope("replaceResult", sourcedid, "0.5"))
    assert said[:2] == ("failure", "Grade replace response")
    lms.control("lock", item="1", user="4", locked=False)
    lms.control("status", user="4", status="Deleted")
    assert outcome(lms, envelope("replaceResult", sourcedid, "0.5"))[0] == "success"


def test_moodle_stops_at_a_message(start: Start) -> None:
    lms = start("moodle")
    to_course = lms.call("GET", "/return?launch_container=4")
    assert (to_course.status, to_course.headers["Location"]) == (302, "/")
    out_of_frame = lms.call("GET", "/return?launch_container=2").data.decode()
    assert "leave.js" in out_of_frame
    for container in ("2", "4"):
        url = f"/return?launch_container={container}&lti_msg=hello"
        stopped = lms.call("GET", url).data.decode()
        assert "hello" in stopped
        assert "leave.js" not in stopped
        assert "To the course" not in stopped


def custom_of(lms: Lms) -> dict[str, Any]:
    claims = jwt.decode(lms.authorize("13")["id_token"], options={"verify_signature": False})
    return claims["https://purl.imsglobal.org/spec/lti/claim/custom"]


@pytest.mark.parametrize(
    ("family", "course", "told"),
    [
        ("moodle", {}, ""),
        ("moodle", {"history": ["7", "6"]}, "7,6"),
        ("canvas", {"history": [str(n) for n in range(1000)]}, None),
        ("canvas", {"history": [str(n) for n in range(1001)]}, "truncated"),
        ("canvas", {"slow_history": True}, "timed out"),
        ("schoology", {"history": [str(n) for n in range(9)]}, "0,1,2,3,4"),
    ],
)
def test_histories_are_told_as_each_family_does(
    bridge_url: str, family: str, course: dict[str, Any], told: str | None
) -> None:
    link = replace(LINKS[1], custom={"was": "$Context.id.history", "x": "$Foo.bar"})
    settings = LmsSettings(bridge_url, (link,), KEY, SECRET, "client", "1", family=family)
    running = serving.start(make_app(settings))
    try:
        lms = Lms(running.url, bridge_url)
        lms.control("course", **course)
        said = custom_of(lms)
    finally:
        running.stop()
    assert said["x"] == "$Foo.bar"
    if told is None:
        assert said["was"].endswith(",999")
    elif told == "truncated":
        assert said["was"].endswith(",999,truncated")
    else:
        assert said["was"] == told


def now(seconds: float = 0) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def test_canvas_keeps_any_score_where_the_flag_is_sent(start: Start) -> None:
    lms = start("canvas")
    tool = Tool(lms)
    flag = {CANVAS: {"prioritize_non_tool_grade": True}}
    assert tool.score(60, **flag).status == 200
    assert tool.score(90, **flag).status == 200  # a better attempt
    assert tool.cell()["score"] == 60
    assert tool.results()[0]["resultScore"] == 90  # and nobody can see it
    assert tool.score(95).status == 200
    lms.control("grade", item="2", user="4", points=70)
    assert tool.results()[0]["resultScore"] == 70
    tool.score(99, **flag)
    assert tool.cell()["score"] == 70
    tool.score(..., gradingProgress="Pending", **flag)  # of no help here
    assert tool.cell()["score"] is None
    tool.score(50)
    tool.score(..., gradingProgress="Pending", **{CANVAS: {"preserve_score": True}})
    assert tool.cell()["score"] == 50


def test_canvas_hands_in_with_every_score_that_does_not_say_otherwise(start: Start) -> None:
    lms = start("canvas")
    tool = Tool(lms)
    tool.score(60, submission={"submittedAt": "2026-01-01T00:00:00Z"})
    assert tool.cell()["attempts"] == 1
    assert tool.cell()["submitted"] == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    tool.score(70, **{CANVAS: {"new_submission": False}})
    tool.score(71, **{CANVAS: {"submission_type": "none"}})
    assert tool.cell()["attempts"] == 1
    tool.score(..., gradingProgress="NotReady", activityProgress="Initialized")
    assert tool.cell()["attempts"] == 2
    assert tool.cell()["submitted"] == pytest.approx(time.time(), abs=60)
    lms.control("item", item="2", attempts=2)
    refused = tool.score(80)
    assert refused.status == 422
    assert "attempts" in refused.json()["errors"]["message"]
    assert tool.score(80, **{CANVAS: {"new_submission": False}}).status == 200


def test_canvas_refuses_with_a_reason(start: Start) -> None:
    lms = start("canvas")
    tool = Tool(lms)
    for wrong, status in (
        ({"userId": "2"}, 422),
        ({"userId": "nobody"}, 422),
        ({"scoreMaximum": ...}, 422),
        ({"submission": {"submittedAt": now(120)}}, 400),
        ({"timestamp": "yesterday"}, 400),
    ):
        refused = tool.score(**wrong)
        assert refused.status == status
        assert refused.json()["errors"]["message"]
    assert tool.score(80, submission={"submittedAt": now(30)}).status == 200
    tool.second -= 1
    assert tool.score(81).status == 200  # the same time
    tool.second -= 2
    assert tool.score(82).status == 400
    lms.control("item", item="2", maximum=0)
    assert tool.score(83).status == 422
    lms.control("item", item="2", maximum=100)
    lms.control("status", user="4", status="Inactive")
    assert tool.score(84).status == 422
    lms.control("course", concluded=True)
    for refused in (
        tool.score(85),
        lms.call("GET", "/lti/ags/101/lineitems", headers=tool.headers),
    ):
        assert refused.status == 404
        assert "does not exist" in refused.json()["errors"][0]["message"]


def test_canvas_has_a_bucket(start: Start) -> None:
    lms = start("canvas")
    tool = Tool(lms)
    with ThreadPoolExecutor(30) as pool:
        url = f"{lms.url}{ITEM}/results?user_id=4"
        lms.control("fault", path="/lti/ags", delay_s=2, times=-1)
        got = list(
            pool.map(lambda _: tool.http.request("GET", url, headers=tool.headers), range(30))
        )
    refused = [one for one in got if one.status == 403]
    assert 10 <= len(got) - len(refused) <= 14
    assert refused[0].data == b"403 Forbidden (Rate Limit Exceeded)\n"
    assert refused[0].headers["X-Rate-Limit-Remaining"] == "0.0"
    assert "Retry-After" not in refused[0].headers
    lms.control("clear")
    assert tool.results() == []  # they hold nothing once they are answered


def test_canvas_line_items(start: Start) -> None:
    lms = start("canvas")
    tool = Tool(lms)
    kind = tool.headers | {"Content-Type": "application/vnd.ims.lis.v2.lineitem+json"}
    container = "/lti/ags/101/lineitems?type_id=1"

    def make(**more: str) -> Any:
        body = json.dumps({"label": "More", "scoreMaximum": 1, **more})
        return lms.call("POST", container, body=body, headers=kind)

    assert make(resourceLinkId="nobody").status == 404
    assert make().status == 201
    assert lms.call("DELETE", ITEM, headers=tool.headers).status == 401
    for _ in range(12):
        make()
    page = lms.call("GET", container, headers=tool.headers)
    assert len(page.json()) == 10
    first, second = page.headers["Link"].split(",")
    assert first.endswith('rel="current"')
    assert second.startswith("<")
    lms.control("delete-item", item="2")
    assert make(resourceLinkId="13").status == 412
    assert tool.score().status == 404


def test_canvas_wants_its_own_address_as_audience(start: Start) -> None:
    lms = start("canvas")
    host = lms.url.partition("://")[2]
    assert lms.call("GET", "/lti/openid-configuration").json()["authorization_server"] == host
    for wrong in (host, lms.url, f"{lms.url}/lti/token/"):
        asked = lms.ask_token(lms.assertion(aud=wrong), ALL[0])
        assert asked.status == 400
        assert asked.json()["error"] == "invalid_request"
    assertion = lms.assertion()
    for _ in range(2):  # it looks at no jti
        assert lms.ask_token(assertion, ALL[0]).status == 200


def test_canvas_lists_fifty_members_a_page(start: Start) -> None:
    lms = start("canvas", crowd=120)
    page = lms.call("GET", "/lti/nrps/101/memberships?limit=1000", headers=lms.bearer(NRPS))
    assert len(page.json()["members"]) == 50
    assert page.json()["members"][-1]["user_id"] == "1045"


def test_canvas_fails_outcomes_with_a_status_and_a_reason(start: Start) -> None:
    lms = start("canvas")
    sourcedid = lms.launch("11")["fields"]["lis_result_sourcedid"]
    lms.control("item", item="1", maximum=0)
    body = envelope("replaceResult", sourcedid, "0.5")
    url = f"{lms.url}/lti/outcomes"
    answer = lms.call("POST", url, body=body, headers=signed_headers(url, body))
    assert answer.status == 422
    assert b"Assignment has no points possible. [EID_" in answer.data
    lms.control("item", item="1", maximum=100)
    assert outcome(lms, body)[0] == "success"


def test_two_canvases_may_call_themselves_the_same(start: Start) -> None:
    name = "https://canvas.instructure.com"
    one, two = (start("canvas", issuer=name) for _ in range(2))
    for lms in (one, two):
        assert lms.launch("13")["fields"]["iss"] == name
        claims = jwt.decode(lms.authorize("13")["id_token"], options={"verify_signature": False})
        assert claims["iss"] == name


def test_blackboard_wipes_the_feedback_and_tells_none(start: Start) -> None:
    tool = Tool(start("blackboard"))
    tool.score(80, comment="good")
    assert tool.cell()["comment"] == "good"
    assert "comment" not in tool.results()[0]
    tool.score(90)
    assert tool.cell()["comment"] == ""


def test_brightspace_names_its_reasons(start: Start) -> None:
    lms = start("brightspace")
    tool = Tool(lms)
    lms.control("status", user="5", status="Deleted")
    for user, status, words in (("5", 404, "does not exist"), ("2", 422, "gradable role")):
        refused = tool.score(80, userId=user)
        assert refused.status == status
        assert words in refused.json()["detail"]
    assert tool.score(120).status == 200
    assert tool.cell()["score"] == 100


def test_schoology_takes_no_id_and_lists_a_hundred(start: Start) -> None:
    lms = start("schoology", crowd=120)
    headers = lms.bearer(*ALL)
    kind = headers | {"Content-Type": "application/vnd.ims.lis.v2.lineitem+json"}
    body = json.dumps({"id": "x", "label": "More", "scoreMaximum": 1})
    made = lms.call("POST", "/lti/ags/101/lineitems?type_id=1", body=body, headers=kind)
    assert made.status == 400
    page = lms.call("GET", "/lti/nrps/101/memberships", headers=headers)
    assert len(page.json()["members"]) == 100
    assert page.headers["Link"].endswith('rel="next"')


def test_a_family_that_nobody_knows_is_refused(start: Start) -> None:
    with pytest.raises(KeyError):
        start("mudle")
