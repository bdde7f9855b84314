"""Assignment and Grade Services 2.0: addresses, bodies and answers, from both ends of the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, get_args
from urllib.parse import quote, urlencode

from lti_bridge.errors import DeliveryFailed, DeliveryRefused

_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
LINE_ITEM = _SCOPE + "lineitem"
LINE_ITEM_READ = _SCOPE + "lineitem.readonly"
RESULT_READ = _SCOPE + "result.readonly"
SCORE = _SCOPE + "score"

LINE_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"

Activity = Literal["Initialized", "Started", "InProgress", "Submitted", "Completed"]
Grading = Literal["FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"]

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:[\"“”]([^\"“”]*)[\"“”]|([^\s\"“”;,]+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LineItemResult:
    """What the LMS holds for one learner: `score` of `maximum`, both exact."""

    score: Decimal
    maximum: Decimal
    comment: str = ""


@dataclass(frozen=True, slots=True)
class LineItem:
    """One gradebook column of an LMS: its address, and what it belongs to (may be empty)."""

    url: str
    resource_link_id: str = ""
    resource_id: str = ""
    tag: str = ""


def filtered(line_items: str, **filters: str) -> str:
    """Return the container's address with filters added to its own query (AGS section 3.2.5)."""
    address = line_items.partition("#")[0]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(filters)}"


def scores_url(line_item: str) -> str:
    """Return where scores of this line item are posted: its path plus /scores, query kept."""
    return _extended(line_item, "/scores")


def results_url(line_item: str, user_id: str) -> str:
    """Return where this learner's result is read; the line item's own query is kept."""
    address = _extended(line_item, "/results")
    return f"{address}{'&' if '?' in address else '?'}user_id={quote(user_id, safe='')}"


def timestamp(moment: datetime) -> str:
    """Return an aware time as AGS wants it: UTC, milliseconds, Z (AGS section 3.4.9)."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def score_body(
    *,
    user_id: str,
    score: Decimal | None,
    maximum: Decimal | None,
    timestamp: datetime,
    activity: Activity,
    grading: Grading,
    comment: str = "",
    started_at: datetime | None = None,
    submitted_at: datetime | None = None,
    extensions: Mapping[str, object] | None = None,
) -> bytes:
    """Return a score as compact JSON with the exact decimals as numbers (AGS section 3.4).

    Without `score` the platform clears the grade. Compact, because an LMS is known that takes
    a body with newlines, refuses it, and answers 200. Raises DeliveryRefused for numbers or
    words that AGS does not allow.
    """
    members: dict[str, object] = {"userId": user_id}
    if score is not None:
        members["scoreGiven"] = _number(score, "the score")
        members["scoreMaximum"] = _maximum(maximum)
    members |= _progress(timestamp, activity, grading)
    if comment:
        members["comment"] = comment
    submission = _submission(started_at, submitted_at)
    if submission:
        members["submission"] = submission
    members |= extensions or {}
    return _compact(members).encode()


def line_item_body(
    *,
    label: str,
    maximum: Decimal,
    resource_link_id: str = "",
    resource_id: str = "",
    tag: str = "",
) -> bytes:
    """Return a line item to create as compact JSON; raises DeliveryRefused unless maximum > 0."""
    members: dict[str, object] = {"label": label, "scoreMaximum": _maximum(maximum)}
    bound = {"resourceLinkId": resource_link_id, "resourceId": resource_id, "tag": tag}
    members |= {name: value for name, value in bound.items() if value}
    return _compact(members).encode()


def parse_line_items(body: bytes) -> list[LineItem]:
    """Return the items of a container's page; DeliveryFailed for what is no such page."""
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise DeliveryFailed("the line items are not JSON") from err
    if not isinstance(entries, list):
        raise DeliveryFailed("the line items are not a list")
    return [item for item in map(_line_item, entries) if item]


def parse_line_item(body: bytes) -> LineItem:
    """Return the item that a create answers with; DeliveryFailed when its address is missing."""
    try:
        item = _line_item(json.loads(body))
    except (ValueError, RecursionError) as err:
        raise DeliveryFailed("the line item is not JSON") from err
    if item is None:
        raise DeliveryFailed("the line item has no id")
    return item


def parse_results(body: bytes, user_id: str) -> LineItemResult | None:
    """Return this learner's result from a result container, None when there is none.

    A missing maximum means 1, a missing or null score means no result (AGS section 3.3.4).
    Raises DeliveryFailed for an answer that is no result container.
    """
    try:
        entries = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as err:
        raise DeliveryFailed("the results are not JSON") from err
    if not isinstance(entries, list):
        raise DeliveryFailed("the results are not a list")
    for entry in entries:
        if not isinstance(entry, dict) or str(entry.get("userId")) != user_id:
            continue
        score, maximum = entry.get("resultScore"), entry.get("resultMaximum")
        comment = entry.get("comment")
        if isinstance(score, Decimal):
            return LineItemResult(
                score=score,
                maximum=maximum if isinstance(maximum, Decimal) else Decimal(1),
                comment=comment if isinstance(comment, str) else "",
            )
    return None


def next_link(link_header: str) -> str | None:
    """Return the address of the next page from a Link header, None on the last page.

    Besides the standard form (RFC 8288) this reads typographic quotes and &amp;, as Moodle 4.5
    sends them, also when the HTTP library took the header's UTF-8 for Latin-1.
    """
    try:
        header = link_header.encode("latin-1").decode("utf-8")
    except ValueError:
        header = link_header
    for url, parameters in _LINK.findall(header):
        relation = _REL.search(parameters)
        if relation and "next" in (relation[1] or relation[2]).lower().split():
            return str(url).replace("&amp;", "&")
    return None


def _extended(line_item: str, suffix: str) -> str:
    path, mark, query = line_item.partition("#")[0].partition("?")
    return path.removesuffix("/") + suffix + mark + query


def _line_item(entry: object) -> LineItem | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
        return None
    names = ("resourceLinkId", "resourceId", "tag")
    # a number is what some databases call an id
    return LineItem(entry["id"], *(str(entry.get(name) or "") for name in names))


def _progress(moment: datetime, activity: str, grading: str) -> dict[str, object]:
    if activity not in get_args(Activity) or grading not in get_args(Grading):
        raise DeliveryRefused(f"no such progress: {activity!r:.40}, {grading!r:.40}")
    return {
        "timestamp": timestamp(moment),
        "activityProgress": activity,
        "gradingProgress": grading,
    }


def _submission(started_at: datetime | None, submitted_at: datetime | None) -> dict[str, object]:
    # Two clocks may have written these; a start after the end is left out, not sent.
    if started_at and submitted_at and started_at > submitted_at:
        started_at = None
    times = {"startedAt": started_at, "submittedAt": submitted_at}
    return {name: timestamp(moment) for name, moment in times.items() if moment}


def _maximum(maximum: Decimal | None) -> Decimal:
    if not maximum:
        raise DeliveryRefused("a score needs a maximum above zero")
    return _number(maximum, "the maximum")


def _number(value: Decimal, what: str) -> Decimal:
    if not value.is_finite() or value < 0:
        raise DeliveryRefused(f"{what} is {value}")
    return value


def _compact(members: Mapping[str, object]) -> str:
    return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in members.items()) + "}"


def _json(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")  # json would go through a binary float
    if isinstance(value, Mapping):
        return _compact(value)
    return json.dumps(value)
