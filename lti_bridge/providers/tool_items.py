"""The items that a tool says were chosen, in both spellings: Deep Linking 2.0, Content-Item 1.0.

Items of types that were not asked for are passed over; a link of ours that is not clean is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lti_bridge.core.tool_choices import ChosenItem
from lti_bridge.errors import ToolAnswerRefused
from lti_bridge.lti import oidc
from lti_bridge.lti.deep_linking import LTI_LINK

MAX_ITEMS = 100
MAX_TEXT = 4000  # characters of one text
MAX_CUSTOM = 100  # custom parameters of one item
MAX_DEPTH = 10
MAX_JSON = 256 * 1024  # characters
LINK_TYPES_11 = ("LtiLinkItem", "LtiLink")
# What no database text and no page can hold: NUL and half characters.
_UNFIT = re.compile("[\0\ud800-\udfff]")


def items(claim: object) -> tuple[ChosenItem, ...]:
    """The links among the items of a deep linking response; absent or empty: nothing chosen."""
    if claim is None:
        return ()
    if not isinstance(claim, list) or len(claim) > MAX_ITEMS:
        raise ToolAnswerRefused("content_items is no list, or too long")
    links = [one for one in claim if isinstance(one, dict) and one.get("type") == LTI_LINK]
    return tuple(_item(one, _line_item(one.get("lineItem"))) for one in links)


def items11(text: str) -> tuple[ChosenItem, ...]:
    """The links among the content_items of a ContentItemSelection (JSON-LD)."""
    if not text:
        return ()
    if len(text) > MAX_JSON:
        raise ToolAnswerRefused("content_items is too long")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolAnswerRefused("content_items is no JSON") from error
    graph = value.get("@graph", []) if isinstance(value, dict) else None
    if not isinstance(graph, list) or len(graph) > MAX_ITEMS or _depth(value) > MAX_DEPTH:
        raise ToolAnswerRefused("content_items has no @graph, or too much of it")
    links = [one for one in graph if isinstance(one, dict) and one.get("@type") in LINK_TYPES_11]
    return tuple(_item(one, _line_item11(one.get("lineItem"))) for one in links)


def _item(item: Mapping[str, Any], line_item: Mapping[str, Any]) -> ChosenItem:
    url = _text(item, "url")
    if url and not oidc.origin(url):
        raise ToolAnswerRefused("the url of an item is no web address")
    custom = item.get("custom") or {}
    if not isinstance(custom, dict) or len(custom) > MAX_CUSTOM:
        raise ToolAnswerRefused("custom of an item is no object, or too large")
    if not all(_is_text(name) and _is_text(value) for name, value in custom.items()):
        raise ToolAnswerRefused("a custom parameter of an item is no text, or too long")
    return ChosenItem(
        url=url,
        title=_text(item, "title") or line_item.get("label", ""),
        custom=custom,
        maximum=line_item.get("maximum"),
        resource_id=line_item.get("resource_id", ""),
        tag=line_item.get("tag", ""),
    )


def _line_item(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ToolAnswerRefused("lineItem is no object")
    return {
        "maximum": _maximum(value.get("scoreMaximum")),
        "label": _text(value, "label"),
        "resource_id": _text(value, "resourceId"),
        "tag": _text(value, "tag"),
    }


def _line_item11(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ToolAnswerRefused("lineItem is no object")
    limits, activity = (value.get(name) or {} for name in ("scoreConstraints", "assignedActivity"))
    if not isinstance(limits, dict) or not isinstance(activity, dict):
        raise ToolAnswerRefused("a part of lineItem is no object")
    found = {"label": _text(value, "label"), "resource_id": _text(activity, "activityId")}
    if limits:
        most = limits.get("totalMaximum", limits.get("normalMaximum"))
        return {**found, "maximum": _maximum(most)}
    return found


def _maximum(value: object) -> Decimal:
    """How much a line item counts to: a number above 0 (DL 2.0 §3.2)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ToolAnswerRefused("scoreMaximum of an item is no number above 0")
    return Decimal(str(value))


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if value is None:
        return ""
    if not _is_text(value):
        raise ToolAnswerRefused(f"{name} of an item is no text, or too long")
    return str(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and not _UNFIT.search(value)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
