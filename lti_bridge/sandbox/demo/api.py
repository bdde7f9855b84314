"""The API of the pretend demo provider, and the strings that a test pulls."""

import hmac
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox.demo.state import HANDED_IN, MARKED, Session, State


def install(everything: Blueprint, state: State, base_url: str) -> None:
    """Add /sessions, /tests and /control/…"""
    _install_api(everything, state, base_url)
    _install_control(everything, state)


def _install_api(api: Blueprint, state: State, base_url: str) -> None:
    @api.before_request
    def check_key() -> None:
        expected = f"Bearer {state.settings.api_key}"
        given = request.headers.get("Authorization", "")
        asks = request.path.startswith(("/sessions", "/tests"))
        if asks and not hmac.compare_digest(given.encode(), expected.encode()):
            abort(401)

    @api.post("/sessions")
    def buy() -> tuple[Response, int]:
        asked: dict[str, Any] = request.get_json()
        with state.lock:
            state.calls["buy"] += 1
            if asked.get("test") not in state.tests:
                abort(422)
            if state.stock < 1 and not asked.get("preview"):
                abort(Response(status=402))  # Flask knows no such exception
            session = state.add(asked)
        return jsonify(id=session.id, url=f"{base_url}/take/{session.token}"), 201

    @api.get("/sessions/<name>")
    def session(name: str) -> Response:
        found = _find(state, name)
        return jsonify(state=found.state, score=found.score, maximum=found.maximum)

    @api.delete("/sessions/<name>")
    def delete(name: str) -> Response:
        with state.lock:
            del state.sessions[_find(state, name).id]
        return jsonify(deleted=True)

    @api.get("/tests")
    def tests() -> Response:
        return jsonify(tests=[{"id": t.id, "title": t.title} for t in state.tests.values()])


def _install_control(control: Blueprint, state: State) -> None:
    @control.post("/control/hand-in")
    def handed_in() -> Response:
        """{"id"}: the answers are there, the marks not yet."""
        state.change(_find(state, request.get_json()["id"]), HANDED_IN)
        return jsonify(ok=True)

    @control.post("/control/mark")
    def mark() -> Response:
        """{"id", "score", "maximum"}: marks, or other marks."""
        asked = request.get_json()
        state.change(_find(state, asked["id"]), MARKED, asked["score"], asked["maximum"])
        return jsonify(ok=True)

    @control.post("/control/change")
    def change() -> Response:
        """{"id", "state"}: any state, also one that nobody has heard of."""
        asked = request.get_json()
        state.change(_find(state, asked["id"]), asked["state"])
        return jsonify(ok=True)


def _find(state: State, name: str) -> Session:
    with state.lock:
        return state.sessions.get(name) or abort(404)
