"""The addresses that LTI 1.3 tools send browsers to, and the platform's keys."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from lti_bridge.core.launch.handoff import Form
from lti_bridge.errors import ToolRequestRefused
from lti_bridge.platform.authorize import Authorizing
from lti_bridge.platform.launch13 import AUTHORIZE_PATH, cookie_path

JWKS_PATH = "/platform/jwks"
JWKS_MAX_AGE_S = 600


def blueprint(
    authorizing: Authorizing,
    public_url: str,
    key_set: Callable[[], tuple[bytes, str]],
    show: Callable[[Form], Response],
) -> Blueprint:
    """The platform's addresses. `show` makes the page whose form goes to the tool, nowhere else."""
    routes = Blueprint("platform", __name__)
    path = cookie_path(public_url)

    @routes.route(AUTHORIZE_PATH, methods=["GET", "POST"])
    def authorize() -> Response:
        """OIDC authentication request (SEC §5.1.1.2): the browser's cookie and the hint decide."""
        if request.method == "POST" and request.query_string:
            raise ToolRequestRefused("parameters stand in the address and in the body")
        answer = authorizing.answer(
            _lists(request.args if request.method == "GET" else request.form), request.cookies
        )
        response = show(answer.form)
        if answer.used_cookie:
            response.delete_cookie(
                answer.used_cookie,
                path=path,
                secure=True,
                httponly=True,
                samesite="None",
                partitioned=True,
            )
        return response

    @routes.get(JWKS_PATH)
    def jwks() -> Response:
        """The bridge's public keys as a platform; touches no database."""
        document, etag = key_set()
        response = Response(document, content_type="application/json")
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
        response.headers["ETag"] = etag
        response.make_conditional(request)
        return response

    return routes


def _lists(values: MultiDict[str, str]) -> dict[str, list[str]]:
    return {name: values.getlist(name) for name in values}
