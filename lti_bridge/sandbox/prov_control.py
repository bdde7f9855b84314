"""The strings a test pulls at the pretend Prov: its rows, and scores without a person."""

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox import prov_results
from lti_bridge.sandbox.prov_state import State


def install(control: Blueprint, state: State) -> None:
    """Add /control/state, /control/clear and /control/finish."""

    @control.get("/control/state")
    def rows() -> Response:
        return jsonify(state.snapshot())

    @control.post("/control/clear")
    def clear() -> Response:
        """Forget faults and logs; {"all": true} every row."""
        state.clear(rows=(request.get_json(silent=True) or {}).get("all", False))
        return jsonify(ok=True)

    @control.post("/control/finish")
    def finish() -> Response:
        """Score an event, again and again: {"event_id"} or {"candidate_id"}, and {"score"}."""
        asked = request.get_json()
        wanted = {name: asked[name] for name in ("event_id", "candidate_id") if name in asked}
        event = state.event(**wanted) or abort(404)
        prov_results.finish(state, event, asked["score"], asked.get("domains", {}))
        return jsonify(prov_results.told(state, event))
