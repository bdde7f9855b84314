"""Access tokens: what is asked, what is kept, what is refused."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from lti_bridge.errors import DeliveryFailed, DeliveryRefused, LmsAway, NetworkFailed
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags
from lti_bridge.lti.keys import SigningKey
from lti_bridge.net import Response
from tests.lms.platform13 import LTI, NOW, Clock, Platform, random_bytes, rsa_key

SCORE = frozenset({ags.SCORE})
BOTH = frozenset({ags.SCORE, ags.RESULT_READ})
LMS = Platform("lms").registration()


class Endpoint:
    """A token endpoint that hands out one token after the other."""

    def __init__(self, **answer: Any) -> None:
        self.status, self.changes = 200, answer
        self.calls: list[tuple[str, str, Mapping[str, str], dict[str, str]]] = []
        self.entered, self.go = threading.Event(), threading.Event()
        self.go.set()

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        form = parse_qsl(body.decode(), strict_parsing=True)
        assert len(form) == len(dict(form))
        self.calls.append((method, url, headers or {}, dict(form)))
        self.entered.set()
        assert self.go.wait(60)
        answer = {
            "access_token": f"token-{len(self.calls)}",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": dict(form)["scope"],
        } | self.changes
        given = {name: value for name, value in answer.items() if value is not ...}
        return Response(self.status, {"Content-Type": "text/html"}, json.dumps(given).encode())

    def assertion(self) -> dict[str, Any]:
        """The claims of the last assertion, its signature checked."""
        header, claims, signature = self.calls[-1][3]["client_assertion"].split(".")
        rsa_key("tool").public_key().verify(
            base64.urlsafe_b64decode(signature + "=="),
            f"{header}.{claims}".encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
        decoded = json.loads(base64.urlsafe_b64decode(header + "=="))
        assert decoded == {"alg": "RS256", "typ": "JWT", "kid": "tool-1"}
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(claims + "=="))
        return found


class Rig:
    def __init__(self, **answer: Any) -> None:
        self.endpoint, self.clock = Endpoint(**answer), Clock()
        key = SigningKey("tool-1", rsa_key("tool"))
        self.tokens = Tokens(self.endpoint, lambda _: key, self.clock, random_bytes())

    def asked(self) -> int:
        return len(self.endpoint.calls)


@pytest.mark.spec("T13TK-01", "T13TK-08")
def test_the_request_is_a_form_with_exactly_these_fields() -> None:
    rig = Rig()
    rig.tokens.get(LMS, BOTH)
    method, url, headers, form = rig.endpoint.calls[0]
    assert (method, url) == ("POST", "https://lms.example.edu/token")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sorted(form) == ["client_assertion", "client_assertion_type", "grant_type", "scope"]
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    assert form["scope"].split(" ") == sorted(BOTH)


@pytest.mark.spec("T13TK-02", "T13TK-03", "T13TK-04", "AMB-06")
def test_the_assertion() -> None:
    rig = Rig()
    rig.tokens.get(LMS, SCORE)
    claims = rig.endpoint.assertion()
    now = int(NOW.timestamp())
    first = claims.pop("jti")
    assert claims == {
        "iss": "client-1",
        "sub": "client-1",
        "aud": "https://lms.example.edu/token",
        "iat": now - 5,
        "exp": now + 295,
    }
    rig.tokens.get(LMS, SCORE, deployment_id="7")
    claims = rig.endpoint.assertion()
    assert claims[f"{LTI}deployment_id"] == "7"
    assert claims["jti"] != first
    assert len(claims["jti"]) >= 32


def test_the_audience_can_be_configured() -> None:
    rig = Rig()
    rig.tokens.get(Platform("lms").registration(auth_audience="https://auth.example.edu"), SCORE)
    assert rig.endpoint.assertion()["aud"] == "https://auth.example.edu"


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"token_url": "https://evil.example.org/token", "auth_audience": "{own}/token"}, "token"),
        ({"token_url": "{own}/token", "auth_audience": "https://evil.example.org/t"}, "audience"),
    ],
)
def test_nothing_is_signed_for_a_host_that_is_not_its_own(
    changes: dict[str, str], what: str
) -> None:
    rig, own = Rig(), LMS.issuer
    named = {name: value.format(own=own) for name, value in changes.items()}
    one = Platform("lms").registration(**named, by_address=True)
    with pytest.raises(DeliveryRefused, match=f"{what}: 'evil.example.org' is no host of 'lms'"):
        rig.tokens.get(one, SCORE)
    assert rig.asked() == 0
    rig.tokens.get(replace(one, service_hosts=frozenset({"evil.example.org"})), SCORE)
    assert rig.asked() == 1


@pytest.mark.spec("T13TK-07", "T13TK-08")
def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    rig = Rig()
    assert rig.tokens.get(LMS, SCORE) == "token-1"
    rig.clock.forward(seconds=3539)
    assert rig.tokens.get(LMS, SCORE) == "token-1"
    rig.clock.forward(seconds=1)
    assert rig.tokens.get(LMS, SCORE) == "token-2"


@pytest.mark.spec("T13TK-07")
def test_tokens_are_never_shared() -> None:
    rig = Rig()
    other = Platform("other", client_id="client-1").registration()
    used = {
        rig.tokens.get(LMS, SCORE),
        rig.tokens.get(other, SCORE),
        rig.tokens.get(LMS, BOTH),
        rig.tokens.get(LMS, SCORE, deployment_id="1"),
        rig.tokens.get(LMS, SCORE, deployment_id="2"),
    }
    assert len(used) == 5


@pytest.mark.parametrize("life", [..., 0, -5, 59, "soon", None, [], True])
def test_a_token_without_a_usable_life_is_used_once(life: object) -> None:
    rig = Rig(expires_in=life)
    assert [rig.tokens.get(LMS, SCORE) for _ in range(2)] == ["token-1", "token-2"]


def test_a_life_written_as_text_counts() -> None:
    rig = Rig(expires_in="3600")
    assert [rig.tokens.get(LMS, SCORE) for _ in range(2)] == ["token-1", "token-1"]


def test_a_refused_token_is_replaced() -> None:
    rig = Rig()
    rig.tokens.get(LMS, SCORE)
    rig.tokens.get(LMS, BOTH)
    for _ in range(2):  # two threads were refused with the same token
        rig.tokens.forget(LMS, SCORE, token="token-1")
        assert rig.tokens.get(LMS, SCORE) == "token-3"
    rig.tokens.forget(LMS, frozenset({"never asked"}), token="token-1")
    assert rig.tokens.get(LMS, BOTH) == "token-2"


@pytest.mark.spec("T13TK-06")
def test_a_scope_that_was_not_granted_is_named() -> None:
    rig = Rig(scope=ags.RESULT_READ)
    for _ in range(2):
        with pytest.raises(DeliveryRefused, match=f"did not grant {ags.SCORE}"):
            rig.tokens.get(LMS, BOTH)
    assert rig.asked() == 1


def test_more_scopes_than_asked_for_and_no_word_about_them_are_fine() -> None:
    assert Rig(scope=f"{ags.LINE_ITEM}  {ags.SCORE}").tokens.get(LMS, SCORE) == "token-1"
    assert Rig(scope=...).tokens.get(LMS, SCORE) == "token-1"


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer"])
def test_the_token_type_has_no_case(kind: str) -> None:
    assert Rig(token_type=kind).tokens.get(LMS, SCORE) == "token-1"


@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "mac"},
        {"token_type": ...},
        {"access_token": ...},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "é"},
    ],
)
def test_an_unusable_answer_is_no_token(change: dict[str, Any]) -> None:
    with pytest.raises(DeliveryFailed):
        Rig(**change).tokens.get(LMS, SCORE)


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (400, "invalid_scope", DeliveryRefused),
        (401, "unauthorized_client", DeliveryRefused),
        (400, "invalid_client", DeliveryFailed),
        (400, "Expired token", DeliveryFailed),
        (500, ..., DeliveryFailed),
        (200, "invalid_scope", DeliveryRefused),
        (200, "invalid_client", DeliveryFailed),
        (429, "invalid_scope", DeliveryFailed),
        (302, ..., DeliveryFailed),
    ],
)
def test_errors_of_the_endpoint(status: int, error: object, failure: type[Exception]) -> None:
    rig = Rig(error=error, **({"access_token": ...} if status == 200 else {}))
    rig.endpoint.status = status
    with pytest.raises(failure):
        rig.tokens.get(LMS, SCORE)


@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_whatever_says_yes_and_holds_a_token_is_one(status: int) -> None:
    rig = Rig()
    rig.endpoint.status = status
    assert rig.tokens.get(LMS, SCORE) == "token-1"


@pytest.mark.parametrize("body", [b'{"error" : ""kid" invalid"}', b"<html>", b"[]", b"[" * 50_000])
def test_an_answer_that_is_no_json_can_be_asked_again(body: bytes) -> None:
    key = SigningKey("tool-1", rsa_key("tool"))
    tokens = Tokens(
        lambda *_, **__: Response(400, {}, body), lambda _: key, Clock(), random_bytes()
    )
    with pytest.raises(DeliveryFailed):
        tokens.get(LMS, SCORE)


def test_a_failure_is_not_kept() -> None:
    rig = Rig()
    rig.endpoint.status = 503
    with pytest.raises(DeliveryFailed):
        rig.tokens.get(LMS, SCORE)
    rig.endpoint.status = 200
    assert rig.tokens.get(LMS, SCORE) == "token-2"


def test_who_waited_for_a_token_that_failed_does_not_ask_again() -> None:
    rig = Rig()
    rig.endpoint.status = 503
    rig.endpoint.go.clear()
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(rig.tokens.get, LMS, SCORE) for _ in range(6)]
        assert rig.endpoint.entered.wait(60)
        time.sleep(0.2)  # so that all wait
        rig.endpoint.go.set()
        assert {type(one.exception(60)) for one in waiting} == {LmsAway}
    assert rig.asked() == 1


def test_an_lms_that_is_down_is_the_network_s_failure() -> None:
    def down(*_: object, **__: object) -> Response:
        raise NetworkFailed("no connection")

    tokens = Tokens(down, lambda _: SigningKey("t", rsa_key("tool")), Clock(), random_bytes())
    with pytest.raises(NetworkFailed):
        tokens.get(LMS, SCORE)


def test_threads_share_one_request_and_another_lms_is_not_held_up() -> None:
    rig = Rig()
    rig.endpoint.go.clear()
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(rig.tokens.get, LMS, SCORE) for _ in range(5)]
        assert rig.endpoint.entered.wait(60)
        rig.endpoint.entered.clear()
        other = pool.submit(rig.tokens.get, Platform("other").registration(), SCORE)
        assert rig.endpoint.entered.wait(60)
        rig.endpoint.go.set()
        assert len({future.result(60) for future in waiting}) == 1
        other.result(60)
    assert rig.asked() == 2
