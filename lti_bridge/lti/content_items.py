"""Content-Item 1.0 messages as a tool (LTI 1.1): the unsigned fields of a ContentItemSelection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lti_bridge.errors import MessageRefused
from lti_bridge.lti.claims import LTI_11_VERSION
from lti_bridge.lti.deep_linking import LTI_LINK, LinkItem, Wanted, plain_number

JSON_LD = "http://purl.imsglobal.org/ctx/lti/v1/ContentItem"
MEDIA_TYPE = "application/vnd.ims.lti.v1.ltilink"
REQUIRED = (
    "accept_media_types",
    "accept_presentation_document_targets",
    "content_item_return_url",
)
# What we like best first; Deep Linking 2.0 calls the targets of a request by the same names.
TARGETS = ("iframe", "window")


def check_request(parameters: Mapping[str, str]) -> None:
    """Whether a ContentItemSelectionRequest has what it must have (§3); raises MessageRefused."""
    for name in REQUIRED:
        if not parameters.get(name, "").strip():
            raise MessageRefused(f"{name} is missing")


def selection(wanted: Wanted, items: Sequence[LinkItem]) -> list[tuple[str, str]]:
    """The fields of the answer, in need of a signature; no items: nothing was chosen.

    Raises MessageRefused for items that the request does not accept.
    """
    if items and LTI_LINK not in wanted.types:
        raise MessageRefused("the LMS accepts no links to a tool here")
    if len(items) > 1 and not wanted.multiple:
        raise MessageRefused("the LMS accepts one link only")
    graph = [_item(one, wanted) for one in items]
    fields = [
        ("lti_message_type", "ContentItemSelection"),
        ("lti_version", LTI_11_VERSION),
        ("content_items", json.dumps({"@context": JSON_LD, "@graph": graph})),
    ]
    if wanted.data is not None:
        fields.append(("data", wanted.data))
    return fields


def _item(item: LinkItem, wanted: Wanted) -> dict[str, Any]:
    made: dict[str, Any] = {
        "@type": "LtiLinkItem",
        "mediaType": MEDIA_TYPE,
        "url": item.url,
        "title": item.title,
        "custom": dict(item.custom),
    }
    target = next((one for one in TARGETS if one in wanted.targets), "")
    if target:
        made["placementAdvice"] = {"presentationDocumentTarget": target}
    if wanted.line_items is not False and item.maximum is not None:
        made["lineItem"] = {
            "@type": "LineItem",
            "label": item.label or item.title,
            "reportingMethod": "http://purl.imsglobal.org/ctx/lis/v2p1/Result#totalScore",
            "assignedActivity": {"activityId": item.resource_id},
            "scoreConstraints": {
                "@type": "NumericLimits",
                "normalMaximum": plain_number(item.maximum),
                "totalMaximum": plain_number(item.maximum),
            },
        }
    return made
