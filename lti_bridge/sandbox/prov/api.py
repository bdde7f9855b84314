"""The customer's API of the pretend Prov: it stores what it is sent, and tells results."""

import hmac
import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox.prov import results
from lti_bridge.sandbox.prov.state import ProvSettings, State


def install(api: Blueprint, state: State, base_url: str) -> None:
    """Add the paths of the settings."""
    settings, names = state.settings, state.settings.names

    def event(sent: dict[str, Any]) -> dict[str, Any]:
        made = state.add_event(sent)
        url = f"{base_url}/exam/{made.token}"
        return {names.event_id or "eventId": made.event_id, names.event_url: url}

    def keep(rows: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def kept(sent: dict[str, Any]) -> dict[str, Any]:
            getattr(state, rows).append(sent)
            return {}

        return kept

    for path, kind, needed, action in (
        (settings.candidate_path, "candidates", (names.candidate_id,), keep("candidates")),
        (settings.event_path, "events", (names.candidate_id, names.exam_code), event),
        (settings.centre_path, "centres", (names.centre_code,), keep("centres")),
        (settings.proctor_path, "proctors", (names.proctor,), keep("proctors")),
    ):
        api.add_url_rule(path, kind, _taking(state, kind, needed, action), methods=["POST"])
    rule = re.sub(r"\{(\w+)\}", r"<\1>", settings.result_path)

    @api.route(rule, methods=["GET", "POST"])
    def result(**wanted: str) -> Response:
        _check_caller(settings)
        with state.lock:
            state.calls["results"] += 1
            return jsonify(results.told(state, state.event(**wanted) or abort(404)))


def _taking(
    state: State,
    kind: str,
    needed: tuple[str, ...],
    action: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[], Response]:
    """A view that takes an object with these members and asks nothing else."""

    def view() -> Response:
        _check_caller(state.settings)
        sent = request.get_json()
        if not isinstance(sent, dict):
            abort(400)
        if state.settings.auth_style == "body":
            del sent[state.settings.auth_name]
        if any(sent.get(name) in (None, "") for name in needed):
            abort(400)
        with state.lock:
            state.calls[kind] += 1
            return jsonify(status="accepted", **action(sent))

    return view


def _check_caller(settings: ProvSettings) -> None:
    """Answer 401 unless the caller shows what the settings ask for."""
    style, name, value = settings.auth_style, settings.auth_name, settings.auth_value
    if style == "basic":
        login = request.authorization
        given = f"{login.username}:{login.password}" if login and login.type == "basic" else ""
        value = f"{name}:{value}"
    elif style == "bearer":
        given, value = request.headers.get("Authorization", ""), f"Bearer {value}"
    elif style == "body":
        sent = request.get_json(silent=True)
        given = str(sent.get(name, "")) if isinstance(sent, dict) else ""
    else:
        given = request.headers.get(name, "")
    if not hmac.compare_digest(given.encode(), value.encode()):
        abort(401)
