"""A registration in its three shapes: out of a launch, for Prov's documents, and as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from lti_bridge.core.attempt.provider import Session, Sitting
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.errors import ConfigurationError
from lti_bridge.providers.addresses import is_safe
from lti_bridge.providers.contract import check_facts
from lti_bridge.providers.prov.errors import NoAppointment, NoExam
from lti_bridge.providers.prov.model import Candidate, Event, Registration, Scale
from lti_bridge.providers.prov.settings import ConnectionSettings

TEXTS = ("exam_code", "exam_name", "location_code")  # of an event; each may be a variable


def of_session(session: Session, settings: ConnectionSettings, now: datetime) -> Registration:
    """Who takes which exam where and when; raises NoAppointment when no time comes out."""
    activity, person, custom = session.settings, session.person, session.custom
    written: Any = custom.get("starts_at", "") if activity.starts_at else now
    texts = {name: custom.get(name, "") for name in TEXTS}
    try:
        event = Event(**texts, starts_at=written)
    except ValidationError as error:
        if any(problem["loc"] == ("exam_code",) for problem in error.errors()):
            raise NoExam("exam_code: no code came out of its variable") from None
        raise NoAppointment("starts_at: no time with its zone") from None
    by_attempt = settings.candidate_id == "attempt"
    candidate = Candidate(
        candidate_id=session.attempt_id if by_attempt else session.learner_id,
        given_name=person.given_name,
        family_name=person.family_name,
        email=person.email,
        address=session.custom.get("address", ""),
    )
    return Registration(
        attempt_id=session.attempt_id, candidate=candidate, event=event, scale=activity.scale
    )


def values(registration: Registration, settings: ConnectionSettings) -> dict[str, str]:
    """The values of the placeholders (settings.CANDIDATE, settings.EVENT)."""
    candidate, event = registration.candidate, registration.event
    centre = settings.centre(event.location_code)
    return {
        **candidate.model_dump(),
        "name": candidate.name,
        "exam_code": event.exam_code,
        "exam_name": event.exam_name,
        "location_code": event.location_code,
        "location_name": centre.name if centre else "",
        "location_address": centre.address if centre else "",
        "starts_at": event.starts_at.isoformat(),
        "starts_at_utc": event.moment,
        "date": event.starts_at.strftime("%Y-%m-%d"),
        "time": event.starts_at.strftime("%H:%M"),
        "attempt_id": registration.attempt_id,
    }


def kept(registration: Registration, settings: ConnectionSettings, url: str) -> dict[str, Any]:
    """What is stored; who it is for only where a file has to say it."""
    data = {
        "url": url,
        "candidate_id": registration.candidate.candidate_id,
        **registration.event.model_dump(mode="json"),
        **registration.scale.model_dump(mode="json"),
    }
    if not settings.base_url:
        data["candidate"] = registration.candidate.model_dump(mode="json")
    return data


def of_data(attempt_id: str, data: Mapping[str, Any], activity: Any) -> Registration:
    """The registration that was kept. The scale is that of the activity as it is set now."""
    return Registration(
        attempt_id=attempt_id,
        candidate=data.get("candidate") or Candidate(candidate_id=data["candidate_id"]),
        event=event_of(data),
        scale=scale_of(data, activity),
    )


def adopted(
    sitting: Sitting, settings: ConnectionSettings, facts: Mapping[str, str]
) -> dict[str, Any]:
    """What would have been kept of an event whose registration got no answer.

    Raises ConfigurationError when the activity is gone, or a fact is missing or wrong.
    """
    activity = sitting.settings
    if activity is None:
        raise ConfigurationError("the attempt's activity is no longer in the configuration")
    begin = {"starts_at": "when the exam begins, with its zone: 2026-11-22T18:00:00+01:00"}
    needs_time = variable_in(activity.starts_at)
    open_texts = {
        n: f"the {n} that Prov was sent" for n in TEXTS if variable_in(getattr(activity, n))
    }
    needed = {**(begin if needs_time else {}), **open_texts}
    check_facts(facts, needed, {"url": "the exam's page"})
    url = facts.get("url", "")
    if url and not is_safe(url):
        raise ConfigurationError("url must be an https:// address (http:// on this machine)")
    known: dict[str, Any] = {name: facts.get(name) or getattr(activity, name) for name in TEXTS}
    written = facts["starts_at"] if needs_time else activity.starts_at or sitting.started_at
    try:
        event = Event(**known, starts_at=written)
    except ValidationError:
        raise ConfigurationError(
            "starts_at is no time with its zone, or exam_code no code"
        ) from None
    by_attempt = settings.candidate_id == "attempt"
    candidate = Candidate(candidate_id=sitting.attempt_id if by_attempt else sitting.learner_id)
    registration = Registration(
        attempt_id=sitting.attempt_id, candidate=candidate, event=event, scale=activity.scale
    )
    return kept(registration, settings, url)


def event_of(data: Mapping[str, Any]) -> Event:
    """The event that was kept."""
    return Event(**{name: data[name] for name in Event.model_fields})


def scale_of(data: Mapping[str, Any], activity: Any) -> Scale:
    """The scale that the activity has now, else the one that was kept at the start."""
    if activity is not None:
        scale: Scale = activity.scale
        return scale
    return Scale(score_min=data["score_min"], score_max=data["score_max"])
