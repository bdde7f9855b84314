"""The addresses that LTI 1.3 tools call themselves: tokens, line items, scores, results, members.

Every service reads the access token in one place, and from the Authorization header alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, request

from lti_bridge.core.journal.hop import checking, failed, note
from lti_bridge.errors import (
    BadRequest,
    BridgeError,
    MediaTypeRefused,
    MembersComing,
    NotAcceptable,
    ServiceRefused,
    TokenMissing,
    TokenRequestRefused,
    TooLarge,
    ToolMetadataRefused,
    TooManyTokens,
)
from lti_bridge.lti.ags import LINE_ITEM_TYPE, LINE_ITEMS_TYPE, RESULTS_TYPE, SCORE_TYPE
from lti_bridge.platform import members as member_service
from lti_bridge.platform.access_tokens import (
    CHALLENGES,
    NO_TOKEN,
    AccessTokens,
    Grant,
    TokenService,
)
from lti_bridge.platform.grade_services import GradeServices
from lti_bridge.platform.members import MemberService
from lti_bridge.platform.outcomes import OutcomeService, media_type
from lti_bridge.platform.pages import Answer, Asked

TOKEN_PATH = "/platform/token"  # noqa: S105 - an address
METADATA = "invalid_client_metadata"  # RFC 7591 section 3.2.2
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_BODY = 65_536  # bytes
_NOT_OAUTH = re.compile(r"[^ !#-\[\]-~]")  # what no error_description may hold (RFC 6749 §5.2)
_ABOUT_THE_REQUEST = (BadRequest, ServiceRefused, ToolMetadataRefused, TooLarge)

log = logging.getLogger("lti_bridge.services")


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the services; `outcomes` has a route of its own (routes.py)."""

    tokens: AccessTokens
    token: TokenService
    grades: GradeServices
    members: MemberService
    outcomes: OutcomeService


def blueprint(services: Services, reference: Callable[[], str]) -> Blueprint:
    """The services of the platform. `reference` is that of the request in the log."""
    routes = Blueprint("services", __name__)
    routes.register_error_handler(BridgeError, lambda error: refused(error, reference()))
    grades = services.grades
    line_items = "/platform/<course>/lineitems"

    @routes.post(TOKEN_PATH)
    def token() -> Response:
        """A client assertion becomes an access token (Security Framework 1.0 section 4.1)."""
        if media_type(request.headers.get("Content-Type", "")) != FORM_TYPE:
            raise TokenRequestRefused("invalid_request", f"the Content-Type is not {FORM_TYPE}")
        _small_body()
        form = {name: request.form.getlist(name) for name in request.form}
        response = jsonify(services.token.answer(form))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"
        return response

    def grant(answer_type: str = "") -> Grant:
        """What the caller may do; called first, and before anything is changed."""
        checking("token")
        allowed = services.tokens.read(request.headers.get("Authorization", ""))
        note(connection=allowed.tool.connection, proved=True)
        checking("request")
        if answer_type:
            accepted = request.accept_mimetypes
            if accepted and accepted.best_match((answer_type, "application/json")) is None:
                raise NotAcceptable(f"the answer is {answer_type}")
        return allowed

    @routes.get(line_items)
    def list_line_items(course: str) -> Response:
        """AGS section 3.2.4."""
        found = grades.line_items(grant(LINE_ITEMS_TYPE), course, _asked())
        return _answer(found, LINE_ITEMS_TYPE)

    @routes.post(line_items)
    def create_line_item(course: str) -> Response:
        """AGS section 3.2.5."""
        allowed = grant(LINE_ITEM_TYPE)
        made = grades.create(allowed, course, _body(LINE_ITEM_TYPE))
        return _answer(made, LINE_ITEM_TYPE, 201)

    @routes.get(f"{line_items}/<item>")
    def read_line_item(course: str, item: str) -> Response:
        """AGS section 3.2.3."""
        return _answer(grades.read(grant(LINE_ITEM_TYPE), course, item), LINE_ITEM_TYPE)

    @routes.put(f"{line_items}/<item>")
    def change_line_item(course: str, item: str) -> Response:
        """AGS section 3.2.6."""
        allowed = grant(LINE_ITEM_TYPE)
        changed = grades.change(allowed, course, item, _body(LINE_ITEM_TYPE))
        return _answer(changed, LINE_ITEM_TYPE)

    @routes.delete(f"{line_items}/<item>")
    def remove_line_item(course: str, item: str) -> Response:
        """AGS section 3.2."""
        grades.remove(grant(), course, item)
        return Response(status=204)

    @routes.post(f"{line_items}/<item>/scores")
    def take_score(course: str, item: str) -> Response:
        """AGS section 3.4; when the answer is sent, the grade is on disk and on its way."""
        allowed = grant()
        grades.score(allowed, course, item, _body(SCORE_TYPE))
        return Response("{}", 200, content_type="application/json")

    @routes.get(f"{line_items}/<item>/results")
    def list_results(course: str, item: str) -> Response:
        """AGS section 3.3."""
        found = grades.results(grant(RESULTS_TYPE), course, item, _asked())
        return _answer(found, RESULTS_TYPE)

    @routes.get("/platform/<course>/memberships")
    def list_members(course: str) -> Response:
        """NRPS section 2."""
        found = services.members.members(grant(member_service.TYPE), course, _asked())
        return _answer(found, member_service.TYPE)

    return routes


def _asked() -> Asked:
    return Asked({name: request.args.getlist(name) for name in request.args})


def _small_body() -> bytes:
    body = request.get_data(cache=True)
    if len(body) > MAX_BODY:
        raise TooLarge(f"the body is above {MAX_BODY} bytes")
    return body


def _body(expected: str) -> bytes:
    """The body, which is of the service's media type, or JSON, and not too large.

    Tools exist that send application/json (@atomicjolt/lti-server 3.3.2); AGS allows a refusal.
    """
    if media_type(request.headers.get("Content-Type", "")) not in (expected, JSON_TYPE):
        raise MediaTypeRefused(f"the Content-Type is not {expected}")
    return _small_body()


def _answer(answer: Answer, content_type: str, status: int = 200) -> Response:
    response = Response(answer.body, status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    if answer.next_url:
        response.headers["Link"] = f'<{answer.next_url}>; rel="next"'
    return response


def refused(error: BridgeError, reference: str) -> Response:
    """The answer for a program: a code, and which part of the request is wrong and why.

    Nothing in it is about anything but the request; who has not proved who it is learns no
    more than the form of its request. The log has more, under the reference.
    """
    failed(error)
    if isinstance(error, TokenRequestRefused):
        log.warning("token.refused", extra={"code": error.oauth, "reason": error.detail})
        said = _NOT_OAUTH.sub("?", error.said)
        response = jsonify(error=error.oauth, error_description=said, reference=reference)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Pragma"] = "no-cache"
    else:
        log.warning(
            "service.refused",
            extra={"code": error.code, "status": error.status, "reason": error.detail},
        )
        said = error.detail if _may_know(error) else error.sentence
        code = METADATA if isinstance(error, ToolMetadataRefused) else error.code
        response = jsonify(error=code, error_description=said, reference=reference)
    response.status_code = error.status
    if error.status in (401, 403):
        challenge = NO_TOKEN if isinstance(error, TokenMissing) else CHALLENGES[error.status]
        response.headers["WWW-Authenticate"] = challenge
    if isinstance(error, TooManyTokens):
        response.headers["Retry-After"] = "1"
    if isinstance(error, MembersComing):
        response.headers["Retry-After"] = "5"
    return response


def _may_know(error: BridgeError) -> bool:
    """Whether the reason, which is about the request alone, helps whoever wrote the tool."""
    return not isinstance(error, TooManyTokens) and (
        error.status == 404 or isinstance(error, _ABOUT_THE_REQUEST)
    )
