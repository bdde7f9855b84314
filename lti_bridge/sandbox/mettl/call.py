"""What every call to the pretend Mettl works with: the account, and lists in pages."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from lti_bridge.sandbox.mettl.signing import ApiError, signature
from lti_bridge.sandbox.mettl.state import Assessment, Attempt, Schedule, State

Row = TypeVar("Row")


@dataclass(frozen=True)
class Desk:
    """One account at one address. Calls hold `state.lock`."""

    state: State
    base_url: str

    def assessment(self, assessment_id: str) -> Assessment:
        """The assessment with this id. Raises ApiError."""
        for row in self.state.settings.assessments:
            if str(row.id) == assessment_id:
                return row
        raise ApiError("E000", "no such assessment")

    def schedule(self, access_key: str) -> Schedule:
        """The schedule with this access key. Raises ApiError."""
        if access_key not in self.state.schedules:
            raise ApiError("E000", "no such schedule")
        return self.state.schedules[access_key]

    def test_url(self, attempt: Attempt) -> str:
        """The personal test link."""
        return f"{self.base_url}/take/{attempt.token}"


@dataclass(frozen=True)
class Call:
    """A call whose signature was right: its own fields without ak, ts and asgn."""

    desk: Desk
    version: str
    url: str
    fields: Mapping[str, str]

    def document(self, name: str) -> dict[str, Any]:
        """A parameter that holds a JSON object. Raises ApiError."""
        try:
            found = json.loads(self.fields.get(name, ""))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ApiError("E000", f"{name} must be a JSON object")
        return found

    def flag(self, name: str) -> bool:
        """A parameter that is true or false. Raises ApiError."""
        value = self.fields.get(name, "false")
        if value not in ("true", "false"):
            raise ApiError("E000", f"{name} must be true or false")
        return value == "true"

    def number(self, name: str, default: int | None, low: int, high: int) -> int | None:
        """A whole number within limits. Raises ApiError."""
        text = self.fields.get(name)
        if text is None:
            return default
        if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ApiError("E000", f"{name} must be from {low} to {high}")
        return int(text)


def page(
    call: Call, rows: Sequence[Row], orders: Mapping[str, Callable[[Row], Any]]
) -> tuple[list[Row], dict[str, str | None]]:
    """One page of a list, with ready-signed addresses of its neighbours. Raises ApiError."""
    limit = call.number("limit", 20, 1, 100) or 20
    offset = call.number("offset", 0, 0, 10**9) or 0
    sort, order = call.fields.get("sort", next(iter(orders))), call.fields.get("sort_order", "asc")
    if sort not in orders or order not in ("asc", "desc"):
        raise ApiError("E000", "unknown sort or sort_order")
    ordered = sorted(rows, key=orders[sort], reverse=order == "desc")
    more, before = offset + limit < len(ordered), max(0, offset - limit)
    return ordered[offset : offset + limit], {
        "next": _signed_url(call, limit, offset + limit) if more else None,
        "previous": _signed_url(call, limit, before) if offset else None,
    }


def _signed_url(call: Call, limit: int, offset: int) -> str:
    settings = call.desk.state.settings
    query = {**call.fields, "limit": str(limit), "offset": str(offset)}
    query |= {"ak": settings.public_key, "ts": str(int(time.time()))}
    query["asgn"] = signature(call.version, settings.private_key, "GET", call.url, query)
    return f"{call.url}?{urlencode(query)}"
