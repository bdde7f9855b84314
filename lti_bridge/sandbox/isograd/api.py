"""The pretend Isograd's REST API: the token endpoint and POST /api/usage."""

import hmac
import secrets
import time
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox.isograd.actions import ActionError, Desk, Fields
from lti_bridge.sandbox.isograd.queries import ACTIONS, perform
from lti_bridge.sandbox.isograd.state import State

_BUTTON = Markup('<a class="isograd_start_test_button" href="{}">Start the test</a>')


def install(api: Blueprint, desk: Desk) -> None:
    """Add both endpoints."""

    @api.post("/oauth2/token")
    def token() -> tuple[Response, int]:
        return _token(desk.state)

    @api.post("/api/usage")
    def usage() -> AnyResponse | tuple[Response, int]:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        with desk.state.lock:
            alive = desk.state.tokens.get(bearer, 0) > time.time()
        if scheme != "Bearer" or not alive:
            return jsonify(message="Unauthorized"), 401
        try:
            fields = request.form.to_dict()
            return respond(perform(desk, fields, frozenset(ACTIONS)), fields)
        except ActionError as error:
            return jsonify(
                success=False, error_code=error.code, error_message=str(error), **error.members
            )


def _token(state: State) -> tuple[Response, int]:
    settings = state.settings
    if request.values.get("grant_type") != "client_credentials":
        return jsonify(error="unsupported_grant_type"), 400
    if request.values.get("scopes") != "usage":
        return jsonify(error="invalid_scope"), 400
    known = _same(request.form.get("client_id", ""), settings.api_client_id)
    if not (_same(request.form.get("client_secret", ""), settings.api_client_secret) and known):
        return jsonify(error="invalid_client"), 401
    fresh, lifetime = secrets.token_urlsafe(32), settings.token_lifetime_s
    with state.lock:
        state.tokens[fresh] = time.time() + lifetime
    return jsonify(access_token=fresh, token_type="Bearer", expires_in=lifetime), 200  # noqa: S106


def respond(members: dict[str, Any], fields: Fields) -> AnyResponse:
    """The answer in the shape the request asked for: JSON, a redirect, or a piece of HTML."""
    if "location" in members:
        return redirect(members["location"])
    url = members.get("tst_url") or members.get("pdf_url")
    if url and fields.get("redirect") == "1":
        return redirect(url)
    if "tst_url" in members and fields.get("html") == "1":
        return Response(_BUTTON.format(members["tst_url"]), mimetype="text/html")
    return jsonify(success=True, error_message=None, **members)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
