"""The desks of the pretend providers: whoever marks there, the customer is told."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import urllib3
from lxml import html

from lti_bridge.sandbox import demo, serving
from tests.sandbox.conftest import Catcher

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def desk() -> Iterator[str]:
    running = serving.start(demo.make_app(demo.DemoSettings(api_key="key")))
    yield f"{running.url}/staff"
    running.stop()


def call(method: str, url: str, **form: str) -> urllib3.BaseHTTPResponse:
    body = urlencode(form) if form else None
    return urllib3.request(method, url, body=body, headers=FORM, redirect=False, timeout=60)


def hand_in(desk: str, hook: str) -> None:
    url = desk.replace("/staff", "/sessions")
    asked = {"test": "essay", "name": "Ann <Example>", "callback_url": hook}
    bought = urllib3.request("POST", url, json=asked, headers={"Authorization": "Bearer key"})
    call("POST", bought.json()["url"], q1="1")


def key_of(desk: str) -> str:
    (key,) = html.document_fromstring(call("GET", desk).data).xpath("//input[@name='key']/@value")
    return str(key)


def test_marks_and_other_marks_are_told(desk: str, catcher: Catcher) -> None:
    assert b"Nothing has been handed in yet" in call("GET", desk).data
    hand_in(desk, catcher.url)
    page = call("GET", desk).data.decode()
    assert "You are now the provider's staff" in page
    assert "Ann &lt;Example&gt;" in page
    for number, (score, told) in enumerate((("2", "2 of 3"), ("3", "3 of 3")), start=2):
        answer = call("POST", desk, key=key_of(desk), score=score)
        assert (answer.status, answer.headers["Location"]) == (303, "/staff")
        assert told in call("GET", desk).data.decode()
        assert len(catcher.hooks) == number


def test_what_is_no_score_or_nobodys_paper_changes_nothing(desk: str, catcher: Catcher) -> None:
    hand_in(desk, catcher.url)
    key = key_of(desk)
    for form, status in (
        ({"key": key}, 400),
        ({"key": key, "score": "nan"}, 400),
        ({"key": "somebody", "score": "1"}, 404),
    ):
        assert call("POST", desk, **form).status == status
    assert "not marked yet" in call("GET", desk).data.decode()
    assert len(catcher.hooks) == 1
