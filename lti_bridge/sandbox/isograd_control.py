"""The strings a test pulls at the pretend Isograd: its rows, faults, and acts without a person."""

import ipaddress
import socket
import time
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, request

from lti_bridge.sandbox import isograd_finish, isograd_outcome
from lti_bridge.sandbox.isograd_grades import (
    FORMS,
    Form,
    Grade,
    grade_of_correct,
    grade_of_score,
    grade_of_values,
)
from lti_bridge.sandbox.isograd_state import NOT_STARTED, STARTED, State

_FAULT_KEYS = {"path", "act_id", "status", "times", "delay_s", "drop", "body", "content_type"}


def install(control: Blueprint, state: State) -> None:
    """Add /control/… for callers on this machine, and the faults they ask for."""
    _install_faults(control, state)
    _install_acts(control, state)


def _install_faults(control: Blueprint, state: State) -> None:
    @control.before_app_request
    def guard() -> Response | None:
        if not request.path.startswith("/control/"):
            return _start_fault(state)
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
            abort(403)
        return None

    @control.after_app_request
    def end_fault(response: Response) -> Response:
        if g.get("fault", {}).get("drop"):
            # Half a shutdown would still deliver the answer.
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return response

    @control.post("/control/fault")
    def fault() -> Response:
        """Break requests to a path or of an act_id; times -1 means until cleared."""
        asked = request.get_json()
        if set(asked) - _FAULT_KEYS:
            abort(400)
        with state.lock:
            state.faults.append({"times": 1, **asked})
        return jsonify(ok=True)

    @control.post("/control/clear")
    def clear() -> Response:
        """Forget faults and logs; {"tokens": true} revokes tokens, {"all": true} every row."""
        asked = request.get_json(silent=True) or {}
        state.clear(tokens=asked.get("tokens", False), rows=asked.get("all", False))
        return jsonify(ok=True)


def _install_acts(control: Blueprint, state: State) -> None:
    @control.get("/control/state")
    def rows() -> Response:
        return jsonify(state.snapshot())

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

    @control.post("/control/outcome")
    def outcome() -> Response:
        asked = request.get_json()
        url, body = _outcome(state, asked)
        return jsonify(asdict(isograd_outcome.send(state, url, body)))


def _start_fault(state: State) -> Response | None:
    """Delay the request, or answer in its place, when a fault is waiting for it."""
    request.get_data(cache=True)  # the launch endpoint needs the bytes after the form is read
    act_id = request.form.get("act_id") or request.form.get("custom_act_id")
    with state.lock:
        fault = next((f for f in state.faults if _fits(f, request.path, act_id)), None)
        if fault is None:
            return None
        fault["times"] -= int(fault["times"] > 0)
    g.fault = fault
    time.sleep(float(fault.get("delay_s", 0)))
    if fault.get("drop") or not ("status" in fault or "body" in fault):
        return None
    kind = fault.get("content_type", "application/json")
    return Response(fault.get("body", ""), status=fault.get("status", 200), content_type=kind)


def _fits(fault: dict[str, Any], path: str, act_id: str | None) -> bool:
    return (
        fault["times"] != 0
        and fault.get("path", path) == path
        and ("act_id" not in fault or str(fault["act_id"]) == act_id)
    )


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
    if operation not in isograd_outcome.OPERATIONS:
        abort(400)
    sourcedid = sourcedid or launch.get("lis_result_sourcedid", "")
    return url, isograd_outcome.message(operation, sourcedid, str(asked.get("score", "")))
