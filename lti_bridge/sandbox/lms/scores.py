"""Reads one AGS score message; stricter than Moodle where the specification is."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lti_bridge.sandbox.lms.course import User

_ACTIVITY = ("Initialized", "Started", "InProgress", "Submitted", "Completed")
_GRADING = ("FullyGraded", "Pending", "PendingManual", "Failed", "NotReady")


@dataclass(frozen=True)
class Score:
    """A good score message: `part` of the maximum (None clears), `stamp` in whole seconds."""

    user_id: str
    part: Decimal | None
    comment: str
    stamp: int
    logged: str
    pending: bool


def read(body: bytes, find_user: Callable[[str], User | None]) -> Score:
    """Check a message (AGS section 3.4). Raises ValueError naming the field that is wrong."""
    sent = json.loads(body, parse_float=Decimal)
    if not isinstance(sent, dict):
        raise ValueError("not an object")
    user = find_user(str(sent.get("userId", "")))
    if user is None or user.teacher or sent["userId"] != user.id:
        raise ValueError("userId")
    if sent.get("activityProgress") not in _ACTIVITY:
        raise ValueError("activityProgress")
    if sent.get("gradingProgress") not in _GRADING:
        raise ValueError("gradingProgress")
    comment = sent.get("comment") or ""
    if not isinstance(comment, str):
        raise ValueError("comment")
    part, logged = _part(sent)
    pending = sent["gradingProgress"] in ("Pending", "PendingManual")
    stamp = moment(sent.get("timestamp"))
    return Score(user.id, part, comment.strip(), stamp, logged, pending)


def number(value: Any) -> Decimal | None:
    """A JSON number as it was written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(str(value))
    return exact if exact.is_finite() else None


def _part(sent: dict[str, Any]) -> tuple[Decimal | None, str]:
    maximum, given = number(sent.get("scoreMaximum")), number(sent.get("scoreGiven"))
    if sent.get("scoreGiven") is None:
        return None, sent["gradingProgress"]
    if maximum is None or maximum <= 0:
        raise ValueError("scoreMaximum")
    if given is None or given < 0:
        raise ValueError("scoreGiven")
    logged = f"{given}/{maximum}"
    return (given / maximum if sent["gradingProgress"] == "FullyGraded" else None), logged


def moment(text: Any, *, zoned: bool = True) -> int:
    """A time in whole seconds; a zone may have to be said. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("timestamp") from error
    if moment.tzinfo is None and zoned:
        raise ValueError("timestamp has no zone")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def exact(text: Any) -> float:
    """A time to its fractions of a second, with a zone. Raises ValueError."""
    moment(text)
    return datetime.fromisoformat(text).timestamp()
