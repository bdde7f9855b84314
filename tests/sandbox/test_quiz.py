"""The pretend quiz: it believes signed launches only, once, and sends a signed grade."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import urllib3

from lti_bridge.sandbox import quiz, serving
from lti_bridge.sandbox.tools import oauth
from tests.sandbox.conftest import Catcher

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RIGHT = {"q1": "1", "q2": "0", "q3": "2"}


@pytest.fixture
def base() -> Iterator[str]:
    running = serving.start(quiz.make_app(quiz.QuizSettings("key", "secret")))
    yield running.url
    running.stop()


def post(url: str, **form: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "POST", url, body=urlencode(form), headers=FORM, redirect=False, timeout=60
    )


def signed(url: str, **more: str) -> dict[str, str]:
    fields = {
        "oauth_consumer_key": "key",
        "oauth_nonce": secrets.token_hex(8),
        "oauth_timestamp": str(int(time.time())),
        "oauth_signature_method": "HMAC-SHA1",
        **more,
    }
    fields["oauth_signature"] = oauth.signature("POST", url, fields.items(), "secret")
    return fields


def take(base: str, **launch: str) -> str:
    opened = post(f"{base}/launch", **signed(f"{base}/launch", **launch))
    assert opened.status == 303
    page = base + opened.headers["Location"]
    assert b"Bread quiz" in urllib3.request("GET", page, timeout=60).data
    post(page, **RIGHT)
    post(page, q1="0")  # too late
    return urllib3.request("GET", page, timeout=60).data.decode()


def test_the_grade_is_sent_once_and_signed(base: str, catcher: Catcher) -> None:
    back = "https://lms.example.edu/back"
    page = take(
        base,
        lis_outcome_service_url=catcher.url,
        lis_result_sourcedid="cell",
        launch_presentation_return_url=back,
    )
    assert "3 of 3" in page
    assert f'href="{back}"' in page
    assert "did not take your grade" in page  # the catcher answers no envelope
    (hook,) = catcher.hooks
    assert "<sourcedId>cell</sourcedId>" in hook.body
    assert "<textString>1.0</textString>" in hook.body
    assert hook.headers["Authorization"].startswith("OAuth ")


def test_a_launch_without_a_place_for_the_grade_sends_none(base: str, catcher: Catcher) -> None:
    page = take(base, lis_outcome_service_url=catcher.url, launch_presentation_return_url="data:x")
    assert "did not ask for a grade" in page
    assert "data:x" not in page
    assert catcher.hooks == []


def test_a_forged_or_repeated_launch_is_refused(base: str) -> None:
    launch = signed(f"{base}/launch", user_id="4")
    assert post(f"{base}/launch", **{**launch, "user_id": "5"}).status == 401
    assert post(f"{base}/launch", **launch).status == 303
    assert post(f"{base}/launch", **launch).status == 401
    assert post(f"{base}/launch", user_id="4").status == 401
