"""Deep Linking 2.0 messages as a tool: what a request asks for, and the claims of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lti_bridge.errors import MessageRefused
from lti_bridge.lti import claims, oidc

LTI_LINK = "ltiResourceLink"
RESPONSE = "LtiDeepLinkingResponse"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of a request (§4.4.1); what is not said about line items is None."""

    return_url: str
    types: frozenset[str]
    targets: tuple[str, ...]
    multiple: bool
    line_items: bool | None
    data: str | None


@dataclass(frozen=True, slots=True)
class LinkItem:
    """A link to put into a course, with the gradebook column that belongs to it.

    `maximum` None: there is none. `label` is its name.
    """

    url: str
    title: str
    custom: Mapping[str, str] = field(default_factory=dict)
    maximum: Decimal | None = None
    resource_id: str = ""
    tag: str = ""
    label: str = ""


def read_settings(settings: object) -> Wanted:
    """The settings claim. Raises MessageRefused when a required part is missing or unfit."""
    if not isinstance(settings, Mapping):
        raise MessageRefused("the deep linking settings are missing")
    return_url = settings.get("deep_link_return_url")
    if not isinstance(return_url, str) or not oidc.origin(return_url):
        raise MessageRefused("deep_link_return_url is missing, or no web address")
    types = _texts(settings, "accept_types")
    targets = _texts(settings, "accept_presentation_document_targets")
    if not types:
        raise MessageRefused("accept_types is empty")
    line_items, data = settings.get("accept_lineitem"), settings.get("data")
    return Wanted(
        return_url=return_url,
        types=frozenset(types),
        targets=targets,
        multiple=settings.get("accept_multiple") is True,
        line_items=line_items if isinstance(line_items, bool) else None,
        data=data if isinstance(data, str) else None,
    )


def response(wanted: Wanted, items: Sequence[LinkItem], *, deployment_id: str) -> dict[str, Any]:
    """The claims of an answer but those of the token itself; no items: nothing was chosen (§4.5).

    Raises MessageRefused for items that the request does not accept.
    """
    if items and LTI_LINK not in wanted.types:
        raise MessageRefused("the LMS accepts no links to a tool here")
    if len(items) > 1 and not wanted.multiple:
        raise MessageRefused("the LMS accepts one link only")
    made: dict[str, Any] = {
        claims.MESSAGE_TYPE: RESPONSE,
        claims.VERSION: "1.3.0",
        claims.DEPLOYMENT_ID: deployment_id,
        claims.CONTENT_ITEMS: [_item(one, wanted.line_items is not False) for one in items],
    }
    if wanted.data is not None:
        made[claims.DATA] = wanted.data
    return made


def plain_number(value: Decimal) -> int | float:
    """The number as JSON writes it shortest: 100, not 100.00."""
    return int(value) if value == value.to_integral_value() else float(value)


def _item(item: LinkItem, with_line_item: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": LTI_LINK,
        "url": item.url,
        "title": item.title,
        "custom": dict(item.custom),
    }
    if with_line_item and item.maximum is not None:
        made["lineItem"] = {
            "scoreMaximum": plain_number(item.maximum),
            "label": item.label or item.title,
            "resourceId": item.resource_id,
            "tag": item.tag,
        }
    return made


def _texts(settings: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = settings.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MessageRefused(f"{name} is missing, or no array of texts")
    return tuple(values)
