"""How values look in the database: times in milliseconds, scores as exact text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import GradeTarget, Once
from lti_bridge.core.records import Attempt, Delivery, GradeCell, OfCell

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MAX_TOLD = 20


def ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware time."""
    return (moment - EPOCH) // MILLISECOND


def moment(milliseconds: int) -> datetime:
    """The aware UTC time of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def score(given: str | None, maximum: str | None) -> Score | None:
    """The score of two text columns; None when there is none."""
    if given is None or maximum is None:
        return None
    return Score(Decimal(given), Decimal(maximum))


def score_columns(value: Score | None, prefix: str = "") -> dict[str, str | None]:
    """The two text columns of a score."""
    given, maximum = (_plain(value.given), _plain(value.maximum)) if value else (None, None)
    return {f"{prefix}given": given, f"{prefix}maximum": maximum}


def wanted(given: str | None, maximum: str | None, awaiting: str) -> str:
    """What an LMS is to show, for people."""
    if given is not None:
        return f"{given}/{maximum}"
    return "being marked" if awaiting else "cleared"


def attempt(row: Any) -> Attempt:
    """The attempt of a row selected with attempts.ATTEMPT_COLUMNS.

    They begin in the order of its fields.
    """
    reference, data, changed_at, given, maximum, held, *aside = row[8:]
    told = (reference, json.loads(data), moment(changed_at), held, score(*aside))
    return Attempt(*(*row[:8], score(given, maximum), *told))


def cell(found: Sequence[Any]) -> tuple[GradeCell, list[Attempt]]:
    """The gradebook cell of rows selected with attempts.CELL_COLUMNS, and its attempts, by number.

    There is a row for each attempt, or one without any.
    """
    link_id, learner_id, version, given, maximum, awaiting, *target = found[0][:11]
    outcome_url, sourced_id, line_item, line_items, scopes = target
    dated = [(attempt(row[11:-2]), *row[-2:]) for row in found if row[11] is not None]
    kept = GradeCell(
        link_id=link_id,
        learner_id=learner_id,
        version=version,
        score=score(given, maximum),
        awaiting=awaiting,
        target=GradeTarget(outcome_url, sourced_id, line_item, line_items, tuple(scopes.split())),
        attempts=tuple([_of_cell(*one) for one in dated]),
    )
    return kept, [one for one, *_ in dated]


def _of_cell(one: Attempt, scored_at: int | None, is_open: int) -> OfCell:
    since = None if scored_at is None else moment(scored_at)
    return OfCell(one.id, one.number, one.state, one.score, since, bool(is_open))


def once_columns(once: Once) -> dict[str, Any]:
    """The columns of a value that may be used once."""
    return {
        "scope": once.scope,
        "value": once.value,
        "expires_at": ms(once.expires_at),
        "used_at": ms(once.at) if once.at else 0,
        "browser": once.browser,
        "message": once.message,
    }


def target_columns(target: GradeTarget) -> dict[str, str]:
    """The columns of a grade target; scopes are joined by blanks, as OAuth writes them."""
    return {
        "outcome_url": target.outcome_url,
        "sourced_id": target.sourced_id,
        "line_item": target.line_item,
        "line_items": target.line_items,
        "scopes": " ".join(target.scopes),
    }


def told(row: Any, *, wanted: bool) -> tuple[str, ...]:
    """The values that the LMS may hold from us; with the one that it is to get now, if `wanted`.

    A lost answer may hide which of them it has taken.
    """
    values = dict.fromkeys(row.told.split())
    if wanted:
        text = "-" if row.given is None else f"{row.given}/{row.maximum}"
        values.pop(text, None)
        values[text] = None
    return tuple(values)[-MAX_TOLD:]


def unanswered(row: Any) -> tuple[str, ...]:
    """The values of requests whose end nobody knows, of a grade that is claimed.

    Whoever had it, and lost the lease without a word, may have sent what was told last.
    """
    known = row.unanswered.split()
    return (*known, *(row.told.split()[-1:] if row.lease else ()))[-MAX_TOLD:]


def delivery(row: Any, lease: str, stamp: int, told: tuple[str, ...]) -> Delivery:
    """The delivery of a grade row that `lease` has just claimed."""
    delivered_at, submitted = row.delivered_at, row.submitted
    return Delivery(
        grade_id=row.id,
        version=row.version,
        score=score(row.given, row.maximum),
        registration=row.registration,
        deployment_id=row.deployment_id,
        user_id=row.user_id,
        target=GradeTarget(
            row.outcome_url,
            row.sourced_id,
            row.line_item,
            row.line_items,
            tuple(row.scopes.split()),
        ),
        stamp=moment(stamp),
        tries=row.tries,
        lease=lease,
        later_stamp=row.stamp_version == -row.version,
        told=told,
        delivered_before=delivered_at is not None,
        family=row.family,
        activity_id=row.activity_id,
        submitted_at=None if submitted is None else moment(submitted),
        submission_known=None not in (delivered_at, submitted) and submitted <= delivered_at,
        forced=row.forced_version == row.version,
        reads=row.reads,
        awaiting=row.awaiting,
        departed=bool(row.departed),
        shared=bool(row.shared),
        unanswered=unanswered(row),
    )


def _plain(value: Decimal) -> str:
    """One text for equal numbers: 0.50 given again as 0.5 is no news for a gradebook."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
