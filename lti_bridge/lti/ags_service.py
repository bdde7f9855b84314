"""Assignment and Grade Services 2.0 as a platform reads and writes them: pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from lti_bridge.errors import BadRequest
from lti_bridge.lti.ags import Activity, Grading
from lti_bridge.lti.claims import is_empty

MAX_LABEL = 1000  # characters
MAX_ID = 256  # characters of resourceId and tag (AGS OpenAPI)
MAX_COMMENT = 10_000  # characters
MAX_PAGE = 100  # entries

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ACTIVITIES, _GRADINGS = get_args(Activity), get_args(Grading)
_DIGITS = 40  # beyond these and _FAR a number is no score but an attempt to exhaust memory
_FAR = 50  # powers of ten
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{1,12})?)?(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII
)
# What a database or an XML answer cannot hold: NUL and lone surrogates.
_UNFIT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Definition:
    """A line item as a tool writes it. `more` are the further members that are kept as they are."""

    label: str
    maximum: Decimal
    resource_id: str
    tag: str
    resource_link_id: str
    more: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Posted:
    """A score as a tool posts it; `at`, `started_at`, `submitted_at` are microseconds since 1970.

    `given` None: no score.
    """

    user_id: str
    at: int
    activity: Activity
    grading: Grading
    given: Decimal | None
    maximum: Decimal | None
    comment: str
    scoring_user_id: str
    started_at: int | None
    submitted_at: int | None

    @property
    def content(self) -> str:
        """A text that is equal for two posts that say the same."""
        said = [getattr(self, name) for name in self.__slots__]
        return hashlib.sha256(json.dumps(said, default=_plain).encode()).hexdigest()


def parse_line_item(body: bytes) -> Definition:
    """Read a line item (AGS section 3.2); BadRequest for anything that it does not allow.

    Unknown members, such as extensions named by URLs, are accepted and left out.
    """
    members = _members(body)
    label = _text(members, "label", MAX_LABEL).strip()
    if not label:
        raise BadRequest("label is missing or blank")
    more: dict[str, object] = {}
    for name in ("startDateTime", "endDateTime"):
        if members.get(name) is not None:
            more[name] = members[name]
            instant(members[name], name)
    released = members.get("gradesReleased")
    if released is not None:
        if not isinstance(released, bool):
            raise BadRequest("gradesReleased is not a boolean")
        more["gradesReleased"] = released
    return Definition(
        label=label,
        maximum=_maximum(members.get("scoreMaximum")),
        resource_id=_text(members, "resourceId", MAX_ID),
        tag=_text(members, "tag", MAX_ID),
        resource_link_id=_text(members, "resourceLinkId", MAX_ID),
        more=more,
    )


def parse_score(body: bytes) -> Posted:
    """Read a score (AGS section 3.4); BadRequest for anything that it does not allow.

    A `scoreGiven` above the maximum is extra credit and stays as it is (section 3.4.4).
    """
    members = _members(body)
    user_id = _text(members, "userId", MAX_ID)
    if not user_id:
        raise BadRequest("userId is missing")
    given = members.get("scoreGiven")
    started_at, submitted_at = _submission(members.get("submission"))
    return Posted(
        user_id=user_id,
        at=instant(members.get("timestamp"), "timestamp"),
        activity=_one_of(members, "activityProgress", _ACTIVITIES),
        grading=_one_of(members, "gradingProgress", _GRADINGS),
        given=None if given is None else _number(given, "scoreGiven"),
        maximum=_score_maximum(members, given is not None),
        comment=_text(members, "comment", MAX_COMMENT).strip(),
        scoring_user_id=_scorer(members),
        started_at=started_at,
        submitted_at=submitted_at,
    )


def instant(value: object, name: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time with a zone; BadRequest for anything else.

    Equal instants are equal whatever their zone and precision (AGS section 3.4.9.1).
    """
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise BadRequest(f"{name} is not an ISO 8601 time with a zone")
    try:
        return (datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND
    except ValueError:
        raise BadRequest(f"{name} is no point in time") from None


def parse_limit(values: list[str]) -> int:
    """How many entries a page may have: what was asked for, MAX_PAGE at most.

    Raises BadRequest for anything but one whole number above zero.
    """
    if not values:
        return MAX_PAGE
    if len(values) > 1 or not re.fullmatch("[0-9]{1,9}", values[0]) or int(values[0]) == 0:
        raise BadRequest("limit is not one whole number above zero")
    return min(int(values[0]), MAX_PAGE)


def query_value(values: list[str], name: str) -> str:
    """The one value of a filter, empty when it was not given; BadRequest for several."""
    if len(values) > 1 or any(_UNFIT.search(value) for value in values):
        raise BadRequest(f"{name} is given twice, or cannot be read")
    return values[0] if values else ""


def written(value: object) -> str:
    """Compact JSON with exact decimals: Python's own goes through a binary float."""
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def _members(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_no_number,
            object_pairs_hook=_without_repetition,
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise BadRequest("the body is not clean JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return _sensible(value)


def _sensible(members: dict[str, Any]) -> dict[str, Any]:
    """The members, none of which may hold a number that would fill the memory when written."""
    pending: list[Any] = [members]
    while pending:
        value = pending.pop()
        if isinstance(value, Decimal):
            _check_size(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return members


def _check_size(value: Decimal) -> None:
    digits, exponent = value.as_tuple()[1:]
    # NaN and Infinity have a letter for an exponent; parse_constant has refused them already
    if isinstance(exponent, str) or len(digits) > _DIGITS or abs(exponent) > _FAR:
        raise BadRequest("a number has too many digits")


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _text(members: Mapping[str, Any], name: str, limit: int) -> str:
    value = members.get(name)
    if is_empty(value):
        return ""
    if not isinstance(value, str) or len(value) > limit or _UNFIT.search(value):
        raise BadRequest(f"{name} is not a text of at most {limit} characters")
    return value


def _number(value: object, name: str) -> Decimal:
    if not isinstance(value, Decimal) or value < 0:
        raise BadRequest(f"{name} is not a number of zero or more")
    return abs(value)  # minus zero is zero


def _maximum(value: object) -> Decimal:
    maximum = _number(value, "scoreMaximum")
    if maximum == 0:
        raise BadRequest("scoreMaximum is not above zero")
    return maximum


def _score_maximum(members: Mapping[str, Any], needed: bool) -> Decimal | None:
    value = members.get("scoreMaximum")
    if value is None and needed:
        raise BadRequest("scoreGiven without scoreMaximum")
    return None if value is None else _maximum(value)


def _one_of(members: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> Any:
    value = members.get(name)
    if value not in allowed:
        raise BadRequest(f"{name} is missing or none of {', '.join(allowed)}")
    return value


def _scorer(members: Mapping[str, Any]) -> str:
    scorer = _text(members, "scoringUserId", MAX_ID)
    if members.get("scoringUserId") is not None and not scorer:
        raise BadRequest("scoringUserId is empty")
    return scorer


def _submission(value: object) -> tuple[int | None, int | None]:
    if is_empty(value):
        return None, None
    if not isinstance(value, dict):
        raise BadRequest("submission is not an object")
    started_at, submitted_at = (
        None if value.get(name) is None else instant(value[name], name)
        for name in ("startedAt", "submittedAt")
    )
    if started_at is not None and submitted_at is not None and submitted_at < started_at:
        raise BadRequest("submittedAt is earlier than startedAt")
    return started_at, submitted_at


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
