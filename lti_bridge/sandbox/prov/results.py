"""The results of the pretend Prov: kept, told when asked, and pushed where a URL is set."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lti_bridge.sandbox import hooks
from lti_bridge.sandbox.exam import Section
from lti_bridge.sandbox.prov.state import Event, State


def of_sections(state: State, sections: Sequence[Section]) -> tuple[float, dict[str, float]]:
    """Overall score and domain scores for answered questions, all up to `max_score`."""
    top = state.settings.max_score
    share = sum(s.marks for s in sections) / sum(s.max_marks for s in sections)
    return round(top * share, 2), {s.name: round(top * s.marks / s.max_marks, 2) for s in sections}


def hand_in(state: State, event: Event, score: float, domains: Mapping[str, float]) -> None:
    """Take a candidate's own answers, once, and score them unless Prov's staff does."""
    with state.lock:
        if event.handed_in:
            return
        event.handed_in = True
    if not state.settings.scored_later:
        finish(state, event, score, domains)


def finish(state: State, event: Event, score: float, domains: Mapping[str, float]) -> None:
    """Keep a score, or another one, and push it."""
    with state.lock:
        event.handed_in, event.score, event.domains = True, score, dict(domains)
        body = json.dumps(told(state, event))
    if state.settings.results_url:
        row = hooks.post(state.settings.results_url, body, "application/json", {})
        with state.lock:
            state.hooks.append(row)


def told(state: State, event: Event) -> dict[str, Any]:
    """The result as the customer gets it; without scores until there are any."""
    names = state.settings.names
    told: dict[str, Any] = {
        names.candidate_name: state.candidate_name(event),
        names.candidate_id: event.sent[names.candidate_id],
        names.exam_name: event.sent.get(names.exam_name, ""),
        names.exam_code: event.sent[names.exam_code],
    }
    if names.event_id:
        told[names.event_id] = event.event_id
    if event.score is not None:
        told[names.overall_score] = event.score
        told[names.domains] = [
            {names.domain: name, names.domain_score: score} for name, score in event.domains.items()
        ]
    return told
