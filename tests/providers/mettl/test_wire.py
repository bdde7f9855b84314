"""Calls as they go over the wire, byte for byte, and every way an answer can be wrong."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import new as mac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest

from lti_bridge.core.launch.handoff import Redirect
from lti_bridge.errors import (
    AnswerLost,
    BridgeError,
    OutOfStock,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
)
from lti_bridge.net import Response
from lti_bridge.providers.mettl import errors as named
from lti_bridge.providers.mettl.kind import MettlProvider
from tests.providers.mettl.account import (
    ANN,
    REGISTER,
    RESULT,
    Account,
    Clock,
    provider_at,
    session,
    sign,
    sitting,
)

CODES = [
    ("E000", named.Unspecified, True),
    ("E028", named.ImageNotAccepted, False),
    ("E401", named.SignatureNotAccepted, False),
    ("E403", named.KeyNotAllowed, False),
    ("E607", named.RegistrationsUsedUp, False),
    ("E999", named.UnknownRefusal, False),
]


@dataclass
class Seen:
    line: str
    body: str
    content_type: str


class Recorder(ThreadingHTTPServer):
    """Answers every call with the same text and keeps what was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[Seen] = []
        self.status = 200
        self.body = b'{"status":"SUCCESS"}'


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("ascii")
        kind = self.headers.get("Content-Type", "")
        self.server.seen.append(Seen(self.requestline, body, kind))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


class Stopped(Clock):
    def __call__(self) -> Any:
        return (
            super()
            .__call__()
            .replace(year=2026, month=1, day=5, hour=12, minute=0, second=0, microsecond=0)
        )


TS = "1767614400"  # 2026-01-05 12:00 UTC


def asgn(text: str) -> str:
    return quote(b64encode(mac("private/ä&".encode(), text.encode(), sha256).digest()), safe="")


def expected_rd(context: str) -> str:
    return (
        '{"registrationDetails":[{"First Name":"\\u00c4nn","Email Address":"ann+1@example.org",'
        '"Last Name":"O\\u2019Neil"}],"optionalParams":[{"email":"ann+1@example.org",'
        f'"context_data":"{context}","compensatory_time":23}}]}}'
    )


@pytest.mark.parametrize("style", ["form", "query"])
def test_a_registration_byte_for_byte(recorder: Recorder, style: str) -> None:
    provider = provider_at(recorder.url, Stopped(), post_style=style)
    recorder.body = (
        b'{"status":"SUCCESS","registrationStatus":[{"email":"ann+1@example.org",'
        b'"status":"ToBeTaken","message":"","url":"https://tests.example.org/take/1?k=v"}]}'
    )
    started = provider.start(
        session(
            extra_time=50,
            duration_min=45,
            timeLimitInSec=86400,
            showCustomInstructions=True,
            allowMissingMandatoryRegistrationFields=True,
            registration={"Last Name": "O’Neil", "City": ""},
        )
    )
    assert started.handoff == Redirect("https://tests.example.org/take/1?k=v")
    url = f"{recorder.url}{REGISTER}"
    attempt = "attempt-1_ABCDEFGHIJK1"
    rd = expected_rd(f"lti-bridge.{attempt}.{sign(f'mettl attempt {attempt}')}")
    signed = asgn(f"POST{url}\npub-key\ntrue\n{rd}\ntrue\n86400\n{TS}")
    sent = (
        f"ak=pub-key&ts={TS}&rd={quote(rd, safe='')}"
        "&allowMissingMandatoryRegistrationFields=true&timeLimitInSec=86400"
        f"&showCustomInstructions=true&asgn={signed}"
    )
    (seen,) = recorder.seen
    if style == "form":
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        assert seen == Seen(f"POST {REGISTER} HTTP/1.1", sent, kind)
    else:
        assert seen == Seen(f"POST {REGISTER}?{sent} HTTP/1.1", "", "")


def test_a_language_other_than_english(recorder: Recorder) -> None:
    provider = provider_at(recorder.url, Stopped())
    names = {"first_name_field": "Prénom", "email_field": "Adresse e-mail"}
    with pytest.raises(AnswerLost):
        provider.start(session(**names))
    rd = quote('{"registrationDetails":[{"Pr\\u00e9nom":"\\u00c4nn","Adresse e-mail":', safe="")
    assert f"&rd={rd}" in recorder.seen[0].body


def test_an_address_in_the_path_byte_for_byte(recorder: Recorder) -> None:
    provider = provider_at(recorder.url, Stopped())
    path = "/v2/schedules/k-1/candidates/a%3Fb+c%20d@example.org"
    provider.client.delete("k-1", "a?b+c d@example.org")
    (seen,) = recorder.seen
    signed = asgn(f"DELETE{recorder.url}{path}\npub-key\n{TS}")
    assert seen.line == f"DELETE {path}?ak=pub-key&ts={TS}&asgn={signed} HTTP/1.1"


def test_a_region_with_a_path_of_its_own(recorder: Recorder) -> None:
    provider = provider_at(f"{recorder.url}/eu/", Stopped(), api_version=2)
    provider.check()
    signed = asgn(f"GET{recorder.url}/eu/v2/account\npub-key\n{TS}")
    assert recorder.seen[0].line == f"GET /eu/v2/account?ak=pub-key&ts={TS}&asgn={signed} HTTP/1.1"


def test_both_versions_and_both_styles_are_accepted(account: Account) -> None:
    for version in (1, 2):
        for style in ("form", "query"):
            provider = account.provider(api_version=version, post_style=style)
            assert isinstance(provider.start(session()).handoff, Redirect)
            assert "accepts" in provider.check()
    assert account.state()["credits"] == 4  # one candidate, four registrations


# Refusals


@pytest.mark.parametrize(("code", "error", "retry"), CODES)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_every_code_is_a_named_error_whatever_the_http_status(
    account: Account, code: str, error: type[BridgeError], retry: bool, status: int
) -> None:
    provider = account.provider()
    account.refuse(REGISTER, code, status=status)
    with pytest.raises(error) as caught:
        provider.start(session())
    assert caught.value.retry is retry
    assert caught.value.code.startswith("mettl-")
    assert code in caught.value.detail
    for private in (ANN.email, ANN.given_name):
        assert private not in caught.value.detail
    assert isinstance(provider.start(session()).handoff, Redirect)  # nothing was carried out


def test_no_registrations_left(account: Account, provider: MettlProvider) -> None:
    for number in range(5):
        provider.start(session(person=type(ANN)(given_name="A", email=f"a{number}@example.org")))
    with pytest.raises(OutOfStock):
        provider.start(session())


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"private_key": "wrong"}, named.SignatureNotAccepted),
        ({"public_key": "wrong"}, named.KeyNotAllowed),
    ],
)
def test_wrong_keys(account: Account, setting: Any, error: type[BridgeError]) -> None:
    with pytest.raises(error):
        account.provider(**setting).check()


# The clock


@pytest.mark.parametrize("days", [-40, 3])
def test_a_wrong_clock_is_set_by_mettls(account: Account, days: int) -> None:
    account.clock.ahead = timedelta(days=days)
    provider = account.provider()
    assert isinstance(provider.start(session()).handoff, Redirect)
    provider.check()
    assert account.state()["calls"] == {"register": 1, "account": 1}


def test_the_clock_is_set_once_only(account: Account) -> None:
    account.refuse("/v2/account", "E504", times=2)
    provider = account.provider()
    with pytest.raises(named.ClockNotAccepted):
        provider.check()
    assert "accepts" in provider.check()


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 05 Jan 2026 12:00:00 -0000"])
def test_an_answer_without_the_time_does_not_set_the_clock(date: str) -> None:
    body = b'{"status":"ERROR","error":{"code":"E504","message":""}}'
    calls = []

    def send(*args: Any, **kwargs: Any) -> Response:
        calls.append(args)
        return Response(200, {"Date": date} if date else {}, body)

    with pytest.raises(named.ClockNotAccepted):
        provider_at("https://api.mettl.com", Clock(), send=send).check()
    assert len(calls) == 1


# Lost, broken and slow answers


def test_a_lost_registration_is_unclear_and_found_again(
    account: Account, provider: MettlProvider
) -> None:
    account.fault(REGISTER, drop=True)
    with pytest.raises(AnswerLost) as caught:
        provider.start(session())
    assert "example.org" not in caught.value.detail
    assert account.state()["credits"] == 4
    assert isinstance(provider.start(session()).handoff, Redirect)
    assert account.state()["credits"] == 4


def test_a_lost_result_is_only_a_question_without_answer(
    account: Account, provider: MettlProvider
) -> None:
    started = provider.start(session())
    account.fault(RESULT, drop=True)
    with pytest.raises(ProviderDown) as caught:
        provider.fetch(sitting(started))
    assert caught.value.detail.startswith("result: ")
    assert "example.org" not in caught.value.detail
    assert caught.value.__cause__ is None


def test_a_slow_answer(account: Account) -> None:
    account.fault(REGISTER, delay_s=3)
    with pytest.raises(AnswerLost):
        account.provider(timeout_s=1).start(session())


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"status": 503, "body": "<html>", "content_type": "text/html"},
        {"body": "not json"},
        {"body": "[]"},
        {"body": "{}"},
        {"body": "[" * 100_000},
        {"body": '{"status":"success"}'},
        {"body": '{"status":"SUCCESS"}', "status": 500},
        {"body": '{"status":"SUCCESS"}'},
        {"body": '{"status":"SUCCESS","registrationStatus":[],"candidate":[]}'},
    ],
)
def test_an_answer_that_cannot_be_read(
    account: Account, provider: MettlProvider, broken: dict[str, Any]
) -> None:
    started = provider.start(session())
    account.fault(REGISTER, **broken)
    with pytest.raises(AnswerLost):
        provider.start(session())
    account.fault(RESULT, **broken)
    with pytest.raises(ProviderError) as caught:
        provider.fetch(sitting(started))
    assert caught.value.retry


def test_success_with_a_failed_status_is_no_success(
    account: Account, provider: MettlProvider
) -> None:
    account.fault("/v2/account", body='{"status":"SUCCESS"}', status=500)
    with pytest.raises(ProviderError):
        provider.check()


@pytest.mark.parametrize("told", ['"E401"', "null", '{"code":null}', "[1]"])
def test_an_error_of_another_shape_is_a_refusal(
    account: Account, provider: MettlProvider, told: str
) -> None:
    account.fault("/v2/account", body=f'{{"status":"ERROR","error":{told}}}')
    with pytest.raises(named.UnknownRefusal):
        provider.check()


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, ProviderRefused), (403, ProviderRefused), (404, ProviderRefused), (429, ProviderBusy)],
)
def test_statuses_of_something_before_mettl(
    account: Account, provider: MettlProvider, status: int, error: type[BridgeError]
) -> None:
    account.fault(REGISTER, status=status, body="<html>")
    with pytest.raises(error):
        provider.start(session())


def test_nobody_there() -> None:
    with pytest.raises(ProviderDown):
        provider_at("http://127.0.0.1:1024", Clock()).start(session())


@pytest.mark.parametrize(
    "row",
    [
        '{"status":"Failed","message":"ann+1@EXAMPLE.org: Last Name is missing"}',
        '{"status":"ToBeTaken","url":"","message":"Last Name is missing"}',
        '{"status":"ToBeTaken","url":"javascript:alert(1)","message":"Last Name is missing"}',
        '{"status":"ToBeTaken","url":"http://tests.example.org/","message":"Last Name is missing"}',
        '{"status":"ToBeTaken","url":["https://x.org"],"message":"Last Name is missing"}',
        '{"status":"ToBeTaken","url":"https://[","message":"Last Name is missing"}',
    ],
)
def test_no_link_is_a_failure(account: Account, provider: MettlProvider, row: str) -> None:
    account.fault(REGISTER, body=f'{{"status":"SUCCESS","registrationStatus":[{row}]}}')
    with pytest.raises(named.NotRegistered) as caught:
        provider.start(session())
    assert "Last Name is missing" in caught.value.detail
    assert "example" not in caught.value.detail.lower()
