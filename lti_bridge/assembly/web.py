"""The Flask app around a bridge: the addresses of LMSs, tools and providers, and the pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response
from werkzeug.exceptions import HTTPException

from lti_bridge import log
from lti_bridge.assembly.admins import build_admins, sources
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.lms import key_set, signing_for
from lti_bridge.assembly.metrics import add_metrics, recorder_of
from lti_bridge.assembly.platform import (
    build_authorizing,
    build_tool_answers,
    build_tool_registering,
)
from lti_bridge.core.attempt import waited
from lti_bridge.core.course.choices import Choosing
from lti_bridge.core.course.learners import People
from lti_bridge.core.course.placements import Placing
from lti_bridge.core.tool.deep_linking import AtTools
from lti_bridge.lms import routes as lms_routes
from lti_bridge.lms import routes_notices, routes_register
from lti_bridge.lms.placing import LinkAnswers
from lti_bridge.lti.roles import is_learner
from lti_bridge.platform import (
    routes13,
    routes_deep_linking,
    routes_outcomes,
    routes_registration,
    routes_services,
)
from lti_bridge.platform.routes_deep_linking import DEEP_LINK_PATH
from lti_bridge.providers import routes as provider_routes
from lti_bridge.settings import Settings
from lti_bridge.store.rosters import Rosters
from lti_bridge.store.tool_choices import StoredChoices
from lti_bridge.web import admin as admin_pages
from lti_bridge.web import people as people_page
from lti_bridge.web import visitors
from lti_bridge.web.errors import ErrorPages
from lti_bridge.web.rendering import Pages
from lti_bridge.web.routes import FORMS, check_request, send_on
from lti_bridge.web.site import Site
from lti_bridge.web.tracing import trace_requests

MAX_BODY = 524_288  # bytes, at any address; web.routes.FORMS has those that need less
BODIES = {  # bytes, by how the address begins; else 64 kB
    **FORMS,
    DEEP_LINK_PATH: MAX_BODY,
    routes_notices.NOTICES_PATH: routes_notices.MAX_BODY,
}


def create_app(settings: Settings) -> Flask:
    """The web app: every address, the pages, and one way to answer every error."""
    return web_app(build(settings, recorder_of(settings)))


class _App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing of ours is a coroutine: Flask would look, at each function of each request."""
        return func


def web_app(bridge: Bridge) -> Flask:
    """The Flask app of an already built bridge."""
    app = _App("lti_bridge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    site = _site(bridge)
    for addresses in (*_for_lmss(bridge, site), *_for_tools(bridge, site), *_pages(bridge, site)):
        app.register_blueprint(addresses)
    app.register_blueprint(provider_routes.blueprint(bridge.callbacks))
    app.before_request(log.begin)
    trace_requests(app, bridge.journal, log.current)
    app.before_request(waited.begin)
    app.after_request(_with_timing)
    app.before_request(check_request)
    table = bridge.settings.bridge
    if table.former_urls:
        app.before_request(partial(send_on, table.public_url, table.former_urls))
    app.teardown_request(lambda _error: log.end())
    app.register_error_handler(HTTPException, site.errors.http_error)
    app.register_error_handler(Exception, site.errors.failed)
    if bridge.recorder is not None:
        add_metrics(app, bridge, bridge.recorder, site.health)
    return app


def _with_timing(response: Response) -> Response:
    """Say how much of the time was a provider's, where a request has waited for one."""
    if seconds := waited.seconds():
        response.headers["Server-Timing"] = f"provider;dur={1000 * seconds:.0f}"
    return response


def _site(bridge: Bridge) -> Site:
    registration_of = bridge.lms.directory.get
    pages = Pages(urlsplit(bridge.settings.bridge.public_url).path)
    errors = ErrorPages(
        pages=pages,
        new_reference=log.current,
        framing=partial(lms_routes.frame_ancestors, bridge.lms.lms11, bridge.lms.lms13),
        trusted=lambda registration: registration_of(registration) is not None,
    )
    return Site(
        pages=pages,
        launching=bridge.launching,
        store=bridge.store,
        errors=errors,
        at_tools=_at_tools(bridge),
    )


def _for_lmss(bridge: Bridge, site: Site) -> tuple[Blueprint, ...]:
    """Where LMSs send launches, read our keys, and register themselves."""
    endpoints = lms_routes.LmsEndpoints(
        lms11=bridge.lms.lms11,
        lms13=bridge.lms.lms13,
        key_set=lambda name: key_set(bridge.keyring, bridge.lms.directory, name),
        launched=site.launched,
        offered=bridge.notice_handlers.offered,
        browser=visitors.secret,
        relaunch=site.to_lms,
        new_window=site.new_window,
        unproved=site.unproved,
        unconfirmed=site.unconfirmed,
    )
    registering = routes_register.blueprint(bridge.lms.registering, site.registered)
    notices = routes_notices.blueprint(bridge.lms.notices, site.errors.reference)
    return lms_routes.blueprint(endpoints), registering, notices


def _for_tools(bridge: Bridge, site: Site) -> tuple[Blueprint, ...]:
    """Where LTI tools come for launches, send grades and answers, and register themselves."""
    basics, catalogue, keyring = bridge.basics, bridge.catalogue, bridge.keyring
    answers = build_tool_answers(basics, catalogue, bridge.services.token.key_sets)
    registering = build_tool_registering(basics, catalogue, bridge.lms.store, bridge.tool_store)
    return (
        routes_outcomes.blueprint(bridge.services.outcomes, site.returned),
        routes13.blueprint(
            build_authorizing(basics, catalogue),
            basics.url,
            lambda: (keyring.public_keys("platform"), keyring.etag("platform")),
            site.to_tool,
        ),
        routes_services.blueprint(bridge.services, site.errors.reference),
        routes_registration.blueprint(registering, site.errors.reference),
        routes_deep_linking.blueprint(answers, site.chosen),
    )


def _pages(bridge: Bridge, site: Site) -> tuple[Blueprint, ...]:
    people = People(bridge.roster, Rosters(bridge.store.database), is_learner)
    root = urlsplit(bridge.basics.url).path
    admin = admin_pages.blueprint(site.pages, root, build_admins(bridge.basics), sources(bridge))
    return site.blueprint(), people_page.blueprint(site, people), admin


def _at_tools(bridge: Bridge) -> AtTools:
    """How instructors set tests up, and how LMSs that ask for links are answered."""
    basics = bridge.basics
    answers = LinkAnswers(
        registration=bridge.lms.directory.get,
        launch_url=basics.url + lms_routes.LAUNCH_PATH,
        key=signing_for(bridge.keyring),
        clock=basics.clock,
        new_nonce=basics.new_id,
    )
    placing = Placing(
        store=bridge.store,
        catalogue=bridge.catalogue,
        answers=answers,
        choosing=Choosing(basics.clock, seats=bridge.launching.calls.seats),
        new_id=basics.new_id,
        clock=basics.clock,
    )
    return AtTools(
        placing=placing,
        choices=StoredChoices(bridge.store.database),
        key=basics.key,
        return_url=basics.url + DEEP_LINK_PATH,
        clock=basics.clock,
    )
