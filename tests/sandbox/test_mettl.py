"""The pretend Mettl is as strict as the real one's documents say."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import urllib3

from lti_bridge.sandbox import mettl, serving
from lti_bridge.sandbox.mettl import signing

PUBLIC, PRIVATE = "key-public", "key-private"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
DIGESTS = {"v1": hashlib.sha1, "v2": hashlib.sha256}
COMMON = {
    "EVENT_TYPE",
    "invitation_key",
    "candidate_instance_id",
    "context_data",
    "timestamp_GMT",
    "source_app",
    "notification_url",
    "name",
    "email",
}
GRADED = {
    "finish_mode",
    "start_time_GMT",
    "end_time_GMT",
    "start_time",
    "end_time",
    "total_attempt_time",
    "marks_scored",
    "max_marks",
    "percentile",
    "assessment_name",
    "schedule_title",
    "client_id",
    "grading_type",
    "sectional_scores",
    "registrationDetails",
    "proctoringDetails",
    "testStatus",
}


class Api:
    """A client of one running pretend Mettl, with a signature of its own making."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.digests = DIGESTS

    def signed(
        self, method: str, path: str, fields: dict[str, str], ak: str, key: str, ts: str
    ) -> dict[str, str]:
        values = {**fields, "ak": ak, "ts": ts}
        lines = [method + self.url + path] + [values[name] for name in sorted(values)]
        kind = self.digests[path[1:3]]
        digest = hmac.digest(key.encode(), "\n".join(lines).encode(), kind)
        return {**values, "asgn": base64.b64encode(digest).decode()}

    def send(self, method: str, path: str, query: dict[str, str], form: dict[str, str]) -> Any:
        url = f"{self.url}{path}?{urlencode(query)}"
        body = {"body": urlencode(form), "headers": FORM} if form else {}
        return urllib3.request(method, url, retries=False, timeout=60, **body)

    def call(
        self,
        method: str,
        path: str,
        *,
        ak: str = PUBLIC,
        key: str = PRIVATE,
        ts: str = "",
        in_form: bool = False,
        **fields: str,
    ) -> dict[str, Any]:
        now = ts or str(int(time.time()))
        sent = self.signed(method, path, fields, ak, key, now)
        answer = self.send(method, path, *(({}, sent) if in_form else (sent, {})))
        assert answer.status == 200
        told: dict[str, Any] = answer.json()
        assert told["status"] == ("ERROR" if "error" in told else "SUCCESS")
        return told

    def code(self, method: str, path: str, **more: Any) -> str | None:
        code: str | None = self.call(method, path, **more).get("error", {}).get("code")
        return code

    def register(self, key: str = "open1001", email: str = "ann@example.org", **more: Any) -> Any:
        person = {"First Name": "Ann", "Email Address": email, **more.pop("person", {})}
        rd: dict[str, Any] = {"registrationDetails": [person]}
        if "context_data" in more:
            rd["optionalParams"] = [{"email": email, "context_data": more.pop("context_data")}]
        told = self.call("POST", f"/v2/schedules/{key}/candidates", rd=json.dumps(rd), **more)
        return told["registrationStatus"][0] if "registrationStatus" in told else told

    def result(self, key: str = "open1001", email: str = "ann@example.org") -> dict[str, Any]:
        told = self.call("GET", f"/v2/schedules/{key}/candidates/{email}")
        status: dict[str, Any] = told["candidate"]["testStatus"]
        return status

    def control(self, name: str, asked: dict[str, Any] | None = None) -> Any:
        method = "GET" if asked is None else "POST"
        body = {} if asked is None else {"json": asked}
        answer = urllib3.request(method, f"{self.url}/control/{name}", timeout=60, **body)
        return answer.json()


def browse(url: str, form: dict[str, str] | None = None) -> Any:
    """What a browser without JavaScript gets for a page, or for a form."""
    if form is None:
        return urllib3.request("GET", url, timeout=60)
    body = urlencode(form)
    return urllib3.request("POST", url, body=body, headers=FORM, redirect=False, timeout=60)


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    running = []

    def build(**settings: Any) -> Api:
        made = mettl.make_app(mettl.MettlSettings(PUBLIC, PRIVATE, **settings))
        running.append(serving.start(made))
        return Api(running[-1].url)

    yield build
    for one in running:
        one.stop()


@pytest.fixture(name="api")
def fixture_api(start: Callable[..., Api]) -> Api:
    return start(credits=3)


RD = '{"registrationDetails":[{"First Name":"Name","Email Address":"name@email.com"}]}'
OPTIONS = {
    "allowMissingMandatoryRegistrationFields": "true",
    "showCustomInstructions": "true",
    "timeLimitInSec": "86400",
}


@pytest.mark.parametrize(
    ("method", "path", "fields", "asgn"),
    [
        (
            "POST",
            "schedules/0x0x0x0x0x/candidates",
            {"rd": RD},
            "t72%2BcLqiOZPD4qIKLuabKh2czEebF6ELG8kZt%2F4HPRQ%3D",
        ),
        (
            "POST",
            "schedules/0x0x0x0x0x/candidates",
            {"rd": RD, **OPTIONS},
            "lWKjNsV4fiEbn0TtKKp38vFwwnzATfEqKHBZ%2FlCmNHc%3D",
        ),
        ("GET", "account", {}, "v4%2BlYYoZTdoeFV9XSTehS1MLRpBmjTRqQqKGizlHIN8%3D"),
    ],
)
def test_documented_signatures(method: str, path: str, fields: dict[str, str], asgn: str) -> None:
    sent = {"ak": "ab12c345-6789-0123-456d-78e9f0123456", "ts": "1635976200", **fields}
    made = signing.signature(
        "v2",
        "zy98x765-4321-0987-654w-32v1u0987654",
        method,
        f"https://api.mettl.com/v2/{path}",
        sent,
    )
    assert quote(made, safe="") == asgn


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("in_form", [False, True])
def test_each_version_and_place_of_the_fields(api: Api, version: str, in_form: bool) -> None:
    assert "accountInfo" in api.call("GET", f"/{version}/account")
    rd = json.dumps({"registrationDetails": [{"First Name": "Zoë +&", "Email Address": "a@b.c"}]})
    path = f"/{version}/schedules/open1001/candidates"
    assert api.code("POST", path, rd=rd, in_form=in_form) is None


def test_a_signature_of_the_other_version_is_refused(api: Api) -> None:
    api.digests = {"v1": hashlib.sha256, "v2": hashlib.sha1}
    assert [api.code("GET", f"/{v}/account") for v in ("v1", "v2")] == ["E401", "E401"]


def test_only_a_right_signature_is_read(api: Api) -> None:
    now = int(time.time())
    assert api.code("GET", "/v2/account", key="wrong") == "E401"
    assert api.code("GET", "/v2/account", ak="wrong") == "E403"
    assert api.code("GET", "/v2/account", ts=str(now - 24 * 3600 + 60)) is None
    assert api.code("GET", "/v2/account", ts=str(now - 24 * 3600 - 60)) == "E504"
    assert api.code("GET", "/v2/account", ts="yesterday") == "E504"
    sent = api.signed("GET", "/v2/assessments", {"limit": "1"}, PUBLIC, PRIVATE, str(now))
    for spoiled in ({**sent, "limit": "2"}, {**sent, "more": "1"}, {"ak": PUBLIC}):
        answer = api.send("GET", "/v2/assessments", spoiled, {}).json()
        assert answer["error"]["code"] == "E401"
    # as with a signature that was URL-encoded twice
    twice = {**sent, "asgn": quote(sent["asgn"], safe="")}
    assert api.send("GET", "/v2/assessments", twice, {}).json()["error"]["code"] == "E401"
    assert api.send("GET", "/v2/assessments", sent, {}).json()["status"] == "SUCCESS"


def test_the_address_counts_as_it_was_typed(api: Api) -> None:
    api.register()
    paths = [f"/v2/schedules/open1001/candidates/ann{at}example.org" for at in ("@", "%40")]
    assert [api.code("GET", path) for path in paths] == [None, None]
    sent = api.signed("GET", paths[0], {}, PUBLIC, PRIVATE, str(int(time.time())))
    other = urllib3.request("GET", f"{api.url}{paths[1]}?{urlencode(sent)}").json()
    assert other["error"]["code"] == "E401"


def test_assessments(api: Api) -> None:
    told = api.call("GET", "/v2/assessments", limit="2", sort="name", sort_order="desc")
    assert [row["id"] for row in told["assessments"]] == [1003, 1002]
    following = urllib3.request("GET", told["paging"]["next"]).json()
    assert [row["id"] for row in following["assessments"]] == [1001]
    assert (following["paging"]["next"], told["paging"]["previous"]) == (None, None)
    one = api.call("GET", "/v2/assessments/1001")["assessment"]
    assert (one["name"], one["maxMarks"]) == ("Logical reasoning", 10)
    assert api.code("GET", "/v2/assessments/9") == "E000"
    for wrong in ({"limit": "101"}, {"limit": "0"}, {"sort": "age"}, {"sort_order": "up"}):
        assert api.code("GET", "/v2/assessments", **wrong) == "E000"


SC: dict[str, Any] = {
    "name": "Course 42",
    "sourceApp": "bridge",
    "access": {"type": "OpenForAll"},
    "scheduleType": "AlwaysOn",
    "testGradedNotificationUrl": "https://bridge.example.org/hooks/mettl/x",
}


def test_schedules(api: Api) -> None:
    made = api.call("POST", "/v2/assessments/1001/schedules", sc=json.dumps(SC))["createdSchedule"]
    assert set(made) == {"assessmentId", "id", "name", "accessKey", "accessUrl", "status"}
    assert api.code("POST", "/v2/assessments/1001/schedules", sc=json.dumps(SC)) == "E000"
    assert api.code("POST", "/v2/assessments/1002/schedules", sc=json.dumps(SC)) is None
    change = json.dumps({"testStartNotificationUrl": "https://bridge.example.org/hooks/mettl/y"})
    path = f"/v2/schedules/{made['accessKey']}"
    assert api.code("POST", f"{path}/edit", sc=change) is None
    told = api.call("GET", path)["schedule"]
    assert told["testStartNotificationUrl"].endswith("/y")
    assert told["testGradedNotificationUrl"].endswith("/x")
    assert told["assessmentDetails"]["id"] == 1001
    mine = api.call("GET", "/v2/assessments/1001/schedules")["schedules"]
    assert [row["accessKey"] for row in mine] == ["open1001", "invited", made["accessKey"]]
    assert len(api.call("GET", "/v2/schedules")["schedules"]) == 6
    assert api.code("GET", "/v2/schedules/none") == "E000"


@pytest.mark.parametrize(
    "spoil",
    [
        {"name": ""},
        {"sourceApp": None},
        {"access": {"type": "Open"}},
        {"access": None},
        {"scheduleType": "Sometimes"},
        {"testFinishNotificationUrl": "ftp://example.org/"},
    ],
)
def test_a_wrong_schedule_is_refused(api: Api, spoil: dict[str, Any]) -> None:
    sc = json.dumps({**SC, **spoil})
    assert api.code("POST", "/v2/assessments/1001/schedules", sc=sc) == "E000"


def test_one_attempt_per_address(api: Api) -> None:
    first = api.register()
    assert first["message"] == "Candidate ('ann@example.org') successfully registered for the test"
    assert set(first) == {"email", "status", "message", "url"}
    assert api.register(email="Ann@Example.org")["url"] == first["url"]
    assert api.control("state")["credits"] == 2
    browse(f"{first['url']}/start", {})
    assert (api.register()["status"], api.result()["status"]) == ("InProgress", "InProgress")
    browse(first["url"], {"q1": "1"})
    assert api.register() == {
        "email": "ann@example.org",
        "status": "Completed",
        "message": "Candidate ('ann@example.org') has already taken the test",
        "url": first["url"],
    }


def test_credits_end(api: Api) -> None:
    for person in ("a", "b"):
        assert "url" in api.register(email=f"{person}@example.org")
    rows = [{"First Name": "X", "Email Address": f"{p}@example.org"} for p in "acd"]
    path, rd = "/v2/schedules/open1001/candidates", json.dumps({"registrationDetails": rows})
    assert api.code("POST", path, rd=rd) == "E607"
    assert len(api.call("GET", path)["candidates"]) == 2
    assert "url" in api.register(email="c@example.org")
    assert api.register(email="d@example.org")["error"]["code"] == "E607"
    assert "url" in api.register(email="a@example.org")


def test_who_may_register(api: Api) -> None:
    assert "url" not in api.register("invited")
    assert "url" in api.register("invited", "invited@example.org")
    assert "url" not in api.register(email="no address")
    assert "url" not in api.register(person={"First Name": ""})
    missing = api.register("open1003")
    assert ("url" in missing, missing["message"]) == (
        False,
        "Mandatory field is missing: Last Name",
    )
    allow = {"allowMissingMandatoryRegistrationFields": "true"}
    url = api.register("open1003", **allow)["url"]
    assert 'name="Last Name"' in browse(url).data.decode()
    assert browse(f"{url}/start", {}).status == 400
    assert browse(f"{url}/start", {"Last Name": "Example"}).status == 303
    listed = api.call("GET", "/v2/schedules/open1003/candidates")["candidates"]
    assert listed[0]["registration"]["Last Name"] == "Example"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "E000"),
        ({"rd": "[]"}, "E000"),
        ({"rd": '{"registrationDetails":[]}'}, "E000"),
        ({"rd": json.dumps({"registrationDetails": [{}] * 21})}, "E000"),
        ({"rd": RD[:-1] + ',"optionalParams":[{"email":"other@email.com"}]}'}, "E000"),
        (
            {"rd": RD[:-1] + ',"optionalParams":[{"email":"name@email.com","context_data":{}}]}'},
            "E000",
        ),
        ({"rd": RD, "timeLimitInSec": "0"}, "E000"),
        ({"rd": RD, "showCustomInstructions": "yes"}, "E000"),
        ({"rd": RD.replace('"First', '"Photo":"aGVsbG8=","First')}, "E028"),
    ],
)
def test_a_wrong_registration_is_refused(api: Api, fields: dict[str, str], code: str) -> None:
    assert api.code("POST", "/v2/schedules/open1001/candidates", **fields) == code
    assert api.control("state")["candidates"] == []


def test_a_link_expires(api: Api) -> None:
    url = api.register(timeLimitInSec="1")["url"]
    time.sleep(1.1)
    assert "expired" in browse(url).data.decode()
    assert browse(f"{url}/start", {}).status == 400
    assert api.code("DELETE", "/v2/schedules/open1001/candidates/ann@example.org") is None


@pytest.mark.parametrize(
    ("answers", "marks"),
    [
        ({"q1": "1", "q2": "1", "q3": "1"}, 6),
        ({"q1": "0", "q2": "0", "q3": "1"}, -3),
        ({}, 0),
        ({"score": "-2.5"}, -2.5),
    ],
)
def test_marks_and_percentile(api: Api, answers: dict[str, str], marks: float) -> None:
    url = api.register()["url"]
    assert "result" not in api.result()
    browse(f"{url}/start", {})
    browse(url, answers)
    told = api.result()
    assert (told["status"], told["overallStatus"]) == ("Completed", "Completed")
    assert (told["result"]["totalMarks"], told["result"]["maxMarks"]) == (marks, 10)
    assert told["result"]["percentile"] == 90.9
    assert told["end_time_GMT"].endswith(" UTC")
    assert "handed in" in browse(url).data.decode()


def test_delete_spares_a_running_test(api: Api) -> None:
    path = "/v2/schedules/open1001/candidates/ann@example.org"
    url = api.register()["url"]
    assert api.code("DELETE", path) == "E000"
    browse(f"{url}/start", {})
    assert api.code("DELETE", path) == "E000"
    browse(url, {"q1": "1"})
    assert (api.code("DELETE", path), api.code("GET", path)) == (None, "E000")
    assert browse(url).status == 404
    again = api.register()
    assert (again["status"], again["url"] == url) == ("ToBeTaken", False)


def test_hooks_have_exactly_the_documented_fields(start: Callable[..., Api], catcher: Any) -> None:
    api = start(hook_url=f"{catcher.url}/hooks/t", exit_redirection_url="https://example.org/back")
    url = api.register(context_data='{"é": [1]} ')["url"]
    browse(f"{url}/start", {})
    browse(f"{url}/start", {})
    answer = browse(url, {"q1": "1", "q2": "0", "q3": "0"})
    assert (answer.status, answer.headers["Location"]) == (303, "https://example.org/back")
    assert [hook.headers["Content-Type"] for hook in catcher.hooks] == ["application/json"] * 3
    began, finished, graded = [json.loads(hook.body) for hook in catcher.hooks]
    assert set(began) == COMMON | {"assessment_id"}
    assert set(finished) == COMMON | {"assessment_id", "finish_mode"}
    assert set(graded) == COMMON | {"assessmentId"} | GRADED
    events = [body["EVENT_TYPE"] for body in (began, finished, graded)]
    assert events == ["startAssessment", "finishTest", "gradedAssessment"]
    assert {body["context_data"] for body in (began, finished, graded)} == {'{"é": [1]} '}
    assert began["invitation_key"] == "open1001"
    assert (graded["marks_scored"], graded["max_marks"], graded["assessmentId"]) == (6, 10, 1001)
    assert json.loads(graded["sectional_scores"]) == [
        {"sectionName": "Numbers", "sectionScore": 3.0, "sectionMaxScore": 7.0},
        {"sectionName": "Words", "sectionScore": 3.0, "sectionMaxScore": 3.0},
    ]
    assert graded["testStatus"]["result"]["totalMarks"] == 6


def test_marking_by_a_person_and_again(start: Callable[..., Api], catcher: Any) -> None:
    api = start(hook_url=catcher.url)
    url = api.register("open1002")["url"]
    browse(f"{url}/start", {})
    browse(url, {"q1": "1"})
    assert "result" not in api.result("open1002")
    assert len(catcher.hooks) == 2
    for marks in (7, 4.5):
        api.control("finish", {"email": "ann@example.org", "total_marks": marks})
        assert api.result("open1002")["result"]["totalMarks"] == marks
    assert [json.loads(hook.body)["marks_scored"] for hook in catcher.hooks[2:]] == [7, 4.5]


def test_finishing_without_a_person_or_a_hook(start: Callable[..., Api], catcher: Any) -> None:
    api = start(hook_url=catcher.url)
    api.register()
    asked = {"email": "ann@example.org", "total_marks": 1, "max_marks": 0, "silent": True}
    api.control("finish", asked)
    assert api.result()["result"]["maxMarks"] == 0
    assert catcher.hooks == api.control("state")["hooks"] == []


def test_faults(api: Api) -> None:
    path = "/v2/schedules/open1001/candidates"
    api.control("fault", {"path": path, "method": "POST", "drop": True})
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.register()
    assert api.control("state")["credits"] == 2
    api.control("fault", {"path": path, "status": 503, "times": -1, "body": "no"})
    sent = api.signed("GET", path, {}, PUBLIC, PRIVATE, str(int(time.time())))
    answer = api.send("GET", path, sent, {})
    assert (answer.status, answer.data) == (503, b"no")
    api.control("clear", {})
    assert len(api.call("GET", path)["candidates"]) == 1
    assert api.control("state")["calls"] == {"candidates": 1}
    api.control("clear", {"all": True})
    assert api.control("state")["candidates"] == []


def test_control_is_for_this_machine() -> None:
    client = mettl.make_app(mettl.MettlSettings())("http://example.org").test_client()
    for address, status in (("192.0.2.1", 403), ("127.0.0.1", 200)):
        place = {"REMOTE_ADDR": address}
        assert client.get("/control/state", environ_base=place).status_code == status
