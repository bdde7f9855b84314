"""The access token at every service: nothing without it, and nothing of somebody else's with it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti_bridge.platform.access_tokens import AccessTokens
from tests.flow.signing import document
from tests.platform.services.platform import (
    FORM,
    ITEM_TYPE,
    LINE_ITEM,
    MEMBERS,
    OUTCOME,
    OUTCOME_TYPE,
    READ_ONLY,
    RESULT,
    SCORE,
    SCORE_TYPE,
    URL,
    Learner,
    Platform,
)

ITEM = {"label": "x", "scoreMaximum": 1}


@pytest.fixture(scope="module")
def ann(platform: Platform) -> Learner:
    return platform.open()


def calls(learner: Learner) -> list[tuple[str, str, str, Any, str | None]]:
    """Method, address, scope, body and media type of a good call of each service."""
    score = {
        "userId": learner.user_id,
        "timestamp": "2025-01-01T00:00:00.000Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 1,
        "scoreMaximum": 1,
    }
    outcome = document("replaceResult", learner.sourced_id, "1")
    return [
        ("GET", learner.line_items, READ_ONLY, None, None),
        ("POST", learner.line_items, LINE_ITEM, ITEM, ITEM_TYPE),
        ("GET", learner.line_item, READ_ONLY, None, None),
        ("PUT", learner.line_item, LINE_ITEM, ITEM, ITEM_TYPE),
        ("DELETE", learner.line_item, LINE_ITEM, None, None),
        ("POST", f"{learner.line_item}/scores", SCORE, score, SCORE_TYPE),
        ("GET", f"{learner.line_item}/results", RESULT, None, None),
        ("GET", learner.line_items.replace("lineitems", "memberships"), MEMBERS, None, None),
        ("POST", f"{URL}/platform/outcomes", OUTCOME, outcome, OUTCOME_TYPE),
    ]


@pytest.mark.spec("P13RS-01", "P13RS-02", "SECP-45")
def test_without_a_token_there_is_nothing(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    for method, url, scope, body, content_type in calls(ann)[:-1]:
        path, token = url.removeprefix(URL), platform.quiz.token(scope)
        data = json.dumps(body)
        for sent in (
            {"data": data, "content_type": content_type},
            {"data": data, "content_type": content_type, "auth": ("quiz-client", "x")},
            {"query_string": {"access_token": token}, "data": data, "content_type": content_type},
            {"data": {"access_token": token}, "content_type": FORM},
        ):
            answer = platform.client.open(path, method=method, **sent)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert platform.snapshot() == before


@pytest.mark.spec("P13RS-01", "SECP-16", "P13TK-14")
def test_a_token_that_is_not_good_is_nothing(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    good = platform.quiz.token(SCORE)
    payload, _, mac = good.partition(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    raised = base64.urlsafe_b64encode(json.dumps({**claims, "exp": 10**12}).encode()).decode()
    bad = [
        "x",
        ".",
        "..",
        payload,
        f"{payload}.",
        f"{payload}.{mac[:-2]}AA",
        f"{raised}.{mac}",
        f"{raised.rstrip('=')}.{mac}",
        platform.quiz.assertion(),
        good + "x",
        "ü",
        "a" * 20_000,
    ]
    for method, url, _scope, body, content_type in calls(ann):
        for token in bad:
            header = f"Bearer {token}".encode().decode("latin-1")
            answer = platform.quiz.send(method, url, "", body, content_type, Authorization=header)
            assert answer.status_code == 401, (method, url, token)
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert platform.snapshot() == before


@pytest.mark.spec("P13RS-01", "SECP-18")
def test_a_token_of_another_scope_is_not_enough(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    for method, url, scope, body, content_type in calls(ann):
        rest = [
            one for one in (LINE_ITEM, READ_ONLY, SCORE, RESULT, MEMBERS, OUTCOME) if one != scope
        ]
        if scope == READ_ONLY:
            rest.remove(LINE_ITEM)  # which allows reading too
        token = platform.quiz.token(*rest)
        answer = platform.quiz.send(method, url, token, body, content_type)
        assert answer.status_code == 403, (method, url)
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    assert platform.snapshot() == before


@pytest.mark.spec("P13RS-03", "P13AL-08", "SECP-44", "SECP-49")
def test_another_tools_token_finds_nothing(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    for method, url, scope, body, content_type in calls(ann)[:-1]:
        answer = platform.other.call(method, url, scope, body, content_type)
        assert answer.status_code == 404, (method, url)
        near = url.replace(ann.line_items.split("/")[4], "a" * 32)
        assert platform.quiz.call(method, near, scope, body, content_type).status_code == 404
    for name in ("x", "%00", "..", "'%20OR%201=1--", "x" * 5000, "%ff", "ü"):
        for method, url, scope, body, content_type in calls(ann)[:-1]:
            near = url.replace(ann.line_items.split("/")[4], name)
            answer = platform.quiz.call(method, near, scope, body, content_type)
            assert answer.status_code == (400 if name == "%00" else 404), (method, near)
            if "/lineitems/" in url:
                near = url.replace(ann.line_item.split("/")[6], name)
                answer = platform.quiz.call(method, near, scope, body, content_type)
                assert answer.status_code in (400, 404, 405), (method, near)
    assert platform.snapshot() == before


@pytest.mark.spec("P13RS-03", "SECP-38", "P13AL-24")
def test_equal_ids_of_two_lmss_stay_apart(platform: Platform) -> None:
    mine = platform.open(context_id="same", resource_link_id="same", user="same")
    twin = platform.open(
        context_id="same", resource_link_id="same", user="same", campus=platform.twin
    )
    assert mine.line_items != twin.line_items
    assert mine.user_id != twin.user_id
    before = platform.snapshot()
    # the tool knows this user, and not in this course
    assert platform.quiz.score(mine, userId=twin.user_id).status_code == 403
    url = mine.line_item.replace(mine.line_items, twin.line_items)
    assert platform.quiz.score(mine, item=url).status_code == 404
    assert platform.snapshot() == before
    assert platform.quiz.score(twin).status_code == 200


@pytest.mark.spec("P13RS-04")
def test_a_removed_connection_ends_its_tokens(fresh: Platform) -> None:
    ann = fresh.open()
    quiz, other = fresh.quiz.token(READ_ONLY), fresh.other.token(READ_ONLY)
    mine = fresh.open("other")
    fresh.stop()
    fresh.settings["connection"][0]["client_id"] = "new-client"
    fresh.start()
    assert fresh.quiz.send("GET", ann.line_items, quiz).status_code == 401
    assert fresh.other.send("GET", mine.line_items, other).status_code == 200
    fresh.stop()
    del fresh.settings["connection"][1], fresh.settings["activity"][1]
    fresh.start()
    assert fresh.other.send("GET", mine.line_items, other).status_code == 401
    assert fresh.other.ask(READ_ONLY).json["error"] == "invalid_client"


@pytest.mark.spec("P13RS-04", "P13RS-03")
def test_a_token_allows_no_more_than_the_registration_does_now(fresh: Platform) -> None:
    ann, token = fresh.open(), fresh.quiz.token(READ_ONLY)
    fresh.stop()
    fresh.settings["connection"][0]["services"] = ["basic-outcome"]
    fresh.start()
    assert fresh.quiz.send("GET", ann.line_items, token).status_code == 403
    fresh.stop()
    fresh.settings["connection"][0] |= {"services": ["ags"], "deployment_id": "2"}
    fresh.start()
    assert fresh.quiz.send("GET", ann.line_items, token).status_code == 401


@pytest.mark.spec("P13RS-01")
def test_a_token_ends_after_an_hour(platform: Platform, ann: Learner) -> None:
    tool = platform.bridge.catalogue.tool13("quiz-client")
    assert tool is not None
    for ago, status in ((3590, 200), (3601, 401)):
        then = datetime.now(UTC) - timedelta(seconds=ago)
        key = platform.bridge.keyring.secret("access-tokens")
        made = AccessTokens(
            key, platform.bridge.catalogue.tool13, partial(lambda moment: moment, then)
        )
        token = made.issue(tool, [READ_ONLY])
        assert platform.quiz.send("GET", ann.line_items, token).status_code == status


@pytest.mark.spec("P13RS-05")
def test_media_types(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    for method, url, scope, body, content_type in calls(ann)[:-1]:
        if body is not None:
            for wrong in ("text/plain", "application/xml", FORM, None):
                answer = platform.quiz.call(method, url, scope, body, wrong)
                assert answer.status_code == 415, (method, url, wrong)
        if (method == "GET" and "memberships" not in url) or content_type == ITEM_TYPE:
            answer = platform.quiz.call(method, url, scope, body, content_type, Accept="text/csv")
            assert answer.status_code == 406, (method, url)
    assert platform.snapshot() == before
    for accept in ("*/*", "application/json", "application/*;q=0.5", ""):
        answer = platform.quiz.call("GET", ann.line_items, READ_ONLY, Accept=accept)
        assert answer.status_code == 200, accept
    loose = f"{ITEM_TYPE.upper()}; charset=utf-8"
    made = platform.quiz.call("POST", ann.line_items, LINE_ITEM, ITEM, loose)
    assert made.status_code == 201


def told(at: str, body: Any, **changes: Any) -> Any:
    """A call to a service of Ann's: `at` is its scope's last word."""
    return at, body, changes


TOLD = {
    "no label": told("items", {"scoreMaximum": 1}, words="label is missing"),
    "label": told("items", {"label": 7, "scoreMaximum": 1}, words="label is not a text"),
    "maximum": told("items", {"label": "x", "scoreMaximum": "9"}, words="scoreMaximum is not"),
    "resource id": told(
        "items", {"label": "x", "scoreMaximum": 1, "resourceId": 7}, words="resourceId is not"
    ),
    "no JSON": told("items", b"{", words="the body is not clean JSON"),
    "a list": told("items", [1], words="the body is not a JSON object"),
    "no user": told("scores", {"userId": None}, words="userId is missing"),
    "snake case": told("scores", {"userId": None, "user_id": "x"}, words="userId is missing"),
    "another user": told("scores", {"userId": "nobody"}, words="userId is not known"),
    "no time": told("scores", {"timestamp": None}, words="timestamp is not an ISO 8601"),
    "progress": told(
        "scores", {"activityProgress": "Done"}, words="activityProgress is missing or"
    ),
    "grading": told("scores", {"gradingProgress": None}, words="gradingProgress is missing or"),
    "given as text": told("scores", {"scoreGiven": "1"}, words="scoreGiven is not a number"),
    "no maximum": told("scores", {"scoreMaximum": None}, words="scoreGiven without scoreMaximum"),
    "ahead": told("scores", {"timestamp": "2999-01-01T00:00:00Z"}, words="timestamp is in the fut"),
    "type": told("scores", {}, content_type="text/plain", words="Content-Type is not application/"),
    "too large": told("items", b"x" * 70_000, words="above 65536 bytes"),
    "limit": told("list", None, query="limit=x", words="limit is not one whole number"),
    "scope": told("list", None, scope=SCORE, words="the token has none of"),
    "token": told("list", None, token="x", words="not a token of ours"),
    "no token": told("list", None, authorization="Basic x", words="no bearer token"),
    "course": told("elsewhere", None, words="no such context"),
    "members": told("members", None, scope=SCORE, words="the token has none of"),
}


@pytest.mark.spec("P13RS-01", "P13AS-02")
@pytest.mark.parametrize("variant", TOLD)
def test_a_refusal_names_the_element_and_the_reason(
    platform: Platform, ann: Learner, variant: str
) -> None:
    at, body, changes = TOLD[variant]
    items = ann.line_items
    method, url, scope, content_type = {
        "items": ("POST", items, LINE_ITEM, ITEM_TYPE),
        "scores": ("POST", f"{ann.line_item}/scores", SCORE, SCORE_TYPE),
        "list": ("GET", items, READ_ONLY, None),
        "elsewhere": ("GET", f"{URL}/platform/nowhere/lineitems", READ_ONLY, None),
        "members": ("GET", items.replace("lineitems", "memberships"), MEMBERS, None),
    }[at]
    if at == "scores":
        good = {
            "userId": ann.user_id,
            "timestamp": "2026-01-01T00:00:00Z",
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "scoreGiven": 1,
            "scoreMaximum": 2,
        }
        body = {name: value for name, value in (good | body).items() if value is not None}
    url += f"?{changes['query']}" if "query" in changes else ""
    token = changes.get("token") or platform.quiz.token(changes.get("scope", scope))
    more = {"Authorization": changes["authorization"]} if "authorization" in changes else {}
    kind = changes.get("content_type", content_type)
    answer = platform.quiz.send(method, url, token, body, kind, **more)
    assert answer.status_code >= 400
    said = answer.json["error_description"]
    assert changes["words"] in said
    for inside in ("Traceback", ".py", "lti_bridge", token if len(token) > 9 else "\0"):
        assert inside not in said


@pytest.mark.spec("P13RS-05")
def test_plain_json_is_taken_for_what_a_service_reads(platform: Platform, ann: Learner) -> None:
    made = platform.quiz.call("POST", ann.line_items, LINE_ITEM, ITEM, "application/json")
    assert (made.status_code, made.content_type) == (201, ITEM_TYPE)


@pytest.mark.spec("P13RS-06", "P13AS-02", "P13AR-06", "P13NR-03")
def test_methods_that_a_service_does_not_have(platform: Platform, ann: Learner) -> None:
    token = platform.quiz.token(LINE_ITEM, SCORE, RESULT, MEMBERS)
    members = ann.line_items.replace("lineitems", "memberships")
    before = platform.snapshot()
    for url, methods, allowed in (
        (ann.line_items, "PUT DELETE PATCH", {"GET", "POST"}),
        (ann.line_item, "POST PATCH", {"GET", "PUT", "DELETE"}),
        (f"{ann.line_item}/scores", "GET PUT DELETE PATCH", {"POST"}),
        (f"{ann.line_item}/results", "POST PUT DELETE PATCH", {"GET"}),
        (members, "POST PUT DELETE PATCH", {"GET"}),
    ):
        for method in methods.split():
            answer = platform.quiz.send(method, url, token, {}, SCORE_TYPE)
            assert answer.status_code == 405, (method, url)
            stated = set(answer.headers["Allow"].replace(" ", "").split(","))
            assert stated - {"HEAD", "OPTIONS"} == allowed
    assert platform.snapshot() == before


def test_bodies_without_end_are_not_read(platform: Platform, ann: Learner) -> None:
    before = platform.snapshot()
    for method, url, scope, body, content_type in calls(ann):
        if body is not None:
            answer = platform.quiz.call(method, url, scope, b" " * 70_000, content_type)
            assert answer.status_code in (400, 413), (method, url)
            answer = platform.quiz.call(method, url, scope, b" " * 2_000_000, content_type)
            assert answer.status_code in (400, 413), (method, url)
    assert platform.snapshot() == before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80))
def test_no_header_breaks_anything(platform: Platform, ann: Learner, text: str) -> None:
    for header in (text, f"Bearer {text}", f"bearer  {text}.{text}"):
        answer = platform.quiz.send("GET", ann.line_items, "", Authorization=header)
        assert answer.status_code == 401
