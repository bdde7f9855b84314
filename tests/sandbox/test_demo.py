"""The pretend demo provider: its API, its page, its calls, and the strings that tests pull."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from lti_bridge.sandbox import demo, serving
from tests.sandbox.conftest import Catcher

KEY = {"Authorization": "Bearer key"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Api:
    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, method: str, path: str, sent: Any = None, headers: Any = KEY) -> Any:
        body = {} if sent is None else {"json": sent}
        url = self.url + path
        return urllib3.request(method, url, headers=headers, retries=False, timeout=60, **body)

    def buy(self, **asked: Any) -> Any:
        answer = self.send("POST", "/sessions", {"test": "geography", **asked})
        assert answer.status == 201
        return answer.json()

    def take(self, url: str, **form: str) -> str:
        answer = urllib3.request("POST", url, body=urlencode(form), headers=FORM, timeout=60)
        return answer.data.decode()

    def session(self, name: str) -> Any:
        return self.send("GET", f"/sessions/{name}").json()


@pytest.fixture(name="api")
def fixture_api() -> Iterator[Api]:
    running = serving.start(demo.make_app(demo.DemoSettings(api_key="key", stock=2)))
    yield Api(running.url)
    running.stop()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}, {"X-Key": "key"}])
def test_every_call_needs_the_key(api: Api, headers: dict[str, str]) -> None:
    name = api.buy()["id"]
    for method, path in (
        *(("POST", "/sessions"), ("GET", f"/sessions/{name}")),
        *(("DELETE", f"/sessions/{name}"), ("GET", "/tests")),
    ):
        assert api.send(method, path, {"test": "geography"}, headers).status == 401
    assert len(api.send("GET", "/control/state").json()["sessions"]) == 1


def test_sessions_cost_and_previews_do_not(api: Api) -> None:
    assert api.send("POST", "/sessions", {"test": "other"}).status == 422
    api.buy()
    api.buy(preview=True)
    api.buy()
    assert api.send("POST", "/sessions", {"test": "geography"}).status == 402
    api.buy(preview=True)


def test_a_candidate_takes_the_test(api: Api, catcher: Catcher) -> None:
    made = api.buy(name="Ann", callback_url=f"{catcher.url}/hook", return_url="http://a.invalid/")
    assert api.session(made["id"]) == {"state": "open", "score": None, "maximum": None}
    page = urllib3.request("GET", made["url"]).data.decode()
    assert "Hello Ann" in page
    assert api.session(made["id"])["state"] == "started"
    assert catcher.hooks == []
    assert "2 of 3" in api.take(made["url"], q1="1", q2="0", q3="0")
    assert "http://a.invalid/" in api.take(made["url"], q1="1", q2="0", q3="2")  # too late
    assert api.session(made["id"]) == {"state": "marked", "score": 2, "maximum": 3}
    (hook,) = catcher.hooks
    assert (hook.path, json.loads(hook.body)) == ("/hook", {"session": made["id"]})


def test_a_person_marks_an_essay(api: Api) -> None:
    made = api.buy(test="essay")
    assert "marked by a person" in api.take(made["url"])
    assert api.session(made["id"])["state"] == "handed-in"
    for score in (1.5, 0):
        api.send("POST", "/control/mark", {"id": made["id"], "score": score, "maximum": 3})
        assert api.session(made["id"]) == {"state": "marked", "score": score, "maximum": 3}
    assert api.send("DELETE", f"/sessions/{made['id']}").status == 200
    assert api.send("GET", f"/sessions/{made['id']}").status == 404


def test_faults_are_played_once(api: Api) -> None:
    api.send("POST", "/control/fault", {"path": "/tests", "status": 503, "body": "x"})
    assert [api.send("GET", "/tests").status for _ in range(2)] == [503, 200]
    api.send("POST", "/control/fault", {"path": "/sessions", "drop": True})
    with pytest.raises(urllib3.exceptions.HTTPError):
        api.buy()
    assert len(api.send("GET", "/control/state").json()["sessions"]) == 1


def test_control_is_for_this_machine() -> None:
    client = demo.make_app(demo.DemoSettings())("http://example.org").test_client()
    for address, status in (("192.0.2.1", 403), ("127.0.0.1", 200)):
        place = {"REMOTE_ADDR": address}
        assert client.get("/control/state", environ_base=place).status_code == status
