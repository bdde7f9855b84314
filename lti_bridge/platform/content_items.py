"""The items that a tool says were chosen, in both spellings: Deep Linking 2.0, Content-Item 1.0.

Items of types that were not asked for are passed over; a link of ours that is not clean is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from lti_bridge.core.tool.choices import ChosenItem
from lti_bridge.errors import ToolAnswerRefused
from lti_bridge.lti import oidc
from lti_bridge.lti.claims import is_empty
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
    if is_empty(claim):
        return ()
    if not isinstance(claim, list) or len(claim) > MAX_ITEMS:
        raise ToolAnswerRefused(f"content_items is no list of at most {MAX_ITEMS} items")
    return tuple(
        replace(
            _item(one, _line_item(one.get("lineItem"), f"{where}.lineItem"), where),
            ungraded=is_empty(one.get("lineItem")),
        )
        for where, one in _numbered("content_items", claim)
        if one.get("type") == LTI_LINK
    )


def items11(text: str) -> tuple[ChosenItem, ...]:
    """The links among the content_items of a ContentItemSelection (JSON-LD)."""
    if not text:
        return ()
    if len(text) > MAX_JSON:
        raise ToolAnswerRefused(f"content_items is longer than {MAX_JSON} characters")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolAnswerRefused("content_items is no JSON") from error
    if is_empty(value):  # an object without members, as PHP writes it
        return ()
    graph = value.get("@graph", []) if isinstance(value, dict) else None
    if not isinstance(graph, list) or len(graph) > MAX_ITEMS or _depth(value) > MAX_DEPTH:
        raise ToolAnswerRefused(f"content_items has no @graph of at most {MAX_ITEMS} items")
    return tuple(
        _item(one, _line_item11(one.get("lineItem"), f"{where}.lineItem"), where)
        for where, one in _numbered("@graph", graph)
        if one.get("@type") in LINK_TYPES_11
    )


def plain_text(value: object) -> str | None:
    """A text, number or truth value of JSON as its text; None for anything else.

    Tools write `{"id": 7}` where the document asks for texts.
    """
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _numbered(name: str, found: list[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with where it stands."""
    for index, one in enumerate(found):
        if isinstance(one, dict):
            yield f"{name}[{index}]", one


def _item(item: Mapping[str, Any], line_item: Mapping[str, Any], where: str) -> ChosenItem:
    url = _text(item, "url", where)
    if url and not oidc.origin(url):
        raise ToolAnswerRefused(f"{where}.url is no web address")
    return ChosenItem(
        url=url,
        title=_text(item, "title", where) or line_item.get("label", ""),
        custom=_custom(item.get("custom") or {}, f"{where}.custom"),
        maximum=line_item.get("maximum"),
        resource_id=line_item.get("resource_id", ""),
        tag=line_item.get("tag", ""),
        label=line_item.get("label", ""),
    )


def _custom(values: object, where: str) -> dict[str, str]:
    """Custom parameters as texts; one that is null is left out."""
    if not isinstance(values, dict) or len(values) > MAX_CUSTOM:
        raise ToolAnswerRefused(f"{where} is no object of at most {MAX_CUSTOM} parameters")
    return {
        _fit(name, f"a name in {where}"): _fit(value, f"{where}.{_UNFIT.sub('?', name):.80}")
        for name, value in values.items()
        if value is not None
    }


def _line_item(value: object, where: str) -> dict[str, Any]:
    if is_empty(value):
        return {}
    if not isinstance(value, dict):
        raise ToolAnswerRefused(f"{where} is no object")
    return {
        "maximum": _maximum(value.get("scoreMaximum"), f"{where}.scoreMaximum"),
        "label": _text(value, "label", where),
        "resource_id": _text(value, "resourceId", where),
        "tag": _text(value, "tag", where),
    }


def _line_item11(value: object, where: str) -> dict[str, Any]:
    if is_empty(value):
        return {}
    if not isinstance(value, dict):
        raise ToolAnswerRefused(f"{where} is no object")
    limits, activity = (value.get(name) or {} for name in ("scoreConstraints", "assignedActivity"))
    if not isinstance(limits, dict) or not isinstance(activity, dict):
        raise ToolAnswerRefused(f"scoreConstraints or assignedActivity of {where} is no object")
    found = {
        "label": _text(value, "label", where),
        "resource_id": _text(activity, "activityId", f"{where}.assignedActivity"),
    }
    if limits:
        most = limits.get("totalMaximum", limits.get("normalMaximum"))
        return {**found, "maximum": _maximum(most, f"{where}.scoreConstraints.totalMaximum")}
    return found


def _maximum(value: object, where: str) -> Decimal:
    """How much a line item counts to: a number above 0 (DL 2.0 §3.2)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ToolAnswerRefused(f"{where} is no number above 0")
    return Decimal(str(value))


def _text(members: Mapping[str, Any], name: str, where: str) -> str:
    value = members.get(name)
    return "" if value is None else _fit(value, f"{where}.{name}")


def _fit(value: object, where: str) -> str:
    """The value as a text that a database and a page can hold."""
    text = plain_text(value)
    if text is None or len(text) > MAX_TEXT or _UNFIT.search(text):
        raise ToolAnswerRefused(f"{where} is no clean text of at most {MAX_TEXT} characters")
    return text


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
