"""A test at the pretend Mettl from start to marks, and the web-hooks it sends on the way."""

import json
import time
from collections.abc import Mapping
from typing import Any

from lti_bridge.sandbox import hooks
from lti_bridge.sandbox.mettl import result as mettl_result
from lti_bridge.sandbox.mettl.call import Desk
from lti_bridge.sandbox.mettl.state import FIRST_NAME, HOOKS, Attempt, Result

_EVENTS = {"start": "startAssessment", "finish": "finishTest", "graded": "gradedAssessment"}


def start(
    desk: Desk, attempt: Attempt, filled: Mapping[str, str] | None = None, silent: bool = False
) -> None:
    """Start a test, with the registration fields that were still missing; once."""
    with desk.state.lock:
        if attempt.started:
            return
        attempt.started = time.time()
        attempt.registration = {**attempt.registration, **(filled or {})}
    _notify(desk, attempt, "start", silent)


def hand_in(desk: Desk, attempt: Attempt, result: Result, silent: bool = False) -> bool:
    """End a test as its candidate does; False when it had ended before.

    A test that a person marks waits for `grade`, and `result` here counts for nothing.
    """
    start(desk, attempt, silent=silent)
    with desk.state.lock:
        if attempt.ended:
            return False
        attempt.ended = time.time()
    _notify(desk, attempt, "finish", silent)
    if not attempt.schedule.assessment.manual:
        grade(desk, attempt, result, silent)
    return True


def grade(desk: Desk, attempt: Attempt, result: Result, silent: bool = False) -> None:
    """Give a finished test its marks, or other ones."""
    with desk.state.lock:
        attempt.result = result
    _notify(desk, attempt, "graded", silent)


def _notify(desk: Desk, attempt: Attempt, event: str, silent: bool) -> None:
    url = attempt.schedule.details.get(HOOKS[event])
    if silent or not url:
        return
    with desk.state.lock:
        body = json.dumps(_body(desk, attempt, event, url))
    row = hooks.post(url, body, "application/json", {})
    with desk.state.lock:
        desk.state.hooks.append({"event": _EVENTS[event], **row})


def _body(desk: Desk, attempt: Attempt, event: str, url: str) -> dict[str, Any]:
    # The real one names this field differently in the last event.
    assessment_id = "assessmentId" if event == "graded" else "assessment_id"
    body: dict[str, Any] = {
        "EVENT_TYPE": _EVENTS[event],
        "invitation_key": attempt.schedule.access_key,
        assessment_id: attempt.schedule.assessment.id,
        "candidate_instance_id": attempt.candidate_instance_id,
        "context_data": attempt.context_data,
        "timestamp_GMT": mettl_result.gmt(time.time()),
        "source_app": attempt.schedule.details["sourceApp"],
        "notification_url": url,
        "name": f"{attempt.registration[FIRST_NAME]} ",  # a blank is seen there
        "email": attempt.email,
    }
    if event != "start":
        body["finish_mode"] = "NormalSubmission"
    if event == "graded" and attempt.result:
        body |= _graded(desk, attempt, attempt.result)
    return body


def _graded(desk: Desk, attempt: Attempt, result: Result) -> dict[str, Any]:
    sections = [
        {"sectionName": name, "sectionScore": marks, "sectionMaxScore": top}
        for name, marks, top in result.sections
    ]
    return {
        "start_time_GMT": mettl_result.gmt(attempt.started),
        "end_time_GMT": mettl_result.gmt(attempt.ended),
        "start_time": mettl_result.ist(attempt.started),
        "end_time": mettl_result.ist(attempt.ended),
        "total_attempt_time": mettl_result.attempt_time(attempt),
        "marks_scored": result.total_marks,
        "max_marks": result.max_marks,
        "percentile": result.percentile,
        "assessment_name": attempt.schedule.assessment.name,
        "schedule_title": attempt.schedule.details["name"],
        "client_id": 1,
        "grading_type": "NormalGrading",
        "sectional_scores": json.dumps(sections),
        "registrationDetails": attempt.registration,
        "proctoringDetails": None,
        "testStatus": mettl_result.test_status(desk, attempt),
    }
