"""The addresses that every LTI tool gets in its launch: for grades, and for the way back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, g, request

from lti_bridge.core.journal.hop import failed
from lti_bridge.errors import BridgeError
from lti_bridge.lti.outcomes import CONTENT_TYPE as XML
from lti_bridge.platform.access_tokens import CHALLENGES
from lti_bridge.platform.outcomes import OutcomeService, is_bearer, media_type, media_types

OUTCOMES_PATH = "/platform/outcomes"
RETURN_PATH = "/platform/return/"
MAX_BODY = 65_536  # bytes; a grade message has about one thousand


def blueprint(outcomes: OutcomeService, returned: Callable[[str], Response]) -> Blueprint:
    """Both addresses. `returned` shows the page for a student who comes back."""
    routes = Blueprint("outcomes", __name__)

    @routes.post(OUTCOMES_PATH)
    def outcomes_service() -> Response:
        """Basic Outcomes: a signature or an access token decides (spec P11O, P13BO)."""
        authorization = request.headers.get("Authorization", "")
        sent = request.headers.get("Content-Type", "")
        size = request.content_length or 0  # none: it comes in chunks
        body = request.get_data(cache=False) if size <= MAX_BODY else b""
        if max(size, len(body)) > MAX_BODY:
            answer = outcomes.too_large()
        else:
            query = request.query_string.decode("ascii", "replace")
            hosts = [request.headers.get(name, "") for name in ("Host", "X-Forwarded-Host")]
            answer = outcomes.answer(query, authorization, sent, body, hosts)
        g.taken = answer.taken
        if answer.status >= 500:
            failed(BridgeError("the message was not stored: see the log"))
        # the type of the request, if it may be one here
        types = [one for one in media_types(authorization) if one == media_type(sent)]
        response = Response(answer.body, answer.status, content_type="".join(types) or XML)
        if is_bearer(authorization) and answer.status in (401, 403):
            response.headers["WWW-Authenticate"] = CHALLENGES[answer.status]
        elif answer.status == 401:
            response.headers["WWW-Authenticate"] = 'OAuth realm=""'
        return response

    @routes.route(f"{RETURN_PATH}<handle>", methods=["GET", "POST"])
    def return_page(handle: str) -> Response:
        """A student's browser coming back from a provider; changes nothing."""
        return returned(handle)

    return routes
