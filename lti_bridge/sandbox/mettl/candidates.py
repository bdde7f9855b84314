"""Candidates of a schedule at the pretend Mettl: register, list, read the result, delete it."""

import base64
import binascii
import re
import secrets
import time
from typing import Any

from lti_bridge.sandbox.mettl import result
from lti_bridge.sandbox.mettl.call import Call, page
from lti_bridge.sandbox.mettl.schedules import is_invited
from lti_bridge.sandbox.mettl.signing import ApiError
from lti_bridge.sandbox.mettl.state import (
    COMPLETED,
    EMAIL,
    FIRST_NAME,
    Attempt,
    Schedule,
    missing_fields,
)

_BATCH = 20
_IMAGE_STARTS = (b"\x89PNG", b"\xff\xd8\xff")
_MESSAGES = {
    "ToBeTaken": "successfully registered for the test",
    "InProgress": "has started the test",
    "Completed": "has already taken the test",
}


def register(call: Call, access_key: str) -> dict[str, Any]:
    """POST schedules/{access-key}/candidates: a personal link for each, and none on E607."""
    schedule = call.desk.schedule(access_key)
    people, extras = _read(call)
    allow_missing = call.flag("allowMissingMandatoryRegistrationFields")
    limit_s = call.number("timeLimitInSec", None, 1, 10**9)
    instructions = call.flag("showCustomInstructions")
    problems = [_problem(schedule, person, allow_missing) for person in people]
    good = {p[EMAIL].lower() for p, problem in zip(people, problems, strict=True) if not problem}
    state = call.desk.state
    if sum(not state.attempt(schedule, email) for email in good) > state.credits:
        raise ApiError("E607")
    answers = []
    for person, problem in zip(people, problems, strict=True):
        if problem:
            # How the real one words this is unknown; without a url nobody can start.
            answers.append({"email": person.get(EMAIL), "status": "Failed", "message": problem})
            continue
        attempt = _attempt(call, schedule, person, extras.get(person[EMAIL].lower(), {}))
        attempt.expires = time.time() + limit_s if limit_s else attempt.expires
        attempt.instructions = instructions
        answers.append(_registered(call, attempt))
    return {"registrationStatus": answers}


def candidates(call: Call, access_key: str) -> dict[str, Any]:
    """GET schedules/{access-key}/candidates."""
    found = call.desk.state.attempts_of(call.desk.schedule(access_key))
    orders = {
        "testStartTime": lambda a: (a.started or 0, a.created),
        "name": lambda a: str(a.registration[FIRST_NAME]).lower(),
    }
    rows, paging = page(call, found, orders)
    return {"candidates": [result.candidate(call.desk, a) for a in rows], "paging": paging}


def candidate(call: Call, access_key: str, email: str) -> dict[str, Any]:
    """GET schedules/{access-key}/candidates/{email}."""
    return {"candidate": result.candidate(call.desk, _find(call, access_key, email))}


def delete(call: Call, access_key: str, email: str) -> dict[str, Any]:
    """DELETE …/candidates/{email}: only a finished or expired test; then a new one may start."""
    attempt = _find(call, access_key, email)
    if attempt.status != COMPLETED and not attempt.expired:
        raise ApiError("E000", "the test is neither completed nor expired")
    del call.desk.state.attempts[attempt.candidate_instance_id]
    return {}


def _find(call: Call, access_key: str, email: str) -> Attempt:
    attempt = call.desk.state.attempt(call.desk.schedule(access_key), email)
    if not attempt:
        raise ApiError("E000", "no such candidate in this schedule")
    return attempt


def _read(call: Call) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The people of `rd`, and its optional parameters by address in small letters."""
    rd = call.document("rd")
    people, extras = rd.get("registrationDetails"), rd.get("optionalParams", [])
    for rows in (people, extras):
        if not isinstance(rows, list) or len(rows) > _BATCH:
            raise ApiError("E000", f"rd takes lists of up to {_BATCH} candidates")
        if not all(isinstance(row, dict) for row in rows):
            raise ApiError("E000", "rd takes lists of objects")
    if not people:
        raise ApiError("E000", "registrationDetails is needed")
    by_email = {str(row.get("email", "")).lower(): row for row in extras}
    if not by_email.keys() <= {str(person.get(EMAIL, "")).lower() for person in people}:
        raise ApiError("E000", "optionalParams names an address that is not being registered")
    if not all(isinstance(row.get("context_data", ""), str) for row in extras):
        raise ApiError("E000", "context_data must be a string")
    for person in people:
        _check_images(call.desk.state.settings.image_fields, person)
    return people, by_email


def _check_images(names: tuple[str, ...], person: dict[str, Any]) -> None:
    for name in names:
        try:
            if name in person and not base64.b64decode(str(person[name]), validate=True).startswith(
                _IMAGE_STARTS
            ):
                raise ApiError("E028", name)
        except binascii.Error as error:
            raise ApiError("E028", name) from error


def _problem(schedule: Schedule, person: dict[str, Any], allow_missing: bool) -> str:
    """Why this person cannot be registered; empty when nothing is wrong."""
    missing = missing_fields(schedule, person)
    always = [name for name in (EMAIL, FIRST_NAME) if name in missing]
    if always or (missing and not allow_missing):
        return f"Mandatory field is missing: {(always or missing)[0]}"
    email = person[EMAIL]
    if not (isinstance(email, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", email)):
        return "Email Address is invalid"
    return "" if is_invited(schedule, email) else "Candidate is not invited"


def _attempt(
    call: Call, schedule: Schedule, person: dict[str, Any], extra: dict[str, Any]
) -> Attempt:
    """The attempt of this address in this schedule; a new one takes a credit."""
    state = call.desk.state
    known = state.attempt(schedule, person[EMAIL])
    if known:
        return known
    attempt = Attempt(
        candidate_instance_id=state.next_id(),
        schedule=schedule,
        token=secrets.token_urlsafe(24),
        email=person[EMAIL],
        registration=person,
        optional=extra,
    )
    state.credits -= 1
    state.attempts[attempt.candidate_instance_id] = attempt
    return attempt


def _registered(call: Call, attempt: Attempt) -> dict[str, Any]:
    return {
        "email": attempt.email,
        "status": attempt.status,
        "message": f"Candidate ('{attempt.email}') {_MESSAGES[attempt.status]}",
        "url": call.desk.test_url(attempt),
    }
