"""The bridge's own gradebook column, found or made once per link where a launch names none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from lti_bridge.core.launch import GradeTarget
from lti_bridge.core.ports import Columns
from lti_bridge.core.records import Column, Delivery
from lti_bridge.errors import AnswerLost, BridgeError, DeliveryHeld, DeliveryRefused
from lti_bridge.lms.answers import TAKEN, refusal
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags
from lti_bridge.net import Response

TAG = "lti-bridge"
MAXIMUM = Decimal(100)  # what an LMS gives a new column too; scores of any maximum are scaled to it
MAX_PAGES = 50
MAX_ITEMS = 5000


class Call(Protocol):
    """One request with a token of this registration."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Return the answer; raises as `Tokens.call`."""


@dataclass(frozen=True, slots=True)
class LineItems:
    """Finds or makes line items (AGS 2.0 §3.2), so that no link ever has two of ours.

    `titles` are those of the configured activities by id. `lease_s` is how long, in seconds, one
    worker may keep the others waiting: longer than two requests for tokens and two for the item.
    """

    tokens: Tokens
    columns: Columns
    titles: Mapping[str, str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    lease_s: float

    def get(self, delivery: Delivery, registration: Registration13, gone: str = "") -> str:
        """The address of the line item of this grade's link, but not `gone`, which was deleted.

        Raises DeliveryHeld while another worker looks for it, DeliveryRefused when there is none
        and none may be made, DeliveryFailed and the errors of `Tokens.call`.
        """
        column = self.columns.column(delivery.grade_id)
        if column.line_item and column.line_item != gone:
            return column.line_item
        if gone:
            self.columns.forget(column.link_id, gone)
        lease = self.new_id()
        self._claim(column, lease)
        try:
            found = self._find_or_make(delivery, registration, column, lease)
        except AnswerLost:
            raise  # the LMS may be making it now: nobody looks before the lease ends
        except BridgeError:
            self.columns.settle(column.link_id, lease, "")
            raise
        self.columns.settle(column.link_id, lease, found)
        return found

    def _claim(self, column: Column, lease: str) -> None:
        if not self.columns.claim(column.link_id, lease, self.clock(), self.lease_s):
            raise DeliveryHeld("another worker looks for the line item of this link")

    def _find_or_make(
        self, delivery: Delivery, registration: Registration13, column: Column, lease: str
    ) -> str:
        target = delivery.target
        may_make = ags.LINE_ITEM in target.scopes
        scopes = frozenset({ags.LINE_ITEM if may_make else ags.LINE_ITEM_READ})
        call = partial(self.tokens.call, registration, scopes, delivery.deployment_id)
        found = _find(call, target.line_items, column)
        if not found and not may_make:
            raise DeliveryRefused("there is no line item, and the LMS lets us make none")
        if not found:
            self._claim(column, lease)  # the search may have outlived its lease
            title = self.titles.get(column.activity_id, column.title) or column.activity_id
            found = _make(call, target.line_items, column, title)
        if _origin(found) != _origin(target.line_items):
            raise DeliveryRefused("the line item is on another server than the LMS")
        return found


def offers_container(target: GradeTarget) -> bool:
    """Whether a line item for scores can be found or made here."""
    wanted = {ags.LINE_ITEM, ags.LINE_ITEM_READ}
    return bool(target.line_items and ags.SCORE in target.scopes and wanted & {*target.scopes})


def _find(call: Call, container: str, column: Column) -> str:
    """The address of this link's line item, or an empty string (AGS 2.0 §3.2.15).

    By the LMS's link id first, which survives the copy of a course, then by our own id, for an
    LMS that binds no line item to a link. An LMS that ignores the filters is no problem.
    """
    for address in (
        ags.filtered(container, resource_link_id=column.resource_link_id),
        ags.filtered(container, resource_id=column.link_id, tag=TAG),
    ):
        if found := _chosen(_pages(call, address), column):
            return found.url
    return ""


def _chosen(items: Iterable[ags.LineItem], column: Column) -> ags.LineItem | None:
    """Ours; else one we made before the course was copied; else the only one of the link."""
    here = [item for item in items if item.resource_link_id in ("", column.resource_link_id)]
    bound = [item for item in here if item.resource_link_id]
    tagged = [item for item in here if item.tag == TAG]
    ours = [item for item in tagged if item.resource_id == column.link_id]
    copied = [item for item in tagged if item.resource_link_id]
    only = bound if len(bound) == 1 else []
    return next(iter(ours + copied + only), None)


def _pages(call: Call, address: str) -> list[ags.LineItem]:
    """All items, from page to page as the LMS says; not forever, and never to another server."""
    found: list[ags.LineItem] = []
    seen: set[str] = set()
    origin, url = _origin(address), address
    while url:
        if url in seen or len(seen) == MAX_PAGES or len(found) > MAX_ITEMS:
            raise DeliveryRefused("line items: the pages have no end")
        if _origin(url) != origin:
            raise DeliveryRefused("line items: the next page is on another server")
        seen.add(url)
        reply = call("GET", url, {"Accept": ags.LINE_ITEMS_TYPE})
        if reply.status != 200:
            raise refusal(reply, "line items")
        found += ags.parse_line_items(reply.body)
        following = ags.next_link(reply.headers.get("Link", ""))
        url = urljoin(url, following) if following else ""
    return found


def _make(call: Call, container: str, column: Column, title: str) -> str:
    body = ags.line_item_body(
        label=title,
        maximum=MAXIMUM,
        resource_link_id=column.resource_link_id,
        resource_id=column.link_id,
        tag=TAG,
    )
    headers = {"Content-Type": ags.LINE_ITEM_TYPE, "Accept": ags.LINE_ITEM_TYPE}
    reply = call("POST", container, headers, body)
    if reply.status >= 500:
        raise AnswerLost(f"line item: HTTP {reply.status}")
    if reply.status not in TAKEN:
        raise refusal(reply, "line item")
    return ags.parse_line_item(reply.body).url


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise DeliveryRefused("line items: an address that cannot be read") from None
    return parts.scheme, parts.hostname or "", port
