"""The addresses that providers call when something has happened."""

from __future__ import annotations

from flask import Blueprint, Response, request

from lti_bridge.core.attempt.callbacks import Callbacks
from lti_bridge.core.attempt.provider import Callback

HOOKS_PATH = "/hooks/"


def blueprint(callbacks: Callbacks) -> Blueprint:
    """The hooks of all connections."""
    routes = Blueprint("hooks", __name__)

    @routes.route(f"{HOOKS_PATH}<connection>/<token>", methods=["GET", "POST"])
    def hook(connection: str, token: str) -> Response:
        """A provider's callback; the secret in the address and the kind's own check decide."""
        callback = Callback(
            method=request.method,
            headers=dict(request.headers),
            query=request.args.to_dict(),
            body=request.get_data(cache=True),
            form=request.form.to_dict(),
        )
        callbacks.receive(connection, token, callback)
        return Response(status=200, content_type="text/plain")

    return routes
