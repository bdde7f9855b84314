"""The strings a test pulls at the pretend Isograd: its rows, faults, and acts without a person."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox import faults
from lti_bridge.sandbox.isograd import finish as isograd_finish
from lti_bridge.sandbox.isograd.grades import (
    FORMS,
    Form,
    Grade,
    grade_of_correct,
    grade_of_score,
    grade_of_values,
)
from lti_bridge.sandbox.isograd.state import NOT_STARTED, STARTED, State
from lti_bridge.sandbox.tools import outcome as tool_outcome


def install(control: Blueprint, state: State) -> None:
    """Add /control/… for callers on this machine, and the faults they ask for."""
    faults.install(control, state.faults, _facts)
    _install_rows(control, state)
    _install_acts(control, state)


def _facts() -> dict[str, str]:
    return {"act_id": request.form.get("act_id") or request.form.get("custom_act_id") or ""}


def _install_rows(control: Blueprint, state: State) -> None:
    @control.get("/control/state")
    def rows() -> Response:
        return jsonify(state.snapshot())

    @control.post("/control/clear")
    def clear() -> Response:
        """Forget faults and logs; {"tokens": true} revokes tokens, {"all": true} every row."""
        asked = request.get_json(silent=True) or {}
        state.clear(tokens=asked.get("tokens", False), rows=asked.get("all", False))
        return jsonify(ok=True)


def _install_acts(control: Blueprint, state: State) -> None:
    @control.post("/control/finish")
    def finish() -> Response:
        asked = request.get_json()
        with state.lock:
            sitting = state.sittings.get(int(asked["pla_tst_id"])) or abort(404)
            open_still = sitting.sta_id in (NOT_STARTED, STARTED)
        grade = _grade(FORMS[sitting.tst_frm_id], asked)
        if not (open_still and isograd_finish.hand_in(state, sitting, grade)):
            isograd_finish.mark(state, sitting, grade)
        with state.lock:
            return jsonify(asdict(sitting))

    @control.post("/control/address")
    def address() -> Response:
        """Give a candidate another e-mail address, as the console's users can."""
        asked = request.get_json()
        with state.lock:
            candidate = state.candidates.get(int(asked["can_id"])) or abort(404)
            candidate.ema = str(asked["ema"])
            return jsonify(asdict(candidate))

    @control.post("/control/outcome")
    def outcome() -> Response:
        asked = request.get_json()
        url, body = _outcome(state, asked)
        return jsonify(asdict(isograd_finish.tell(state, url, body)))


def _grade(form: Form, asked: dict[str, Any]) -> Grade:
    """The grade a test asked for: `score` text, `num_val` and `max_val`, or `correct` answers."""
    if "score" in asked:
        return grade_of_score(form, str(asked["score"]))
    if "num_val" in asked:
        return grade_of_values(
            form, asked["num_val"], asked.get("max_val"), asked.get("txt_des", "")
        )
    return grade_of_correct(form, int(asked.get("correct", 3)))


def _outcome(state: State, asked: dict[str, Any]) -> tuple[str, bytes]:
    """Where to send which document: `url` and `body` win over what the launch said."""
    sourcedid = asked.get("sourcedid")
    with state.lock:
        found = [launch["parameters"] for launch in state.launches]
    if "launch" in asked:
        found = [found[int(asked["launch"])]]
    same = [p for p in found if p.get("lis_result_sourcedid") == sourcedid]
    launch = (same or found or [{}])[-1]
    url = asked.get("url") or launch.get("lis_outcome_service_url") or abort(404)
    if "body" in asked:
        return url, str(asked["body"]).encode()
    operation = asked.get("operation", "replace")
    if operation not in tool_outcome.OPERATIONS:
        abort(400)
    sourcedid = sourcedid or launch.get("lis_result_sourcedid", "")
    return url, tool_outcome.message(operation, sourcedid, str(asked.get("score", "")))
