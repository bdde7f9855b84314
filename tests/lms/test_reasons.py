"""An LMS's words: what of them is kept, and what is not."""

from __future__ import annotations

import json
import time

import pytest

from lti_bridge.lms import answers
from lti_bridge.lms.reasons import LIMIT, clean, reason
from lti_bridge.net import Response

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI0In0.c2ln"
HEX = "d0b8c2e1f4a5968778695a4b3c2d1e0f"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"bad token {TOKEN}", "bad token [redacted]"),
        ("Authorization was Bearer abc-123.x", "Authorization was Bearer [redacted]"),
        ("password=hunter", "password=[redacted]"),
        ("client_secret: s3cr3t", "client_secret: [redacted]"),
        ('{"lis_result_sourcedid": "88-391-e12"}', '{"lis_result_sourcedid": "[redacted]"}'),
        (f"no session {HEX}", "no session [redacted]"),
        ("member 3f2c8b1e-6d4a-4c0e-9b7f-2a1d5e8c9f00 left", "member [redacted] left"),
        ("write to ann@example.invalid.", "write to [redacted]."),
        ("see https://lms.example.edu/u/ann?x=1 now", "see https://lms.example.edu/… now"),
        ("http://ann:pw@lms.example.edu:8080/a", "http://lms.example.edu:8080/…"),
        ("User Ann Example is unknown", "User [redacted] is unknown"),
        ("student Zoë Exämple-Ö: no", "student [redacted]: no"),
        ('The user "ann" has no role', "The user [redacted] has no role"),
        ("user id 4 is not in group 4", "user id [redacted] is not in group 4"),
        ("pseudonym-77 left; pseudonym-778 stays", "[redacted] left; pseudonym-778 stays"),
        ("a\x1b[31m\nred\u202e line", "a[31m red line"),
        ("<b>No</b> <script>x</script>", "No x"),
    ],
)
def test_what_is_taken_away(said: str, kept: str) -> None:
    assert clean(said, ("4", "pseudonym-77")) == kept


@pytest.mark.parametrize(
    "said",
    [
        "User in requested score does not exist",
        "User Not Found",
        "Student Is Not Enrolled In This Course",
        "Assignment has no points possible. [EID_1]",
        "invalid_client: Token: expired",
        "nonce: already used, signature: wrong, session: closed",
        "invalid_scope https://purl.imsglobal.org/spec/lti-ags/scope/score",
        "The maximum is 4, not 4.5 (4 of 4)",
        "Bearer token required",
        "Basic authentication is off",
        "The teacher's value stays; members can't be graded",
        "urn:lti:role:ims/lis/Learner is not allowed at /api/lti/courses/12/line_items/34/scores",
        "Refusing score with an earlier timestamp 2026-11-29T22:01:36.123Z",
        "gradingProgress FullyGraded needs activityProgress Completed",
    ],
)
def test_innocent_words_stay(said: str) -> None:
    assert clean(said, ("4", "77", "")) == said


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"error": "invalid_client", "error_description": "no key"}, "invalid_client: no key"),
        ({"error": "invalid_scope"}, "invalid_scope"),
        ({"title": "Conflict", "detail": "Older", "type": "about:blank"}, "Older"),
        ({"errors": [{"message": "one"}, {"message": "two"}, {"message": "one"}]}, "one; two"),
        ({"errors": {"type": "t", "message": "no student"}}, "no student"),
        ({"errors": {"userId": ["is unknown"], "x": ["is wrong"]}}, "is unknown; is wrong"),
        ({"errors": ["first"]}, "first"),
        ({"error": {"code": 7, "message": "inner"}}, "inner"),
        ([{"message": "in a list"}], "in a list"),
        ({"message": 7, "status": "unauthenticated"}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_where_json_has_its_reason(body: object, kept: str) -> None:
    assert reason(json.dumps(body).encode().replace(b"null", b"")) == kept


@pytest.mark.parametrize(
    "body",
    [b"x" * 100_000, b"[" * 9000, b'{"message":' + b'"\\u00e4' * 9000 + b'"}', b"a=1 " * 9000],
)
def test_a_reason_is_short_and_quickly_found(body: bytes) -> None:
    begun = time.monotonic()
    assert len(reason(body, ("a" * 300,))) <= LIMIT
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("status", "headers", "body", "meaning"),
    [
        (200, {}, b"", "taken"),
        (299, {}, b"ok", "taken"),
        (200, {}, b"<html><title>Maintenance</title></html>", "temporary"),
        (200, {}, b'{"error": "no such user"}', "refused"),
        (429, {}, b"", "temporary"),
        (403, {}, b"403 Forbidden (Rate Limit Exceeded)", "temporary"),
        (403, {}, b"Too many requests", "temporary"),
        (403, {"retry-after": "3"}, b"", "temporary"),
        (404, {"Retry-After": "3"}, b"", "temporary"),
        (403, {}, b"Forbidden", "refused"),
        (400, {}, b"rate limit exceeded", "refused"),
        (404, {}, b"", "gone"),
        (410, {}, b"", "gone"),
        (301, {}, b"", "refused"),
        (302, {}, b"", "temporary"),
        (501, {}, b"", "temporary"),
    ],
)
def test_what_a_status_means(
    status: int, headers: dict[str, str], body: bytes, meaning: str
) -> None:
    assert answers.read(Response(status, headers, body)).meaning == meaning


@pytest.mark.parametrize(("lists", "kept"), [(1, "no column"), (4, "no column"), (5, ""), (99, "")])
def test_lists_within_lists_are_looked_into_so_far(lists: int, kept: str) -> None:
    assert reason(b"[" * lists + b'"no column"' + b"]" * lists) == kept
