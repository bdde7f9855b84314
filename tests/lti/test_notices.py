"""What of the claim that offers notices is believed."""

from __future__ import annotations

from typing import Any

import pytest

from lti_bridge.lti import notices

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/platformnotificationservice"
GOOD: dict[str, Any] = {
    "service_versions": ["1.0"],
    "platform_notification_service_url": "https://lms.example.edu/notice-handlers/1",
    "scope": ["https://purl.imsglobal.org/spec/lti/scope/noticehandlers"],
    "notice_types_supported": ["LtiHelloWorldNotice", "LtiContextCopyNotice"],
}


def test_a_service_is_offered_by_its_claim() -> None:
    assert notices.service_url({CLAIM: GOOD}) == "https://lms.example.edu/notice-handlers/1"


@pytest.mark.parametrize(
    "changes",
    [
        {"service_versions": ["2.0"]},
        {"service_versions": None},
        {"scope": []},
        {"scope": "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"},
        {"notice_types_supported": ["LtiHelloWorldNotice"]},
        {"notice_types_supported": {"LtiContextCopyNotice": 1}},
        {"platform_notification_service_url": "javascript:alert(1)"},
        {"platform_notification_service_url": None},
        {"platform_notification_service_url": "https://lms.example.edu/" + "x" * 2048},
    ],
)
def test_what_is_not_offered_whole_is_not_offered(changes: dict[str, Any]) -> None:
    assert notices.service_url({CLAIM: {**GOOD, **changes}}) == ""


@pytest.mark.parametrize("claim", [None, [], "x", 1, {}])
def test_a_claim_that_is_none_is_no_trouble(claim: object) -> None:
    assert notices.service_url({CLAIM: claim}) == ""


@pytest.mark.parametrize(
    ("body", "handler"),
    [
        (b'{"notice_type": "LtiContextCopyNotice", "handler": "https://a"}', "https://a"),
        (b'{"notice_handlers": [{"notice_type": "LtiHelloWorldNotice", "handler": "https://h"},'
         b' {"notice_type": "LtiContextCopyNotice", "handler": ""}]}', ""),
        (b'{"notice_handlers": "x"}', None),
        (b"", None),
        (b"[]", None),
    ],
)  # fmt: skip
def test_the_handler_in_an_answer(body: bytes, handler: str | None) -> None:
    assert notices.handler_in(body) == handler
