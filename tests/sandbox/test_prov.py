"""The pretend Prov believes what it is sent, checks who sends it, and tells results."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from lti_bridge.sandbox import prov, serving

AUTH = {"X-API-Key": "value"}
CANDIDATE = {"candidateId": "c-7", "candidateName": "Ann Example", "address": "1 Main Street"}
EVENT = {
    "candidateId": "c-7",
    "examName": "Nursing basics",
    "examCode": "NB1",
    "locationCode": "ONLINE",
    "dateTime": "2030-01-01T10:00:00Z",
}


class Api:
    """A client of one running pretend Prov."""

    def __init__(self, url: str) -> None:
        self.url = url

    def send(
        self, path: str, sent: Any = None, headers: dict[str, str] = AUTH, method: str = ""
    ) -> Any:
        body = {} if sent is None else {"json": sent}
        method = method or ("GET" if sent is None else "POST")
        url = path if path.startswith("http") else self.url + path
        return urllib3.request(method, url, headers=headers, retries=False, timeout=60, **body)

    def event(self, **changes: Any) -> dict[str, Any]:
        told: dict[str, Any] = self.send("/api/events", {**EVENT, **changes}).json()
        assert told.pop("status") == "accepted"
        return told

    def hand_in(self, url: str, **form: str) -> Any:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form)
        return urllib3.request("POST", url, body=body, headers=headers, redirect=False, timeout=60)

    def control(self, name: str, asked: dict[str, Any] | None = None) -> Any:
        return self.send(f"/control/{name}", asked, {}).json()


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    running = []

    def build(**settings: Any) -> Api:
        made = prov.make_app(prov.ProvSettings(**{"auth_value": "value", **settings}))
        running.append(serving.start(made))
        return Api(running[-1].url)

    yield build
    for one in running:
        one.stop()


@pytest.fixture(name="api")
def fixture_api(start: Callable[..., Api]) -> Api:
    return start()


def basic(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.mark.parametrize(
    ("style", "good", "wrong"),
    [
        ("header", AUTH, [{}, {"X-API-Key": "other"}, {"Authorization": "Bearer value"}]),
        ("basic", basic("X-API-Key", "value"), [{}, AUTH, basic("X-API-Key", "other")]),
        ("bearer", {"Authorization": "Bearer value"}, [{}, AUTH, {"Authorization": "value"}]),
    ],
)
def test_the_caller_shows_its_secret(
    start: Callable[..., Api], style: str, good: dict[str, str], wrong: list[dict[str, str]]
) -> None:
    api = start(auth_style=style)
    event = api.send("/api/events", EVENT, good).json()
    for headers in wrong:
        assert api.send("/api/candidates", CANDIDATE, headers).status == 401
        assert api.send(f"/api/results/{event['eventId']}", None, headers).status == 401
    assert api.send("/api/candidates", CANDIDATE, good).status == 200
    assert api.send(f"/api/results/{event['eventId']}", None, good).status == 200
    assert api.control("state")["calls"] == {"candidates": 1, "events": 1, "results": 1}


def test_the_secret_in_the_body_is_not_kept(start: Callable[..., Api]) -> None:
    api = start(auth_style="body", auth_name="apiKey")
    assert api.send("/api/candidates", CANDIDATE).status == 401
    assert api.send("/api/candidates", {**CANDIDATE, "apiKey": "other"}).status == 401
    assert api.send("/api/candidates", {**CANDIDATE, "apiKey": "value"}).status == 200
    assert api.control("state")["candidates"] == [CANDIDATE]
    event = api.send("/api/events", {**EVENT, "apiKey": "value"}).json()
    path = f"/api/results/{event['eventId']}"
    assert [api.send(path).status, api.send(path, {"apiKey": "value"}).status] == [401, 200]


def test_everything_is_believed(api: Api) -> None:
    for name in ("Ann Example", "Ann Other"):
        sent = {**CANDIDATE, "candidateName": name}
        assert api.send("/api/candidates", sent).json() == {"status": "accepted"}
    centre = {"centerName": "Hall", "address": "2 Main Street", "centerCode": "H1"}
    proctor = {"name": "Pat", "userName": "pat", "password": "x", "centerCodes": ["H1", "none"]}
    api.send("/api/centers", centre)
    api.send("/api/proctors", proctor)
    first, second = api.event(), api.event()
    assert set(first) == {"eventId", "examUrl"}
    assert first["eventId"] != second["eventId"]
    assert api.event(candidateId="nobody")["examUrl"].startswith(f"{api.url}/exam/")
    rows = api.control("state")
    assert [row["candidateName"] for row in rows["candidates"]] == ["Ann Example", "Ann Other"]
    assert (rows["centres"], rows["proctors"], len(rows["events"])) == ([centre], [proctor], 3)
    assert "Hello Ann Other" in api.send(first["examUrl"]).data.decode()


def test_nothing_works_without_its_key(api: Api) -> None:
    refused = [
        api.send("/api/candidates", {**CANDIDATE, "candidateId": ""}),
        api.send("/api/candidates", [CANDIDATE]),
        api.send("/api/events", {"candidateId": "c-7"}),
        api.send("/api/events", {"examCode": "NB1"}),
        api.send("/api/centers", {}),
        api.send("/api/proctors", {}),
    ]
    assert [answer.status for answer in refused] == [400] * 6
    assert api.control("state")["calls"] == {}


def test_a_polled_result(api: Api) -> None:
    api.send("/api/candidates", CANDIDATE)
    event = api.event()
    path = f"/api/results/{event['eventId']}"
    before = {
        "candidateName": "Ann Example",
        "candidateId": "c-7",
        "examName": "Nursing basics",
        "examCode": "NB1",
        "eventId": event["eventId"],
    }
    assert api.send(path).json() == before
    assert "Question 3 of 3" in api.send(event["examUrl"]).data.decode()
    assert api.hand_in(event["examUrl"], q1="1", q2="1", q3="1").status == 303
    api.hand_in(event["examUrl"], score="0")
    domains = [{"domain": "Hygiene", "score": 50.0}, {"domain": "Safety", "score": 100.0}]
    assert api.send(path).json() == {**before, "overallScore": 66.67, "domains": domains}
    assert "66.67 of 100" in api.send(event["examUrl"]).data.decode()
    assert api.send("/api/results/EV1").status == 404


def test_pushed_results_with_other_names(start: Callable[..., Api], catcher: Any) -> None:
    names = prov.Names(candidate_id="id", exam_code="code", event_id="", overall_score="total")
    api = start(
        names=names,
        results_url=f"{catcher.url}/hooks/prov/token",
        result_path="/scores/{candidate_id}/{exam_code}",
        event_path="/exams",
        max_score=500,
    )
    sent = {"id": 7, "code": "NB1"}
    url = api.send("/exams", sent).json()["examUrl"]
    api.hand_in(url, score="437.5")
    api.control("finish", {"candidate_id": "7", "score": 0, "domains": {"Safety": 0}})
    first, second = [json.loads(hook.body) for hook in catcher.hooks]
    assert {hook.path for hook in catcher.hooks} == {"/hooks/prov/token"}
    people = {"candidateName": "", "examName": "", **sent}
    assert first == {**people, "total": 437.5, "domains": []}
    assert second == {**people, "total": 0, "domains": [{"domain": "Safety", "score": 0}]}
    assert api.send("/scores/7/NB1").json() == second
    assert api.send("/scores/7/NB2").status == 404


def test_faults(api: Api) -> None:
    api.control("fault", {"path": "/api/events", "drop": True})
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.event()
    assert len(api.control("state")["events"]) == 1
    api.control("fault", {"path": "/api/events", "status": 502, "body": "no"})
    assert api.send("/api/events", EVENT).status == 502
    assert len(api.control("state")["events"]) == 1
    api.control("fault", {"path": "/api/events", "delay_s": 0.3, "times": -1})
    with pytest.raises(urllib3.exceptions.TimeoutError):
        urllib3.request("POST", f"{api.url}/api/events", timeout=0.1, retries=False)
    api.control("clear", {"all": True})
    assert api.control("state")["events"] == []
    assert api.send("/control/fault", {"path": "/api/events", "when": "now"}).status == 400


def test_control_is_for_this_machine() -> None:
    client = prov.make_app(prov.ProvSettings())("http://example.org").test_client()
    for address, status in (("192.0.2.1", 403), ("127.0.0.1", 200)):
        place = {"REMOTE_ADDR": address}
        assert client.get("/control/state", environ_base=place).status_code == status
