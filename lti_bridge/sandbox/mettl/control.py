"""The strings a test pulls at the pretend Mettl: acts without a person."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox import exam
from lti_bridge.sandbox.mettl import flow
from lti_bridge.sandbox.mettl import result as mettl_result
from lti_bridge.sandbox.mettl.call import Desk
from lti_bridge.sandbox.mettl.state import Attempt, Result


def install(control: Blueprint, desk: Desk) -> None:
    """Add /control/finish."""
    state = desk.state

    @control.post("/control/finish")
    def finish() -> Response:
        """Hand in the test of {"candidate_instance_id"} or {"email"}, or mark a finished one.

        Marks: {"total_marks", "max_marks", "percentile"} or {"answers": {"q1": "0", …}};
        {"silent": true} sends no web-hook, as when one is lost. {"verdict": {"overallStatus",
        "detailedStatus", "credibility"}} is what proctoring has found; without it, nothing.
        """
        asked = request.get_json()
        attempt = _find(desk, asked)
        attempt.verdict = asked.get("verdict", {})
        result, silent = _result(attempt, asked), bool(asked.get("silent"))
        if not flow.hand_in(desk, attempt, result, silent):
            flow.grade(desk, attempt, result, silent)
        with state.lock:
            return jsonify(mettl_result.candidate(desk, attempt))


def _find(desk: Desk, asked: dict[str, Any]) -> Attempt:
    with desk.state.lock:
        attempts = list(desk.state.attempts.values())
    if "candidate_instance_id" in asked:
        found = [a for a in attempts if a.candidate_instance_id == asked["candidate_instance_id"]]
    else:
        found = [a for a in attempts if a.email == asked["email"]]
    return found[-1] if found else abort(404)


def _result(attempt: Attempt, asked: dict[str, Any]) -> Result:
    assessment = attempt.schedule.assessment
    if "total_marks" not in asked:
        return mettl_result.of_sections(exam.mark(assessment.questions, asked.get("answers", {})))
    percentile = asked.get("percentile", mettl_result.PERCENTILE)
    return mettl_result.of_marks(
        assessment, asked["total_marks"], asked.get("max_marks"), percentile
    )
