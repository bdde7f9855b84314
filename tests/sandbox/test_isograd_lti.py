"""The pretend Isograd's LTI door is strict, and its outcome messages convince oauthlib."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import urllib3
from lxml import etree
from oauthlib import oauth1
from oauthlib.oauth1.rfc5849 import signature as rfc5849

from lti_bridge.sandbox import isograd, serving

SECRET = "s/cret & ü"
PERSON = {
    "lti_message_type": "basic-lti-launch-request",
    "lti_version": "LTI-1p0",
    "resource_link_id": "link-1",
    "user_id": "u-7",
    "roles": "Learner",
    "context_title": 'Übung "1" & more',
    "lis_person_contact_email_primary": "Ann@example.org",
    "lis_person_name_given": "Änn",
    "lis_person_name_family": "Example",
    "launch_presentation_return_url": "https://lms.example.org/back?c=1",
    "custom_empty": "",
}
START = {"custom_act_id": "8", "custom_gen_id": "3", "custom_tst_frm_id": "363"}
SUCCESS = """<?xml version="1.0"?>
<imsx_POXEnvelopeResponse xmlns="http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0">
<imsx_POXHeader><imsx_POXResponseHeaderInfo><imsx_version>V1.0</imsx_version>
<imsx_messageIdentifier>1</imsx_messageIdentifier><imsx_statusInfo>
<imsx_codeMajor>success</imsx_codeMajor><imsx_severity>status</imsx_severity>
</imsx_statusInfo></imsx_POXResponseHeaderInfo></imsx_POXHeader>
<imsx_POXBody><replaceResultResponse/></imsx_POXBody></imsx_POXEnvelopeResponse>"""


@pytest.fixture(name="tool")
def fixture_tool() -> Iterator[str]:
    settings = isograd.IsogradSettings(consumer_key="bridge", shared_secret=SECRET, credits=2)
    running = serving.start(isograd.make_app(settings))
    yield running.url
    running.stop()


class Listener(ThreadingHTTPServer):
    """A tiny outcome service that keeps what it got and always agrees."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/outcome?b=2&a=1"


class _Keeper(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(SUCCESS.encode())

    def do_GET(self) -> None:
        self.server.got.append(({}, self.path.encode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(name="listener")
def fixture_listener() -> Iterator[Listener]:
    server = Listener()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def sign(url: str, fields: dict[str, str], key: str = "bridge", **more: Any) -> bytes:
    client = oauth1.Client(key, SECRET, signature_type=oauth1.SIGNATURE_TYPE_BODY, **more)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = client.sign(f"{url}/public/lti.php", "POST", fields, headers)
    return str(body).encode()


def post(url: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> Any:
    headers = {"Content-Type": kind}
    return urllib3.request("POST", url, body=body, headers=headers, redirect=False, timeout=60)


def launch(url: str, **fields: str) -> Any:
    return post(f"{url}/public/lti.php", sign(url, {**PERSON, **fields}))


def rows(url: str) -> Any:
    return urllib3.request("GET", f"{url}/control/state", timeout=60).json()


def page(url: str) -> str:
    return urllib3.request("GET", url, timeout=60).data.decode()


def test_launch_opens_the_test_and_keeps_its_parameters(tool: str) -> None:
    answer = launch(tool, **START, custom_redirect="1")
    assert answer.status == 302
    shown = page(answer.headers["Location"])
    assert shown.count('type="radio"') == 12
    assert "Übung &#34;1&#34; &amp; more" in shown
    state = rows(tool)
    assert state["candidates"][0]["ext_id"] == "u-7"
    assert state["launches"][0]["parameters"]["custom_empty"] == ""
    assert state["launches"][0]["pla_tst_id"] == state["tests"][0]["pla_tst_id"]
    assert (state["credits"], state["tests"][0]["sta_id"]) == (1, 2)


def test_without_redirect_the_answer_is_data(tool: str) -> None:
    assert launch(tool, **START).json()["tst_url"].startswith(f"{tool}/test/")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"u-7", b"u-8"),
        (b"custom_empty=", b"custom_empty=x"),
        (b"oauth_consumer_key=bridge", b"oauth_consumer_key=other"),
        (b"oauth_version=1.0", b"oauth_version=1.0&oauth_version=1.0"),
    ],
)
def test_changed_launch_is_refused(tool: str, old: bytes, new: bytes) -> None:
    body = sign(tool, {**PERSON, **START})
    assert old in body
    answer = post(f"{tool}/public/lti.php", body.replace(old, new, 1))
    assert answer.status == 401
    assert not rows(tool)["candidates"]


@pytest.mark.parametrize(
    "signing",
    [
        {"timestamp": "1000000000"},
        {"timestamp": "1e9"},
        {"signature_method": oauth1.SIGNATURE_PLAINTEXT},
        {"key": "stranger"},
    ],
)
def test_launch_signed_in_a_wrong_way_is_refused(tool: str, signing: dict[str, str]) -> None:
    answer = post(f"{tool}/public/lti.php", sign(tool, {**PERSON, **START}, **signing))
    assert answer.status == 401
    assert not rows(tool)["candidates"]


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("oauth_callback", "about:blank", 200),
        ("oauth_version", "1.0", 401),
        ("oauth_version", "2.0", 401),
        ("oauth_signature_method", "HMAC-SHA256", 401),
        ("oauth_nonce", "", 401),
    ],
)
def test_well_signed_launch_needs_right_protocol_parameters(
    tool: str, name: str, value: str, status: int
) -> None:
    pairs = parse_qsl(sign(tool, {**PERSON, **START}).decode(), keep_blank_values=True)
    keep = value == "1.0"  # then the parameter is there twice
    pairs = [pair for pair in pairs if pair[0] != "oauth_signature" and (keep or pair[0] != name)]
    pairs.append((name, value))
    url = f"{tool}/public/lti.php"
    base = rfc5849.signature_base_string("POST", url, rfc5849.normalize_parameters(pairs))
    made = rfc5849.sign_hmac_sha1_with_client(base, oauth1.Client("bridge", SECRET))
    body = urlencode([*pairs, ("oauth_signature", made)]).encode()
    assert post(url, body).status == status


def test_launch_signed_for_another_address_is_refused(tool: str) -> None:
    body = sign(tool.replace("127.0.0.1", "localhost"), {**PERSON, **START})
    assert post(f"{tool}/public/lti.php", body).status == 401


def test_launch_is_accepted_once(tool: str) -> None:
    body = sign(tool, {**PERSON, **START, "custom_redirect": "1"})
    assert post(f"{tool}/public/lti.php", body).status == 302
    assert post(f"{tool}/public/lti.php", body).status == 401


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"custom_act_id": "13", "roles": "Instructor"}, 400, 103),
        ({"custom_act_id": "99"}, 400, 103),
        ({"custom_act_id": "2", "custom_rea_tst_id": "363"}, 400, 105),
        ({"custom_act_id": "2", "custom_tst_frm_id": "363"}, 403, 107),
        ({**START, "custom_tst_frm_id": "5"}, 403, 106),
        ({**START, "custom_dep_id": "77"}, 403, 203),
        ({**START, "custom_gen_id": "4"}, 403, 201),
        ({**START, "lis_person_contact_email_primary": ""}, 400, 105),
        ({**START, "lis_person_name_family": ""}, 400, 105),
        ({**START, "resource_link_id": ""}, 400, 105),
        ({**START, "custom_act_id": "2", "lis_person_name_given": ""}, 400, 105),
    ],
)
def test_refusal_is_a_page_with_the_code(
    tool: str, fields: dict[str, str], status: int, code: int
) -> None:
    answer = launch(tool, **fields)
    text = answer.data.decode()
    assert answer.status == status
    assert f"<b>{code}</b>" in text
    assert "https://lms.example.org/back?c=1&amp;lti_errormsg=" in text
    assert rows(tool)["launches"][0]["error"] == code


def test_act_8_and_2_continue_and_act_9_adds_until_credits_end(tool: str) -> None:
    first = launch(tool, **START).json()["pla_tst_id"]
    again = {"custom_tst_frm_id": "363"}
    assert launch(tool, **START).json()["pla_tst_id"] == first
    assert launch(tool, custom_act_id="2", **again).json()["pla_tst_id"] == first
    assert launch(tool, custom_act_id="9", **again).json()["pla_tst_id"] != first
    assert "<b>301</b>" in launch(tool, custom_act_id="9", **again).data.decode()
    limited = launch(tool, custom_act_id="9", custom_max_num_tst="2", **again)
    assert "<b>402</b>" in limited.data.decode()


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ("q1=1&q2=0&q3=0", "0.6666666666666666"),
        ("q1=1&q2=0&q3=3", "1.0"),
        ("q1=0", "0.0"),
        ("score=0%2C5", "0,5"),
    ],
)
def test_grade_is_sent_once_and_correctly_signed(
    tool: str, listener: Listener, answers: str, score: str
) -> None:
    sent = {"lis_outcome_service_url": listener.url, "lis_result_sourcedid": 'a"<&>ä'}
    test_url = launch(tool, **START, **sent).json()["tst_url"]
    for _ in range(2):
        assert post(test_url, answers.encode()).headers["Location"] == test_url
    shown = page(test_url)
    assert "Your grade was sent to your course." in shown
    assert 'href="https://lms.example.org/back?c=1"' in shown
    [(headers, body)] = listener.got
    _check_with_oauthlib(listener.url, headers, body)
    texts = [
        element.text for element in etree.fromstring(body).iter("{*}sourcedId", "{*}textString")
    ]
    assert texts == ['a"<&>ä', score]


def _check_with_oauthlib(url: str, headers: dict[str, str], body: bytes) -> None:
    assert headers["Content-Type"] == "application/xml"
    pairs = rfc5849.collect_parameters(
        uri_query=url.partition("?")[2], headers=headers, exclude_oauth_signature=False
    )
    fields = dict(pairs)
    unsigned = [pair for pair in pairs if pair[0] != "oauth_signature"]
    base = rfc5849.signature_base_string(
        "POST", rfc5849.base_string_uri(url), rfc5849.normalize_parameters(unsigned)
    )
    expected = rfc5849.sign_hmac_sha1_with_client(base, oauth1.Client("bridge", SECRET))
    assert fields["oauth_signature"] == expected
    assert fields["oauth_body_hash"] == base64.b64encode(hashlib.sha1(body).digest()).decode()


def test_teacher_without_a_cell_sees_a_preview(tool: str, listener: Listener) -> None:
    fields = {"roles": "Instructor", "lis_outcome_service_url": listener.url}
    test_url = launch(tool, **START, **fields).json()["tst_url"]
    assert "Preview." in page(test_url)
    post(test_url, b"q1=1")
    assert "nothing was sent" in page(test_url)
    assert listener.got == []


def test_unreachable_course_is_said_in_words(tool: str) -> None:
    sent = {"lis_outcome_service_url": "http://127.0.0.1:9/x", "lis_result_sourcedid": "s"}
    test_url = launch(tool, **START, **sent).json()["tst_url"]
    post(test_url, b"q1=1")
    assert "could not be reached" in page(test_url)


def test_control_sends_any_outcome_and_returns_the_raw_answer(
    tool: str, listener: Listener
) -> None:
    launch(tool, **START, lis_outcome_service_url=listener.url, lis_result_sourcedid="s1")
    asked = {"launch": 0, "operation": "delete"}
    answer = post(f"{tool}/control/outcome", json.dumps(asked).encode(), "application/json").json()
    assert (answer["status"], answer["code_major"]) == (200, "success")
    assert answer["body"] == SUCCESS
    assert re.search(rb"<deleteResultRequest>.*<sourcedId>s1<", listener.got[0][1])
