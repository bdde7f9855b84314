"""What iTEP tells about a test, as a report on our attempt, and what it means for its grade.

iTEP has two vocabularies of states, an older and a newer one; both are understood. The overall
level goes from 0 to 6.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.attempt.states import CLOSED
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.records import Attempt, AttemptState
from lti_bridge.errors import OutcomeRefused

log = logging.getLogger("lti_bridge.itep")

TOP_LEVEL = Decimal(6)
COMPLETE, PROBLEM = (
    frozenset({"Complete", "Completed"}),
    frozenset({"Problem", "Technical Difficulty"}),
)
LOOKED_INTO = PROBLEM | {"Review"}  # until iTEP says something else
STATES: Mapping[str, AttemptState] = MappingProxyType(
    {
        "Ready": "started",  # a test that was reset: its candidate may take it again
        "Incomplete": "started",
        "Started": "started",
        "Finished": "finished",
        "Review": "awaiting-marks",
        "Complete": "graded",
        "Completed": "graded",
        "Invalidated": "invalidated",
        "Disabled": "invalidated",
        "Problem": "awaiting-marks",
        "Technical Difficulty": "awaiting-marks",
    }
)
HANDED_IN = CLOSED | {"finished", "awaiting-marks", "held"}
_KEPT = re.compile(
    r"TestID|Status|Duration|Test(Date|Month|Day|Year)|Overall_cefr|[A-Za-z]{1,30}_(Level|Score)"
)
_LONGEST = 60  # fields kept of one result


def score_of(level: object) -> Score | None:
    """The score for an overall level, also one written as text; None when it is none."""
    if isinstance(level, bool) or not isinstance(level, int | Decimal | str):
        return None
    try:
        given = Decimal(level)
        return Score(given, TOP_LEVEL) if 0 <= given <= TOP_LEVEL else None
    except (InvalidOperation, OutcomeRefused):
        return None


def read(attempt_id: str, data: Mapping[str, Any]) -> Report:
    """The report of one web-hook. `raw` leaves out names and the address of iTEP's report."""
    raw = {name: str(data[name])[:100] for name in data if _KEPT.fullmatch(name)}
    raw = dict(list(raw.items())[:_LONGEST])
    status = str(data.get("Status", ""))
    facts = {"attempt": attempt_id, "status": ascii(status)[:40]}
    state, score = STATES.get(status), None
    if state is None:
        log.warning("itep.unknown-status", extra=facts)
    if status in PROBLEM:
        log.warning("itep.technical-problem", extra=facts)
    if state == "graded":
        score = score_of(data.get("Overall_Level"))
        if score is None:
            log.error("itep.grade-unusable", extra=facts)
            state = "awaiting-marks"
    said = json.dumps([attempt_id, raw], sort_keys=True)
    event = hashlib.sha256(said.encode()).hexdigest()[:32]
    # an ID may be given out again, so that the OID says whose result it is; both have to fit
    named = {"reference": raw["TestID"].strip()} if raw.get("TestID") else {}
    held = f"iTEP says {status}" if status in LOOKED_INTO else ""
    return Report(
        attempt_id, state=state, score=score, event=event, raw=raw, named=named, held=held
    )


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides what a report means for an attempt as it stands.

    The numbers count how often an attempt was reset: what is said after a reset is news, even
    when it was said before with the same words.
    """

    clear_on_invalidation: bool
    next_number: Callable[[str], int]
    last_number: Callable[[str], int]

    def judge(self, attempt: Attempt, report: Report) -> Report:
        """The report as it counts. Only a new level or an invalidation changes a grade."""
        facts = {"attempt": attempt.id, "state": attempt.state}
        resets = f"resets:{attempt.id}"
        if report.state == "started" and attempt.state in HANDED_IN:
            log.warning("itep.reset", extra=facts)
            event = f"{report.event}-{self.next_number(resets)}"
            return replace(report, score=attempt.score, event=event)
        report = replace(report, event=f"{report.event}-{self.last_number(resets)}")
        if report.state == "graded":
            return report
        if report.state == "invalidated":
            return self._invalidated(attempt, report)
        if attempt.state in CLOSED:  # a late "Finished"
            return replace(report, state=None)
        return report if report.held else replace(report, score=attempt.score)

    def _invalidated(self, attempt: Attempt, report: Report) -> Report:
        if attempt.score is None or self.clear_on_invalidation:
            return report
        log.error("itep.invalidated-after-grade", extra={"attempt": attempt.id})
        return replace(report, score=attempt.score)
