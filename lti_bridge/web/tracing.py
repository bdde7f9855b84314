"""Each request that a launch or a grade is made of is a hop in the journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request

from lti_bridge.core.journal import hop as hops
from lti_bridge.core.journal.journal import Journal

# by endpoint: its kind, and whether it is kept also where it went well
TRACED: dict[str | None, tuple[str, bool]] = {
    "lms.login": ("login", True),
    "lms.launch": ("launch", True),
    "lms_register.register": ("register", True),
    "lms_notices.take": ("notice", True),
    "site.go_on": ("go-on", True),
    "site.page": ("page", False),
    "site.place": ("choice", False),
    "platform.authorize": ("authorize", True),
    "deep_link.deep_link": ("chosen", True),
    "outcomes.return_page": ("return", True),
    "outcomes.outcomes_service": ("outcome", True),
    "services.take_score": ("score", True),
    "services.token": ("token", False),
    "services.list_line_items": ("service", False),
    "services.create_line_item": ("service", False),
    "services.read_line_item": ("service", False),
    "services.change_line_item": ("service", False),
    "services.remove_line_item": ("service", False),
    "services.list_results": ("service", False),
    "services.list_members": ("service", False),
    "tools.register": ("tool-register", True),
    "hooks.hook": ("hook", True),
}


def trace_requests(app: Flask, journal: Journal, reference: Callable[[], str]) -> None:
    """Let the requests of this app be hops; `reference` is that of the one under way."""
    app.before_request(partial(_begin, journal, reference))
    app.after_request(partial(_end, journal))


def _begin(journal: Journal, reference: Callable[[], str]) -> None:
    traced = TRACED.get(request.endpoint)
    if traced is None:
        hops.enter(None)
    else:
        journal.begin(traced[0], reference())


def _end(journal: Journal, response: Response) -> Response:
    hop = hops.current()
    traced = TRACED.get(request.endpoint)
    if hop is None or traced is None:
        return response
    hop.status = response.status_code
    if not hop.code:
        hop.kept = hop.kept and traced[1]
    journal.end(hop)
    return response
