"""The token endpoint: who gets a token, for what, and what everybody else hears."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from werkzeug.test import TestResponse

from lti_bridge.bench.statements import counted
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.errors import TokenRequestRefused, TooManyTokens
from lti_bridge.lti.keysets import KeySets
from lti_bridge.net import Response
from lti_bridge.platform.access_tokens import AccessTokens, Pace, TokenService
from tests.platform.services.platform import (
    ASSERTION,
    FORM,
    LINE_ITEM,
    LTI,
    OUTCOME,
    READ_ONLY,
    RESULT,
    SCORE,
    URL,
    Platform,
    Tool,
    make_key,
    pem,
)

V12 = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ0b29sLmNvbSIsInN1YiI6Ind3dy5leGFtcGxlLmNvbSIs"
    "ImF1ZCI6Imh0dHBzOi8vd3d3LmV4YW1wbGUuY29tL2x0aS9hdXRoL3Rva2VuIiwiaWF0IjoiMTQ4NTkwNzIwMCIsImV4cCI"
    "6IjE0ODU5MDc1MDAiLCJqdGkiOiIyOWY5MGMwNDdhNDRiMmVjZTczZDAwYTA5MzY0ZDQ5YiJ9.liArqLDIF-xGcCu8ythy0"
    "HlzntxwZ90AYTnwH-daCQQ"
)


def refused(answer: TestResponse, error: str, *words: str) -> None:
    """An OAuth error whose description holds these words."""
    assert (answer.status_code, answer.json["error"]) == (400, error), answer.data
    assert set(answer.json) == {"error", "error_description", "reference"}
    said = answer.json["error_description"]
    assert all(word in said for word in words), said
    assert re.fullmatch(r"[ !#-\[\]-~]+", said)  # RFC 6749 section 5.2
    for inside in ("connection", "quiz-connection", ".py", "Traceback"):
        assert inside not in said
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


@pytest.mark.spec("P13TK-13", "P13TK-14")
def test_a_good_request_gets_a_bearer_token(platform: Platform) -> None:
    answer = platform.quiz.ask(SCORE, LINE_ITEM)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    token = answer.json.pop("access_token")
    assert answer.json | {"access_token": ""} == {
        "access_token": "",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": f"{SCORE} {LINE_ITEM}",
    }
    assert token.isascii()
    assert len(token) > 100
    # a MAC of 256 bits: changed anywhere, it is nothing
    assert len(token.rpartition(".")[2]) == 43


@pytest.mark.spec("P13TK-11", "P13TK-12", "SECP-18")
def test_scopes_are_those_asked_for_and_registered(platform: Platform) -> None:
    assert platform.quiz.ask(SCORE).json["scope"] == SCORE
    mixed = platform.lean.ask(SCORE, OUTCOME, "openid", OUTCOME)
    assert mixed.json["scope"] == OUTCOME
    for scopes in ((SCORE,), (), (LINE_ITEM + "x",), ("",)):
        refused(platform.lean.ask(*scopes), "invalid_scope")


@pytest.mark.spec("P13TK-01")
def test_only_a_posted_form_is_taken(platform: Platform) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = platform.client.open("/platform/token", method=method)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": platform.quiz.assertion(),
        "scope": SCORE,
    }
    post = platform.client.post
    refused(post("/platform/token", json=form), "invalid_request")
    refused(
        post("/platform/token", data=form, content_type="multipart/form-data"), "invalid_request"
    )
    refused(post(f"/platform/token?{urlencode(form)}", content_type=FORM), "invalid_request")
    charset = f"{FORM}; charset=utf-8"
    good = post("/platform/token", data=urlencode(form), content_type=charset)
    assert good.status_code == 200


@pytest.mark.spec("P13TK-02", "P13TK-03", "SECP-06")
def test_a_request_with_wrong_parameters_is_refused(platform: Platform) -> None:
    quiz = platform.quiz
    refused(quiz.ask(SCORE, grant_type="authorization_code"), "unsupported_grant_type")
    for name in ("grant_type", "client_assertion_type", "client_assertion", "scope"):
        refused(quiz.ask(SCORE, **{name: None}), "invalid_request")
    for other in ("urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt-bearer"):
        refused(quiz.ask(SCORE, client_assertion_type=other), "invalid_request")
    for name in ("grant_type", "scope", "client_assertion", "client_assertion_type", "other"):
        form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", quiz.assertion()),
            ("scope", SCORE),
            ("other", "x"),
        ]
        twice = urlencode([*form, (name, dict(form)[name])])
        answer = platform.client.post("/platform/token", data=twice, content_type=FORM)
        refused(answer, "invalid_request")


TOLD: dict[str, tuple[dict[str, Any], str]] = {
    "grant type": ({"grant_type": "password"}, "grant_type is not client_credentials"),
    "no grant type": ({"grant_type": None}, "no grant_type"),
    "assertion type": ({"client_assertion_type": "x"}, "client_assertion_type is not urn:"),
    "no assertion": ({"client_assertion": None}, "no client_assertion"),
    "no scope": ({"scope": None}, "no scope"),
    "other scope": ({"scope": "openid"}, "scope names none"),
    "no JWT": ({"assertion": "x"}, "client_assertion does not prove"),
    "unknown client": ({"claims": {"iss": "nobody"}}, "client_assertion does not prove"),
    "sub": ({"claims": {"sub": "nobody"}}, "sub or client_id is another client's"),
    "client_id": ({"client_id": "nobody"}, "sub or client_id is another client's"),
    "audience": ({"claims": {"aud": "https://x.example"}}, f"neither {URL}/platform/token nor"),
    "expired": ({"claims": {"exp": 1}}, "expired"),
    "iat as text": ({"claims": {"iat": "1"}}, "iat is not a number"),
    "long": ({"claims": {"exp": 10**10}}, "lasts too long"),
    "no jti": ({"claims": {"jti": None}}, "jti is no text"),
    "deployment": (
        {"claims": {"https://purl.imsglobal.org/spec/lti/claim/deployment_id": "x"}},
        "deployment_id is not that of the registration",
    ),
}


@pytest.mark.spec("P13TK-02", "P13TK-10")
@pytest.mark.parametrize("variant", TOLD)
def test_a_refusal_names_the_element_and_the_reason(platform: Platform, variant: str) -> None:
    changes, words = TOLD[variant]
    quiz, given = platform.quiz, dict(changes)
    if "claims" in given:
        given["assertion"] = quiz.assertion(**given.pop("claims"))
    answer = quiz.ask(SCORE, **given)
    refused(answer, answer.json["error"], words)


@pytest.mark.spec("P13TK-10")
def test_who_cannot_prove_itself_is_not_told_why(platform: Platform) -> None:
    quiz = platform.quiz
    stranger = Tool(platform, quiz.client_id)  # another key
    sent = [
        quiz.assertion(iss="nobody", sub="nobody"),
        stranger.assertion(),
        stranger.assertion(exp=1, aud="x"),
    ]
    told = [quiz.ask(SCORE, assertion=one).json for one in sent]
    assert len({one.pop("reference") for one in told}) == 3  # it tells nothing but which refusal
    assert told[0]["error"] == "invalid_client"
    assert told[1:] == told[:1] * 2


def test_a_used_assertion_and_a_wrong_content_type_are_named(platform: Platform) -> None:
    quiz = platform.quiz
    token = quiz.assertion()
    assert quiz.ask(SCORE, assertion=token).status_code == 200
    refused(quiz.ask(SCORE, assertion=token), "invalid_client", "jti was already used")
    raw = platform.client.post("/platform/token", json={"grant_type": "client_credentials"})
    refused(raw, "invalid_request", "Content-Type is not application/x-www-form-urlencoded")


@pytest.mark.spec("P13TK-16")
def test_a_client_secret_is_nothing(platform: Platform) -> None:
    form = {"grant_type": "client_credentials", "scope": SCORE}
    answer = platform.client.post("/platform/token", data=form, auth=("quiz-client", "secret"))
    refused(answer, "invalid_request")


@pytest.mark.spec("P13TK-04", "P13TK-05", "P13TK-10")
@pytest.mark.parametrize("name", ["iss", "sub", "aud", "iat", "exp", "jti"])
def test_every_claim_is_needed(platform: Platform, name: str) -> None:
    quiz = platform.quiz
    for value in (None, "", 17, ["x"], {"a": "b"}, "other-client", True):
        if value == "other-client" and name == "jti":
            continue  # as good as any
        claims = {**quiz.claims(), name: value}
        if value is None:
            del claims[name]
        token = jwt.PyJWS().encode(json.dumps(claims).encode(), quiz.key, "RS256", {"kid": "k"})
        refused(quiz.ask(SCORE, assertion=token), "invalid_client")


@pytest.mark.spec("P13TK-05", "P13TK-10")
def test_issuer_subject_and_client_id_are_one_registered_client(platform: Platform) -> None:
    quiz = platform.quiz
    refused(quiz.ask(SCORE, assertion=quiz.assertion(sub="other-client")), "invalid_client")
    refused(quiz.ask(SCORE, assertion=quiz.assertion(iss="other-client")), "invalid_client")
    nobody = quiz.assertion(iss="nobody", sub="nobody")
    refused(quiz.ask(SCORE, assertion=nobody), "invalid_client")
    refused(quiz.ask(SCORE, client_id="other-client"), "invalid_client")
    assert quiz.ask(SCORE, client_id="quiz-client").status_code == 200


@pytest.mark.spec("P13TK-06", "SECP-19", "AMB-06")
def test_an_assertion_is_meant_for_this_token_endpoint(platform: Platform) -> None:
    quiz, url = platform.quiz, f"{URL}/platform/token"
    for good in (url, [url], ["https://other.example.org", url], URL, [URL]):
        assert quiz.ask(SCORE, assertion=quiz.assertion(aud=good)).status_code == 200, good
    for bad in (
        "https://lms.example.org/token",
        f"{URL}/platform/jwks",
        f"{url}/",
        url.upper(),
        [],
        ["quiz-client"],
    ):
        refused(quiz.ask(SCORE, assertion=quiz.assertion(aud=bad)), "invalid_client")


@pytest.mark.spec("P13TK-07")
def test_an_assertion_is_fresh_and_short_lived(platform: Platform) -> None:
    quiz, now = platform.quiz, int(time.time())
    for iat, exp in ((0, 300), (0, 3600), (50, 300), (-3000, 100), (-100, -30)):
        answer = quiz.ask(SCORE, assertion=quiz.assertion(iat=now + iat, exp=now + exp))
        assert answer.status_code == 200, (iat, exp)
    for iat, exp in ((-400, -100), (200, 500), (0, 4000), (-5000, 100), (0, 10**15), (-300, -61)):
        token = quiz.assertion(iat=now + iat, exp=now + exp)
        refused(quiz.ask(SCORE, assertion=token), "invalid_client")
    late = quiz.assertion(nbf=now + 600)
    refused(quiz.ask(SCORE, assertion=late), "invalid_client")


@pytest.mark.spec("AMB-11")
def test_no_client_may_write_times_as_text(platform: Platform) -> None:
    quiz, now = platform.quiz, int(time.time())
    for texts in ({"iat": str(now)}, {"exp": str(now + 300)}):
        refused(quiz.ask(SCORE, assertion=quiz.assertion(**texts)), "invalid_client")


@pytest.mark.spec("P13TK-08", "SECP-17")
def test_an_assertion_counts_once_whoever_is_faster(fresh: Platform) -> None:
    quiz = fresh.quiz
    token = quiz.assertion(jti="odd \x00 jti")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: quiz.ask(SCORE, assertion=token).status_code, range(8)))
    assert sorted(answers) == [200] + [400] * 7
    # another client's jti is another one
    assert (
        fresh.other.ask(SCORE, assertion=fresh.other.assertion(jti="odd \x00 jti")).status_code
        == 200
    )


@pytest.mark.spec("SECP-56")
def test_what_is_not_proved_is_not_remembered(fresh: Platform) -> None:
    bad = jwt.encode(fresh.quiz.claims(), make_key(), "RS256", {"kid": "k"})
    refused(fresh.quiz.ask(SCORE, assertion=bad), "invalid_client")
    refused(fresh.quiz.ask(SCORE, assertion=fresh.quiz.assertion(aud="x")), "invalid_client")
    assert fresh.rows("SELECT * FROM used_once") == []


@pytest.mark.spec("P13TK-09", "P13TK-10", "SECP-09", "SECP-10", "SECP-11", "SECP-13")
@pytest.mark.spec("GEN-08", "GEN-09", "CERTP-09")
def test_only_the_registered_key_and_algorithm_sign(platform: Platform) -> None:
    quiz = platform.quiz
    claims = quiz.claims()
    public = pem(quiz.key)
    forged = [
        V12,
        jwt.encode(claims, platform.other.key, "RS256", {"kid": "k"}),
        jwt.encode(claims, None, "none", {"kid": "k"}),
        jwt.encode(claims, quiz.key, "RS384", {"kid": "k"}),
        jwt.encode(claims, quiz.key, "PS256", {"kid": "k"}),
        *(_hs256(claims, secret) for secret in (public, public.strip(), "", "quiz-client")),
        "",
        "a.b.c",
        ".." * 3,
        quiz.assertion() + ".x.y",
        quiz.assertion()[:-8] + "AAAAAAAA",
    ]
    for token in forged:
        if token:
            refused(quiz.ask(SCORE, assertion=token), "invalid_client")
    for header in (
        {"jku": "https://evil.example.org/jwks"},
        {"jwk": json.loads(RSAAlgorithm.to_jwk(make_key().public_key()))},
        {"x5u": "https://evil.example.org"},
        {"crit": ["b64"], "b64": False},
        {"kid": 17},
        {"kid": "x" * 10_000},
    ):
        refused(quiz.ask(SCORE, assertion=_signed(quiz, header)), "invalid_client")
    without_kid = quiz.assertion(headers={})
    assert quiz.ask(SCORE, assertion=without_kid).status_code == 200  # it has one key only


def _signed(tool: Tool, header: dict[str, Any]) -> str:
    """A token whose header holds this, whatever a library would say."""
    parts = [{"alg": "RS256", "typ": "JWT", "kid": "k", **header}, tool.claims()]
    first = b".".join(jwt.utils.base64url_encode(json.dumps(one).encode()) for one in parts)
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(first, tool.key)
    return (first + b"." + jwt.utils.base64url_encode(signature)).decode()


def _hs256(claims: dict[str, Any], secret: str) -> str:
    parts = [{"alg": "HS256", "typ": "JWT", "kid": "k"}, claims]
    first = b".".join(jwt.utils.base64url_encode(json.dumps(one).encode()) for one in parts)
    mac = hmac.digest(secret.encode(), first, hashlib.sha256)
    return (first + b"." + jwt.utils.base64url_encode(mac)).decode()


@pytest.mark.spec("SECP-16")
def test_an_lti_message_is_no_client_assertion(platform: Platform) -> None:
    quiz = platform.quiz
    message = quiz.assertion(aud=URL, **{f"{LTI}message_type": "LtiDeepLinkingResponse"})
    refused(quiz.ask(SCORE, assertion=message), "invalid_client")


@pytest.mark.spec("P13TK-15", "SECP-40")
def test_a_token_may_be_asked_for_one_deployment(platform: Platform) -> None:
    quiz = platform.quiz
    named = quiz.assertion(**{f"{LTI}deployment_id": "1"})
    assert quiz.ask(SCORE, assertion=named).status_code == 200
    for other in ("2", "", 1, ["1"]):
        token = quiz.assertion(**{f"{LTI}deployment_id": other})
        refused(quiz.ask(SCORE, assertion=token), "invalid_client")


def test_a_body_without_end_is_not_read(platform: Platform) -> None:
    answer = platform.client.post("/platform/token", data=b"a=" + b"x" * 70_000, content_type=FORM)
    assert answer.status_code == 413


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=30), st.text(max_size=200), max_size=6), st.binary())
def test_garbage_is_refused(platform: Platform, form: dict[str, str], raw: bytes) -> None:
    complete = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "scope": SCORE,
        "client_assertion": "a.b.c",
        **form,
    }
    post = platform.client.post
    data = urlencode(complete, errors="surrogatepass")
    assert post("/platform/token", data=data, content_type=FORM).status_code == 400
    assert post("/platform/token", data=raw, content_type=FORM).status_code == 400


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def alone() -> Iterator[tuple[TokenService, Tool, Clock, list[str], Callable[[str], None]]]:
    """A service whose tool publishes its keys, with the fetches counted."""
    clock, tool, fetched = Clock(), Tool(None, "quiz-client"), []  # type: ignore[arg-type]
    kids = ["k"]

    def fetch(url: str) -> Response:
        fetched.append(url)
        jwk = json.loads(RSAAlgorithm.to_jwk(tool.key.public_key()))
        keys = [{**jwk, "kid": kid, "alg": "RS256", "use": "sig"} for kid in kids]
        return Response(200, {}, json.dumps({"keys": keys}).encode())

    registered = ToolRegistration(
        "quiz",
        "quiz-client",
        "1",
        "",
        "",
        (),
        "https://tool.example.org/jwks",
        "",
        frozenset({SCORE}),
    )
    find = {"quiz-client": registered}.get
    service = TokenService(
        f"{URL}/platform/token",
        URL,
        AccessTokens(b"k" * 32, find, clock),
        KeySets(fetch, clock),
        lambda once: True,
        clock,
        pace=Pace(per_second=1, burst=5),
    )
    return service, tool, clock, fetched, kids.append


def asked(token: str) -> dict[str, list[str]]:
    """The form with this client assertion."""
    return {
        "grant_type": ["client_credentials"],
        "client_assertion_type": [ASSERTION],
        "client_assertion": [token],
        "scope": [SCORE],
    }


@pytest.mark.spec("P13TK-09", "P13TK-17", "SECP-14")
def test_keys_are_fetched_once_and_again_for_a_new_key(alone: Any) -> None:
    service, tool, clock, fetched, publish = alone
    for _ in range(3):
        assert service.answer(asked(tool.assertion()))["scope"] == SCORE
    assert len(fetched) == 1
    for kid in ("x", "y", "z") * 5:
        with pytest.raises(TokenRequestRefused):
            service.answer(asked(tool.assertion(headers={"kid": kid})))
    assert len(fetched) == 4  # within a small budget
    publish("new")
    clock.now += timedelta(seconds=31)
    assert service.answer(asked(tool.assertion(headers={"kid": "new"})))["token_type"] == "Bearer"
    with pytest.raises(TokenRequestRefused):  # with a key set a tool has to name its key
        service.answer(asked(tool.assertion(headers={})))


@pytest.mark.spec("P13TK-17", "SECP-53")
def test_a_client_cannot_get_tokens_without_end_and_nobody_can_lock_it_out(alone: Any) -> None:
    service, tool, clock, _, _ = alone
    forged = jwt.encode(tool.claims(), make_key(), "RS256", {"kid": "k"})
    for _ in range(1000):
        with pytest.raises(TokenRequestRefused):
            service.answer(asked(forged))
    for _ in range(5):
        service.answer(asked(tool.assertion()))
    with pytest.raises(TooManyTokens):
        service.answer(asked(tool.assertion()))
    clock.now += timedelta(seconds=2)
    assert service.answer(asked(tool.assertion()))["expires_in"] == 3600


def test_a_token_costs_one_statement(platform: Platform) -> None:
    assertion = platform.quiz.assertion()
    with counted(platform.bridge.store.database) as seen:
        assert platform.quiz.ask(READ_ONLY, RESULT, assertion=assertion).status_code == 200
    assert len(seen) == 1, seen
