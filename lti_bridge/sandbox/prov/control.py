"""The strings a test pulls at the pretend Prov: scores without a person."""

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox.prov import results
from lti_bridge.sandbox.prov.state import State


def install(control: Blueprint, state: State) -> None:
    """Add /control/finish."""

    @control.post("/control/finish")
    def finish() -> Response:
        """Score an event, again and again: {"event_id"} or {"candidate_id"}, and {"score"}."""
        asked = request.get_json()
        wanted = {name: asked[name] for name in ("event_id", "candidate_id") if name in asked}
        event = state.event(**wanted) or abort(404)
        results.finish(state, event, asked["score"], asked.get("domains", {}))
        return jsonify(results.told(state, event))
