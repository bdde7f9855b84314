"""The strings a test pulls at the pretend iTEP: what its staff can do."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox import exam
from lti_bridge.sandbox.itep import results
from lti_bridge.sandbox.itep.state import INVALIDATED, PROBLEM, QUESTIONS, READY, State, Test

_CHANGES = {"invalidate": INVALIDATED, "reset": READY, "technical": PROBLEM}


def install(control: Blueprint, state: State) -> None:
    """Add /control/finish, invalidate, reset, technical and resend.

    All take {"test-id"} or {"oid"}, the customer's own id.
    """

    @control.post("/control/finish")
    def finish() -> Response:
        """Hand in a test, or give a finished one its levels: {"level"} or {"answers"}."""
        asked = request.get_json()
        test = _find(state, asked)
        if "level" in asked:
            result = results.of_level(asked["level"])
        else:
            result = results.of_sections(exam.mark(QUESTIONS, asked.get("answers", {})))
        if not results.hand_in(state, test, result):
            results.grade(state, test, result)
        return jsonify(asdict(test))

    @control.post("/control/<any(invalidate, reset, technical):change>")
    def act(change: str) -> Response:
        test = _find(state, request.get_json())
        results.change(state, test, _CHANGES[change])
        return jsonify(asdict(test))

    @control.post("/control/resend")
    def resend() -> Response:
        """Send the web-hook once more."""
        test = _find(state, request.get_json())
        results.notify(state, test)
        return jsonify(asdict(test))


def _find(state: State, asked: dict[str, Any]) -> Test:
    with state.lock:
        if "test-id" in asked:
            return state.tests.get(asked["test-id"]) or abort(404)
        found = [t for t in state.tests.values() if t.oid == asked["oid"]]
    return found[-1] if found else abort(404)
