"""Dynamic registration: what the bridge is as a platform, and where an invited tool registers."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from lti_bridge.errors import BridgeError, TooLarge
from lti_bridge.platform.registration import CONFIGURATION_PATH, REGISTER_PATH, ToolRegistering
from lti_bridge.platform.routes_services import refused

MAX_BODY = 65_536  # bytes


def blueprint(registering: ToolRegistering, reference: Callable[[], str]) -> Blueprint:
    """Both addresses. `reference` is that of the request in the log."""
    routes = Blueprint("tools", __name__)
    routes.register_error_handler(BridgeError, lambda error: refused(error, reference()))

    @routes.get(CONFIGURATION_PATH)
    def configuration() -> Response:
        """Public: addresses and abilities (DR 1.0 §3.2)."""
        return jsonify(registering.configuration())

    @routes.post(REGISTER_PATH)
    def register() -> Response:
        """A registration token, used once, decides; the tool waits for an admin then."""
        body = request.get_data(cache=False)
        if len(body) > MAX_BODY:
            raise TooLarge(f"the registration is above {MAX_BODY} bytes")
        # 200, as Canvas and Moodle say it: tools exist that take 201 for a failure
        answer = jsonify(registering.register(request.headers.get("Authorization", ""), body))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes
