"""The bridge's own gradebook column, found or made once per link where a launch names none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from lti_bridge.core.grade.gradebook import Columns
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import Column, Delivery
from lti_bridge.errors import AnswerLost, BridgeError, DeliveryFailed, DeliveryHeld, DeliveryRefused
from lti_bridge.lms import answers, dialects
from lti_bridge.lms.paging import Call, origin, pages
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags
from lti_bridge.net import Response

TAG = "lti-bridge"
MAXIMUM = "100"  # what an LMS gives a new column too; scores of any maximum are scaled to it
MAX_ITEMS = 5000
UNUSED = "scores, in a column that was made for them and taken away again"
KEPT_TRIES = 2  # of a grade, so that what passes by itself does no harm to a column just made
LONGEST_REST = timedelta(days=1)
# Canvas: a link that is no assignment's, and one whose assignment is gone (line_items_controller)
UNKNOWN_LINK = frozenset({404, 412})


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
    _made: set[str] = field(default_factory=set)  # and not known to take scores yet

    def get(self, delivery: Delivery, registration: Registration13, gone: str = "") -> str:
        """The address of the line item of this grade's link, but not `gone`, which was deleted.

        Raises DeliveryHeld while another worker looks for it, DeliveryRefused when there is none
        and none may be made, DeliveryFailed also while none is to be made because the last one
        took no score, and the errors of `Tokens.call`.
        """
        column = self.columns.column(delivery.grade_id)
        if column.line_item and column.line_item != gone:
            return column.line_item
        if column.rests_until and self.clock() < column.rests_until:
            raise DeliveryFailed(f"{UNUSED}: {column.unused}")
        if gone:
            self.columns.forget(column.link_id, gone)
        lease = self.new_id()
        self._claim(column, lease)
        try:
            found, made = self._find_or_make(delivery, registration, column, lease)
        except AnswerLost:
            raise  # the LMS may be making it now: nobody looks before the lease ends
        except BridgeError:
            self.columns.settle(column.link_id, lease, "")
            raise
        # a column in the place of a deleted one is empty: the others' grades are missing too,
        # but where each section has a column of its own, only those of this one
        renewed = self.clock() if made or gone else None
        lost = gone if gone == delivery.target.line_item else ""
        self.columns.settle(column.link_id, lease, found, renewed, lost)
        if made:
            self._made.add(found)
        return found

    def instead(self, delivery: Delivery, registration: Registration13, address: str) -> str:
        """Another line item for this grade if the one at `address` is gone; empty if it is not.

        A 404 for a score may be about its learner (Brightspace: a deleted account), so the line
        item itself is asked for; some LMSs have no such service and answer 404 here too, so the
        list of line items has the last word. Raises as `get`.
        """
        column = self.columns.column(delivery.grade_id)
        call = self._call(delivery, registration)
        reply = call("GET", address, {"Accept": ags.LINE_ITEM_TYPE})
        meaning = answers.read(reply).meaning
        if meaning == "temporary":
            raise answers.refusal(reply, "line item")
        if meaning == "taken":
            ags.parse_line_item(reply.body)
        if meaning != "gone" or self._is_listed(call, delivery, column, address):
            return ""
        return self.get(delivery, registration, gone=address)

    def took(self, address: str) -> None:
        """A line item has taken a score: it is not removed any more."""
        self._made.discard(address)

    def remove_unused(
        self, delivery: Delivery, registration: Registration13, address: str, said: str
    ) -> bool:
        """Take a line item away that was just made and takes no score; whether it was one.

        A gradebook that is broken must not fill with empty columns, nor get a new one at each try:
        none is made for as many hours as this grade has had tries. `said` is what it answered.
        Raises the errors of `Tokens.call`.
        """
        if address not in self._made or delivery.tries < KEPT_TRIES:
            return False
        self._made.discard(address)
        until = self.clock() + min(timedelta(hours=delivery.tries), LONGEST_REST)
        link_id = self.columns.column(delivery.grade_id).link_id
        if not self.columns.put_away(link_id, address, said, until):
            return False  # others have their grades in it
        call = self._call(delivery, registration)
        return answers.read(call("DELETE", address, {})).meaning == "taken"

    def _is_listed(self, call: Call, delivery: Delivery, column: Column, address: str) -> bool:
        filters = _filters(delivery.target.line_items, column)
        return any(item.url == address for one in filters for item in _pages(call, one))

    def _call(self, delivery: Delivery, registration: Registration13) -> Call:
        may_make = ags.LINE_ITEM in delivery.target.scopes
        scopes = frozenset({ags.LINE_ITEM if may_make else ags.LINE_ITEM_READ})
        return partial(self.tokens.call, registration, scopes, delivery.deployment_id)

    def known(self, delivery: Delivery) -> str:
        """The line item that was found or made for this grade's link before, or nothing."""
        return self.columns.column(delivery.grade_id).line_item

    def _claim(self, column: Column, lease: str) -> None:
        if not self.columns.claim(column.link_id, lease, self.clock(), self.lease_s):
            raise DeliveryHeld("another worker looks for the line item of this link")

    def _find_or_make(
        self, delivery: Delivery, registration: Registration13, column: Column, lease: str
    ) -> tuple[str, bool]:
        target = delivery.target
        may_make = ags.LINE_ITEM in target.scopes
        call = self._call(delivery, registration)
        found, made = _find(call, target.line_items, column), False
        if not found and not may_make:
            raise DeliveryRefused("there is no line item, and the LMS lets us make none")
        if not found:
            self._claim(column, lease)  # the search may have outlived its lease
            title = self.titles.get(column.activity_id, column.title) or column.activity_id
            dialect = dialects.of(delivery.family, registration.issuer)
            found, made = _make(call, target.line_items, column, title, dialect), True
        if origin(found) != origin(target.line_items):
            raise DeliveryRefused("the line item is on another server than the LMS")
        return found, made


def offers_container(target: GradeTarget) -> bool:
    """Whether a line item for scores can be found or made here."""
    wanted = {ags.LINE_ITEM, ags.LINE_ITEM_READ}
    return bool(target.line_items and ags.SCORE in target.scopes and wanted & {*target.scopes})


def _find(call: Call, container: str, column: Column) -> str:
    """The address of this link's line item, or an empty string (AGS 2.0 §3.2.15).

    By the LMS's link id first, which survives the copy of a course, then by our own id, for an
    LMS that binds no line item to a link. An LMS that ignores the filters is no problem.
    """
    for address in _filters(container, column):
        if found := _chosen(_pages(call, address), column):
            return found.url
    return ""


def _filters(container: str, column: Column) -> tuple[str, str]:
    """Where the line items that may be this link's are listed."""
    return (
        ags.filtered(container, resource_link_id=column.resource_link_id),
        ags.filtered(container, resource_id=column.link_id, tag=TAG),
    )


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
    found: list[ags.LineItem] = []
    for page in pages(call, address, ags.LINE_ITEMS_TYPE, "line items"):
        found += ags.parse_line_items(page)
        if len(found) > MAX_ITEMS:
            raise DeliveryRefused("line items: the pages have no end")
    return found


def _make(call: Call, container: str, column: Column, title: str, dialect: dialects.Dialect) -> str:
    reply = _post(call, container, column, title, column.resource_link_id)
    if reply.status in UNKNOWN_LINK and dialect.unbound_columns:
        reply = _post(call, container, column, title, "")
    if reply.status >= 500:
        raise AnswerLost(f"line item: {answers.read(reply).said}")
    if answers.read(reply).meaning != "taken":
        raise answers.refusal(reply, "line item")
    return ags.parse_line_item(reply.body).url


def _post(call: Call, container: str, column: Column, title: str, link: str) -> Response:
    body = ags.line_item_body(
        label=title,
        maximum=Decimal(column.maximum or MAXIMUM),
        resource_link_id=link,
        resource_id=column.link_id,
        tag=TAG,
    )
    headers = {"Content-Type": ags.LINE_ITEM_TYPE, "Accept": ags.LINE_ITEM_TYPE}
    return call("POST", container, headers, body)
