"""The pretend iTEP takes nothing but what its document allows, and tells results as it does."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
import urllib3

from lti_bridge.sandbox import itep, serving

KEY = "account-key"
BASE_FIELDS = {"OID", "TestID", "Status"}
DATE_FIELDS = {"Duration", "TestDate", "TestMonth", "TestDay", "TestYear"}
SCORE_FIELDS = {"score_report_url", "Overall_Level", "Overall_cefr"}
SECTION_FIELDS = {"Grammar_Level", "Grammar_Score", "Reading_Level", "Reading_Score"}
ORDER: dict[str, Any] = {
    "product-code": "GTX-Academic-Plus",
    "track": "RC",
    "assigned-to": {"student-name": "Ann Example", "customer-candidate-id": "att-7"},
    "registration": {"Last_Name": "Example", "First_Name": "Ann", "trExternal_ID": "att-7"},
}


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


class Api:
    """A client of one running pretend iTEP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sequence = 0

    def post(self, body: str, headers: dict[str, str]) -> Any:
        url = f"{self.url}/api/fulfillment"
        return urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=60)

    def send(self, body: str, header: str = "X-iTEP-GTX", key: str = KEY) -> Any:
        return self.post(
            body, {header: hmac.new(key.encode(), body.encode(), "sha256").hexdigest()}
        )

    def order(self, header: str = "X-iTEP-GTX", **changes: Any) -> Any:
        self.sequence += 1
        asked = {**ORDER, "sequence": self.sequence, **changes}
        return self.send(compact({k: v for k, v in asked.items() if v is not None}), header)

    def error(self, **changes: Any) -> str:
        answer = self.order(**changes)
        text: str = answer.json()["error"]
        assert answer.status == 400
        return text

    def control(self, name: str, asked: dict[str, Any] | None = None) -> Any:
        method = "GET" if asked is None else "POST"
        body = {} if asked is None else {"json": asked}
        return urllib3.request(method, f"{self.url}/control/{name}", timeout=60, **body).json()

    def left(self) -> int:
        number: int = self.control("state")["available"]["Academic-Plus"]
        return number

    def browse(self, path: str, form: dict[str, str] | None = None) -> Any:
        if form is None:
            return urllib3.request("GET", self.url + path, timeout=60)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form)
        return urllib3.request(
            "POST", self.url + path, body=body, headers=headers, redirect=False, timeout=60
        )

    def log_in(self, given: dict[str, str]) -> str:
        answer = self.browse("/", {"test-id": given["test-id"], "password": given["password"]})
        assert answer.status == 303
        path: str = answer.headers["Location"]
        return path


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    running = []

    def build(**settings: Any) -> Api:
        made = itep.make_app(itep.ItepSettings(KEY, **settings))
        running.append(serving.start(made))
        return Api(running[-1].url)

    yield build
    for one in running:
        one.stop()


@pytest.fixture(name="api")
def fixture_api(start: Callable[..., Api]) -> Api:
    return start(stock=3)


def results(catcher: Any) -> list[dict[str, Any]]:
    """The data of all web-hooks, whose only form field it is."""
    forms = [parse_qs(hook.body, strict_parsing=True) for hook in catcher.hooks]
    assert all(list(form) == ["data"] for form in forms)
    return [json.loads(form["data"][0]) for form in forms]


def test_an_id_and_a_password(api: Api) -> None:
    answer = api.order()
    assert (answer.status, set(answer.json())) == (200, {"test-id", "password"})
    assert api.order().json()["test-id"] != answer.json()["test-id"]
    assert api.control("state")["tests"][0]["assigned_to"] == ORDER["assigned-to"]
    assert (api.left(), api.control("state")["outbox"]) == (1, [])


def test_the_header_name_selects_the_process(api: Api) -> None:
    assert "product-code" in api.order("X-iTEP-STX").json()["error"]
    more = {"product-code": "STX-Academic-Plus", "bcc": "desk@example.org"}
    assert "email" in api.order("X-iTEP-STX", **more).json()["error"]
    answer = api.order("X-iTEP-STX", **more, email="ann@example.org").json()
    mail = {"to": "ann@example.org", "bcc": "desk@example.org", "url": f"{api.url}/", **answer}
    assert api.control("state")["outbox"] == [mail]


def test_the_header_value_signs_the_raw_body(api: Api) -> None:
    body = compact({**ORDER, "sequence": 1})
    good = hmac.new(KEY.encode(), body.encode(), "sha256").hexdigest()
    refused = [
        api.send(body, key="wrong"),
        api.send(body, "X-Other"),
        api.post(body, {"X-iTEP-GTX": good.upper()}),
        api.post(body, {"X-iTEP-GTX": good, "X-iTEP-STX": good}),
        api.post(body.replace("Ann", "Eve"), {"X-iTEP-GTX": good}),
    ]
    assert [answer.status for answer in refused] == [401] * 5
    assert (api.left(), api.control("state")["calls"]) == (3, {})
    assert api.post(body, {"X-iTEP-GTX": good}).status == 200


@pytest.mark.parametrize("encoding", ["HEX", "base64"])
def test_other_encodings_prefixes_and_answers(start: Callable[..., Api], encoding: str) -> None:
    paths = {"response_test_id_path": "data.id", "response_password_path": "data.pass.word"}
    api = start(sig_encoding=encoding, sig_prefix="sha256=", sequence_mode="none", **paths)
    digest = hmac.new(KEY.encode(), compact(ORDER).encode(), hashlib.sha256)
    written = {
        "HEX": digest.hexdigest().upper(),
        "base64": base64.b64encode(digest.digest()).decode(),
    }
    assert api.post(compact(ORDER), {"X-iTEP-GTX": written[encoding]}).status == 401
    for _ in range(2):
        answer = api.post(compact(ORDER), {"X-iTEP-GTX": f"sha256={written[encoding]}"}).json()
        assert set(answer["data"]) == {"id", "pass"}
        assert set(answer["data"]["pass"]) == {"word"}


def test_only_compact_json(api: Api) -> None:
    asked = {**ORDER, "sequence": 1}
    for body in (json.dumps(asked), json.dumps(asked, indent=1), compact(asked) + "\n"):
        assert "compact" in api.send(body).json()["error"]
    assert "JSON" in api.send("{").json()["error"]
    assert "object" in api.send("[]").json()["error"]
    assert "known fields" in api.send(compact({**asked, "Track": "RC"})).json()["error"]
    spaced = compact({**asked, "assigned-to": {"student-name": 'Ann  "A"\tExample \\'}})
    assert api.send(spaced).status == 200


def test_the_sequence_must_increase(api: Api) -> None:
    body = compact({**ORDER, "sequence": 5})
    assert [api.send(body).status, api.send(body).status] == [200, 409]
    for number in (4, 5, "6", None, True):
        assert api.send(compact({**ORDER, "sequence": number})).status == 409
    assert api.send(compact({**ORDER, "sequence": 9, "track": "?"})).status == 400
    assert api.send(compact({**ORDER, "sequence": 9})).status == 409
    assert api.send(compact({**ORDER, "sequence": 10})).status == 200
    assert api.left() == 1


def test_the_inventory_ends(api: Api) -> None:
    taken = {api.order().json()["test-id"] for _ in range(3)}
    assert (len(taken), api.left()) == (3, 0)
    assert api.error() == "No available test ID for [Academic-Plus]."
    assert api.order(**{"product-code": "GTX-Business-Plus"}).status == 200


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"product-code": "GTX-Other"}, "Unknown product-code [GTX-Other]."),
        ({"product-code": "gtx-Academic-Plus"}, "Unknown product-code [gtx-Academic-Plus]."),
        ({"track": "rc"}, "Unknown track [rc]."),
        ({"assigned-to": None}, "assigned-to and registration must be JSON objects."),
        ({"assigned-to": "Ann"}, "assigned-to and registration must be JSON objects."),
        ({"registration": "Ann"}, "assigned-to and registration must be JSON objects."),
    ],
)
def test_wrong_fields(api: Api, changes: dict[str, Any], text: str) -> None:
    assert (api.error(**changes), api.left()) == (text, 3)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("DOB_Month", 13, "Out of range Birth Month [13]."),
        ("DOB_Day", "0", "Out of range Birth Day [0]."),
        ("DOB_Year", 1900, "Out of range Birth Year [1900]."),
        ("Birthday", "7/1955", "Unable to parse Birth Date [7/1955]."),
        ("Birthday", "13/7/1955", "Out of range Birth Month [13]."),
        ("Birthday", "1955-07-08", "Out of range Birth Day [1955]."),
        ("Gender", "x", "Invalid Gender [x]."),
        ("Education", "x", "Invalid Education [x]."),
        ("Field_Of_Study", "x", "Invalid Study Field [x]."),
        ("last_name", "x", "Unknown registration field [last_name]."),
    ],
)
def test_wrong_registration(api: Api, field: str, value: Any, text: str) -> None:
    assert (api.error(registration={field: value}), api.left()) == (text, 3)


def test_right_registration(api: Api) -> None:
    for fields in (
        {"DOB_Month": 12, "DOB_Day": "31", "DOB_Year": 1999, "Birthday": "7/31/1955"},
        {"Birthday": "31-7-1955", "Gender": "FEMALE", "Field_Of_Study": "biology"},
    ):
        assert api.order(registration=fields).status == 200


def test_the_candidate_logs_in(api: Api) -> None:
    given = api.order().json()
    assert 'value="X1"' in api.browse("/?test-id=X1").data.decode()
    wrong = api.browse("/", {"test-id": given["test-id"], "password": "wrong"})
    assert (wrong.status, "do not belong together" in wrong.data.decode()) == (403, True)
    path = api.log_in(given)
    assert api.control("state")["tests"][0]["state"] == "Incomplete"
    assert "Question 4 of 4" in api.browse(path).data.decode()
    assert api.browse(path, {"q1": "1", "q2": "0", "q3": "0", "q4": "0"}).status == 303
    assert "Level 4.5" in api.browse(path).data.decode()


@pytest.mark.parametrize(
    ("old_words", "last"), [(False, "Complete"), (True, "Completed")], ids=["new", "old"]
)
def test_results(start: Callable[..., Api], catcher: Any, old_words: bool, last: str) -> None:
    headers = (("Authorization", "Basic abc"),)
    track = itep.Track("RC", f"{catcher.url}/hooks/t", notify_finished=True, headers=headers)
    api = start(tracks=(track,), old_words=old_words)
    given = api.order().json()
    path = api.log_in(given)
    api.browse(path, {"q1": "1", "q2": "0", "q3": "0", "q4": "0"})
    api.browse(path, {"score": "6"})
    finished, complete = results(catcher)
    assert {hook.path for hook in catcher.hooks} == {"/hooks/t"}
    assert catcher.hooks[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert catcher.hooks[0].headers["Authorization"] == "Basic abc"
    assert set(finished) == BASE_FIELDS | DATE_FIELDS
    assert set(complete) == BASE_FIELDS | DATE_FIELDS | SCORE_FIELDS | SECTION_FIELDS
    assert (finished["Status"], complete["Status"]) == ("Finished", last)
    assert (complete["OID"], complete["TestID"]) == ("att-7", given["test-id"])
    assert (complete["Overall_Level"], complete["Overall_cefr"]) == (4.5, "B2")
    assert (complete["Grammar_Level"], complete["Reading_Score"]) == (6.0, 50)
    month, day, year = (complete[name] for name in ("TestMonth", "TestDay", "TestYear"))
    assert complete["TestDate"] == f"{month}/{day}/{year}"


def test_without_a_track_nobody_is_told(start: Callable[..., Api], catcher: Any) -> None:
    api = start(tracks=(itep.Track("RC", catcher.url),))
    api.order(track=None)
    api.control("finish", {"oid": "att-7"})
    assert api.control("state")["tests"][0]["state"] == "Complete"
    assert catcher.hooks == []


def test_grading_later(start: Callable[..., Api], catcher: Any) -> None:
    api = start(tracks=(itep.Track("RC", catcher.url),), graded_later=True)
    path = api.log_in(api.order().json())
    api.browse(path, {"q1": "1"})
    assert (catcher.hooks, "being marked" in api.browse(path).data.decode()) == ([], True)
    api.control("finish", {"oid": "att-7", "level": 3.5})
    api.control("finish", {"oid": "att-7", "level": 4})
    assert [data["Overall_Level"] for data in results(catcher)] == [3.5, 4]


@pytest.mark.parametrize(
    ("old_words", "problem"), [(False, "Problem"), (True, "Technical Difficulty")]
)
def test_what_staff_do(
    start: Callable[..., Api], catcher: Any, old_words: bool, problem: str
) -> None:
    api = start(tracks=(itep.Track("RC", catcher.url),), old_words=old_words)
    given = api.order().json()
    one = {"test-id": given["test-id"]}
    api.control("finish", {**one, "level": 5})
    for act in ("resend", "invalidate", "technical", "reset"):
        api.control(act, one)
    states = [data["Status"] for data in results(catcher)]
    assert states[0] == states[1]
    assert states[2:] == ["Invalidated", problem, "Ready"]
    assert "Overall_Level" in results(catcher)[2]
    assert set(results(catcher)[4]) == BASE_FIELDS
    assert api.left() == 49  # still assigned
    api.browse(api.log_in(given), {"score": "2"})
    assert results(catcher)[5]["Overall_Level"] == 2


def test_a_closed_test_cannot_be_handed_in(api: Api) -> None:
    given = api.order().json()
    path = api.log_in(given)
    api.control("invalidate", {"oid": "att-7"})
    api.browse(path, {"score": "6"})
    assert "closed" in api.browse(path).data.decode()
    assert api.log_in(given) == path
    assert api.control("state")["tests"][0]["state"] == "Invalidated"


def test_faults(api: Api) -> None:
    api.control("fault", {"path": "/api/fulfillment", "drop": True})
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.order()
    assert api.left() == 2
    api.control("fault", {"path": "/api/fulfillment", "status": 500, "times": 2})
    assert [api.order().status for _ in range(3)] == [500, 500, 200]
    api.control("clear", {"all": True})
    assert api.left() == 3


def test_control_is_for_this_machine() -> None:
    client = itep.make_app(itep.ItepSettings())("http://example.org").test_client()
    for address, status in (("192.0.2.1", 403), ("127.0.0.1", 200)):
        place = {"REMOTE_ADDR": address}
        assert client.get("/control/state", environ_base=place).status_code == status
