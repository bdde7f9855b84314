"""What Prov tells about an exam, read by configured paths, and the score it amounts to."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.records import AttemptState
from lti_bridge.providers.answers import decimal_of
from lti_bridge.providers.prov.client import text_of
from lti_bridge.providers.prov.model import HIGHEST, DomainScore, Result, Scale
from lti_bridge.providers.prov.settings import ConnectionSettings
from lti_bridge.providers.prov.templates import at

log = logging.getLogger("lti_bridge.prov")

_MOST_DOMAINS = 100


def in_message(document: Any, settings: ConnectionSettings) -> list[Result]:
    """The results in a message or an answer: one, or a list of them."""
    found = at(document, settings.result_list_path) if settings.result_list_path else document
    rows = found if isinstance(found, list) else [found]
    return [_result(row, settings) for row in rows if isinstance(row, dict)]


def report(result: Result, scale: Scale, attempt_id: str) -> Report:
    """The report of a result. A score outside its scale waits for a person."""
    told, state, score = kept(result), None, None
    if result.overall_score is not None:
        score = scale.score(result.overall_score)
        state = _state(score)
        if score is None:
            log.error("prov.score-outside-scale", extra={"attempt": attempt_id})
    event = event_of(told)
    return Report(attempt_id=attempt_id, state=state, score=score, event=event, raw=told)


def kept(result: Result) -> dict[str, str]:
    """What is stored of a result: no name, no candidate."""
    told = {"event_id": result.event_id, "exam_code": result.exam_code}
    if result.overall_score is not None:
        told["overall_score"] = str(result.overall_score)
    for number, domain in enumerate(result.domains):
        told[f"domain_{number}"] = f"{domain.domain}: {domain.score}"
    return told


def event_of(told: Mapping[str, str]) -> str:
    """The same for the same message."""
    said = json.dumps(dict(told), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _state(score: Score | None) -> AttemptState:
    return "graded" if score else "awaiting-marks"


def number_of(value: object) -> Decimal | None:
    """A number of sensible size, also one written as text; None for anything else."""
    number = decimal_of(value)
    return number if number is not None and abs(number) <= HIGHEST else None


def _result(row: dict[str, Any], settings: ConnectionSettings) -> Result:
    def text(path: str) -> str:
        return text_of(at(row, path)) if path else ""

    told = at(row, settings.result_score_path)
    overall = number_of(told)
    if overall is None and told not in (None, ""):
        log.error("prov.score-unusable")
    return Result(
        event_id=text(settings.result_event_id_path),
        candidate_id=text(settings.result_candidate_id_path),
        exam_code=text(settings.result_exam_code_path),
        overall_score=overall,
        domains=tuple(_domains(row, settings)),
    )


def _domains(row: dict[str, Any], settings: ConnectionSettings) -> list[DomainScore]:
    found = at(row, settings.result_domains_path) if settings.result_domains_path else None
    rows = found if isinstance(found, list) else []
    return [
        DomainScore(
            domain=str(at(one, settings.result_domain_path))[:100],
            score=number_of(at(one, settings.result_domain_score_path)),
        )
        for one in rows[:_MOST_DOMAINS]
    ]
