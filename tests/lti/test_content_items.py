"""Content-Item 1.0: requests that lack something, and the JSON-LD of an answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from lti_bridge.errors import MessageRefused
from lti_bridge.lti import claims, content_items, deep_linking
from lti_bridge.lti.deep_linking import LinkItem

REQUEST = {
    "lti_message_type": "ContentItemSelectionRequest",
    "lti_version": "LTI-1p0",
    "accept_media_types": "application/vnd.ims.lti.v1.ltilink",
    "accept_presentation_document_targets": "frame,iframe,window",
    "accept_copy_advice": "false",
    "accept_unsigned": "false",
    "auto_create": "false",
    "content_item_return_url": "https://lms.example.edu/picked?course=2",
}
ITEM = LinkItem(
    "https://bridge.example.edu/lti/launch",
    "Excel <b>",
    {"lti_bridge_activity": "a1"},
    Decimal("12.5"),
    "a1",
    "lti-bridge",
)


def answer(items: list[LinkItem], **changes: str) -> dict[str, Any]:
    asked = claims.claims_from_parameters(REQUEST | changes)
    wanted = deep_linking.read_settings(asked[claims.DEEP_LINKING_SETTINGS])
    fields = content_items.selection(wanted, items)
    assert len(dict(fields)) == len(fields)
    return dict(fields)


def graph(fields: dict[str, Any]) -> list[dict[str, Any]]:
    told = json.loads(fields["content_items"])
    assert told["@context"] == "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
    return list(told["@graph"])


@pytest.mark.spec("T11C-01")
@pytest.mark.parametrize("name", content_items.REQUIRED)
def test_a_request_must_say_what_it_takes_and_where(name: str) -> None:
    content_items.check_request(REQUEST)
    for value in ({}, {name: ""}, {name: "  "}):
        without = {key: text for key, text in REQUEST.items() if key != name}
        with pytest.raises(MessageRefused, match=name):
            content_items.check_request(without | value)


@pytest.mark.spec("T11C-03", "T11C-05")
def test_a_link_is_an_item_of_json_ld() -> None:
    fields = answer([ITEM])
    assert fields["lti_message_type"] == "ContentItemSelection"
    assert fields["lti_version"] == "LTI-1p0"
    assert graph(fields) == [
        {
            "@type": "LtiLinkItem",
            "mediaType": "application/vnd.ims.lti.v1.ltilink",
            "url": "https://bridge.example.edu/lti/launch",
            "title": "Excel <b>",
            "custom": {"lti_bridge_activity": "a1"},
            "placementAdvice": {"presentationDocumentTarget": "iframe"},
            "lineItem": {
                "@type": "LineItem",
                "label": "Excel <b>",
                "reportingMethod": "http://purl.imsglobal.org/ctx/lis/v2p1/Result#totalScore",
                "assignedActivity": {"activityId": "a1"},
                "scoreConstraints": {
                    "@type": "NumericLimits",
                    "normalMaximum": 12.5,
                    "totalMaximum": 12.5,
                },
            },
        }
    ]


def test_the_place_is_one_that_the_request_takes() -> None:
    only = answer([ITEM], accept_presentation_document_targets="frame")
    assert graph(only)[0]["placementAdvice"] == {"presentationDocumentTarget": "window"}
    assert (
        "placementAdvice"
        not in graph(answer([ITEM], accept_presentation_document_targets="none"))[0]
    )


@pytest.mark.spec("T11C-05")
def test_only_accepted_media_types_are_returned() -> None:
    with pytest.raises(MessageRefused):
        answer([ITEM], accept_media_types="image/png,text/html")
    assert graph(answer([ITEM], accept_media_types="*/*"))


@pytest.mark.spec("T11C-04")
def test_data_goes_back_as_it_came() -> None:
    assert "data" not in answer([ITEM])
    fields = answer([], data='é"<&=+ ')
    assert fields["data"] == 'é"<&=+ '
    assert graph(fields) == []


@pytest.mark.spec("T11C-06")
def test_one_item_at_most_unless_several_are_allowed() -> None:
    for changes in ({}, {"accept_multiple": "false"}, {"accept_multiple": "1"}):
        assert len(graph(answer([ITEM], **changes))) == 1
        with pytest.raises(MessageRefused):
            answer([ITEM, ITEM], **changes)
    assert len(graph(answer([ITEM, ITEM], accept_multiple="true"))) == 2
