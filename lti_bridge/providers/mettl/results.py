"""What Mettl tells about a candidate, as a report on our attempt.

The score is totalMarks out of maxMarks, from nothing to all of them. `percentile` is a rank
among all candidates and is never used. No other status than Completed with marks is final: tests
can be resumed and marked again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from lti_bridge.core.attempt.provider import Report, Sitting
from lti_bridge.core.attempt.states import CLOSED
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.records import AttemptState
from lti_bridge.errors import OutcomeRefused

COMPLETED, IN_PROGRESS = "Completed", "InProgress"
# An attempt in these states is over here: only marks change it again. It would otherwise lose
# its grade, or be opened beside the next attempt, while a resumed test is under way.
# How a test ends that nobody stopped: support.mettl.com, "results dashboard status details",
# read 2026-11. The page goes on with words for tests that were stopped; whatever is not here, is.
CLEAN = frozenset({"", "completed", "test-taker completed", "time over", "access expired"})
_STATUS = ("status", "overallStatus", "detailedStatus", "completionMode")
_TIMES = ("start_time_GMT", "end_time_GMT")  # the others name zones that cannot be told apart
_MARKS = ("totalMarks", "maxMarks", "percentile", "attemptTime")


def read(sitting: Sitting, candidate: Mapping[str, Any]) -> Report:
    """How the candidate's test stands. `raw` leaves out names, addresses and report links."""
    status = _object(candidate.get("testStatus"))
    result = _object(status.get("result"))
    score = _score(result) if status.get("status") == COMPLETED else None
    state = _state(status.get("status"), score)
    held = _held(status, result) if state in ("graded", "awaiting-marks") else ""
    if score is None and (sitting.state in CLOSED or (sitting.state == "held" and not held)):
        state = None
    raw = {name: str(status.get(name))[:100] for name in (*_STATUS, *_TIMES)}
    raw |= {name: str(result.get(name))[:40] for name in _MARKS}
    raw["candidateCredibilityIndex"] = str(result.get("candidateCredibilityIndex"))[:40]
    event = hashlib.sha256(json.dumps([sitting.reference, raw]).encode()).hexdigest()[:32]
    return Report(sitting.attempt_id, sitting.reference, state, score, event, raw, held=held)


def _held(status: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Why a completed test waits for a person; empty when nothing is said against it."""
    words = [_word(status.get(name)) for name in ("overallStatus", "detailedStatus")]
    told = [word for word in words if word.casefold() not in CLEAN]
    if not told:
        return ""
    index = _word(result.get("candidateCredibilityIndex"))
    return f"Mettl says {', '.join(told)}" + (f"; credibility {index}" if index else "")


def _word(value: object) -> str:
    """A short text of Mettl's without what steers a terminal."""
    text = value.strip() if isinstance(value, str) else ""
    return "".join(one if one.isprintable() else "?" for one in text[:80])


def _state(status: object, score: Score | None) -> AttemptState | None:
    if status == COMPLETED:
        return "graded" if score else "awaiting-marks"
    return "started" if status == IN_PROGRESS else None


def _score(result: Mapping[str, Any]) -> Score | None:
    """Negative marking can end below zero, which no gradebook takes; that is zero."""
    given, maximum = _decimal(result.get("totalMarks")), _decimal(result.get("maxMarks"))
    if given is None or maximum is None:
        return None
    try:
        return Score(min(max(given, Decimal(0)), maximum), maximum)
    except OutcomeRefused:
        return None


def _decimal(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
