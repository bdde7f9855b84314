"""Putting the bridge together: the parts from the settings, and the Flask app around them."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException

from lti_bridge import __version__, log
from lti_bridge.catalogue import Catalogue
from lti_bridge.core.at_tools import AtTools
from lti_bridge.core.callbacks import Callbacks
from lti_bridge.core.choosing import Choosing
from lti_bridge.core.identity import pairwise
from lti_bridge.core.launching import Launching
from lti_bridge.core.linking import settings_of
from lti_bridge.core.owners import Owners
from lti_bridge.core.passback import Passback
from lti_bridge.core.people import People
from lti_bridge.core.placing import Placing
from lti_bridge.core.polling import Polling
from lti_bridge.core.readback import ReadBack
from lti_bridge.core.results import Results
from lti_bridge.core.rosters import Roster
from lti_bridge.keyring import Keyring
from lti_bridge.lms import routes as lms_routes
from lti_bridge.lms import routes_register
from lti_bridge.lms.nrps import Memberships
from lti_bridge.lms.placing import LinkAnswers
from lti_bridge.lms.receive11 import Lms11
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lms_door import LmsParts, build_lms_door, key_set, signing_for
from lti_bridge.lti.roles import is_learner
from lti_bridge.net import Client
from lti_bridge.providers import routes as provider_routes
from lti_bridge.providers import routes13, routes_deep_link, routes_services, routes_tools
from lti_bridge.providers.authorize import Authorizing
from lti_bridge.providers.routes import HOOKS_PATH, OUTCOMES_PATH, RETURN_PATH
from lti_bridge.providers.routes13 import JWKS_PATH
from lti_bridge.providers.routes_deep_link import DEEP_LINK_PATH
from lti_bridge.providers.routes_services import TOKEN_PATH, Services
from lti_bridge.providers.tool_answers import ToolAnswers
from lti_bridge.providers.tool_registering import ToolRegistering
from lti_bridge.queue import Waker, open_queue
from lti_bridge.services13 import build_services
from lti_bridge.settings import BridgeTable, Settings, is_loopback
from lti_bridge.store.engine import Database
from lti_bridge.store.rosters import Rosters
from lti_bridge.store.store import Store
from lti_bridge.store.tool_choices import StoredChoices
from lti_bridge.store.tools import ToolStore
from lti_bridge.store.tools13 import Tools13
from lti_bridge.toolbox import Toolbox
from lti_bridge.web import people as people_page
from lti_bridge.web import visitors
from lti_bridge.web.rendering import Pages
from lti_bridge.web.routes import FORMS, check_request, send_on
from lti_bridge.web.site import Site

MAX_BODY = 524_288  # bytes, at any address; web.routes.FORMS has those that need less
BODIES = {**FORMS, DEEP_LINK_PATH: MAX_BODY}  # bytes, by how the address begins; else 64 kB
LISTS = 4  # lists of members that are fetched at the same time, beside the requests
ID_BYTES = 16  # 128 bits
PATHS = (OUTCOMES_PATH, RETURN_PATH, HOOKS_PATH)


def now() -> datetime:
    """The present time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh unguessable id: 22 URL-safe characters, which no command takes for an option."""
    while (made := secrets.token_urlsafe(ID_BYTES)).startswith("-"):
        pass
    return made


@dataclass(frozen=True, slots=True)
class Bridge:
    """All parts of a running bridge, for the web app, the worker and the command line."""

    settings: Settings
    keyring: Keyring
    store: Store
    catalogue: Catalogue
    launching: Launching
    results: Results
    owners: Owners
    polling: Polling
    callbacks: Callbacks
    passback: Passback
    readback: ReadBack
    roster: Roster
    lms: LmsParts
    lms11: Lms11
    lms13: Lms13
    services: Services
    tool_store: ToolStore
    waker: Waker

    def close(self) -> None:
        """Close every connection of the database and of the queue."""
        self.store.database.close()
        self.waker.close()


def build(settings: Settings) -> Bridge:
    """Build every part. Raises ConfigurationError when the settings do not fit together."""
    public_url = settings.bridge.public_url
    keyring = Keyring.open(Path(settings.bridge.keys_dir), now)
    store = Store(Database(settings.bridge.database_url), now)
    secret = keyring.secret("sourcedids")
    owners = Owners(store, secret, now)
    toolbox = Toolbox(settings.bridge, store, keyring.secret("hooks"), owners)
    tool_store = ToolStore(store.database)
    catalogue = Catalogue(settings, toolbox.tools, toolbox.hook_token, tool_store)
    waker = Waker(open_queue(settings.bridge.queue_url))
    results = Results(store, new_id, waker.wake)
    outcomes, returns, hooks = (public_url + path for path in PATHS)
    addresses = (public_url, outcomes, returns, hooks)
    settings_at = partial(settings_of, store, catalogue)
    polling = Polling(store, catalogue, results, now, partial(pairwise, secret), settings_at)
    spread = random.SystemRandom().random
    titles = {activity.id: activity.title for activity in catalogue.activities()}
    client = http_client(settings.bridge)
    lms = build_lms_door(
        settings.bridge, settings.lms, keyring, store.database, titles, client, now, new_id
    )
    gradebooks = lms.gradebooks
    courses = Rosters(store.database)
    roster = Memberships(gradebooks.registrations, gradebooks.tokens, courses, now)
    send = client.send
    services = build_services(
        settings.bridge, keyring, store, catalogue, results, send, roster, now, new_id
    )
    return Bridge(
        settings=settings,
        keyring=keyring,
        store=store,
        catalogue=catalogue,
        launching=Launching(store, catalogue, secret, new_id, *addresses, now, waker.wake),
        results=results,
        owners=owners,
        polling=polling,
        callbacks=Callbacks(store, catalogue, polling, secret, now, waker.wake),
        passback=Passback(store, gradebooks, now, spread, partial(_keeps, *_overrides(settings))),
        readback=ReadBack(store, gradebooks, now, spread),
        roster=roster,
        lms=lms,
        lms11=lms.lms11,
        lms13=lms.lms13,
        services=services,
        tool_store=tool_store,
        waker=waker,
    )


def create_app(settings: Settings) -> Flask:
    """The web app: the doors, the pages, and one way to answer every error."""
    return web_app(build(settings))


def web_app(bridge: Bridge) -> Flask:
    """The Flask app of an already built bridge."""
    app = Flask("lti_bridge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    pages = Pages(urlsplit(bridge.settings.bridge.public_url).path)
    framing = partial(lms_routes.frame_ancestors, bridge.lms11, bridge.lms13)
    at_tools, trusted = _at_tools(bridge), bridge.lms.directory.names
    site = Site(
        pages,
        bridge.launching,
        bridge.store,
        log.current,
        framing,
        lambda registration: registration in trusted(),
        at_tools,
    )
    door = lms_routes.LmsDoor(
        bridge.lms11,
        bridge.lms13,
        lambda name: key_set(bridge.keyring, bridge.lms.directory, name),
        site.launched,
        visitors.secret,
        site.to_lms,
        site.alone,
        site.unproved,
        site.unconfirmed,
    )
    app.register_blueprint(lms_routes.blueprint(door))
    app.register_blueprint(routes_register.blueprint(bridge.lms.registering, site.registered))
    app.register_blueprint(
        provider_routes.blueprint(bridge.services.outcomes, bridge.callbacks, site.returned)
    )
    app.register_blueprint(_platform_door(bridge, site))
    app.register_blueprint(routes_services.blueprint(bridge.services, site.reference))
    app.register_blueprint(routes_tools.blueprint(_tool_registering(bridge), site.reference))
    app.register_blueprint(routes_deep_link.blueprint(_tool_answers(bridge), site.chosen))
    app.register_blueprint(site.blueprint())
    lists = ThreadPoolExecutor(LISTS, thread_name_prefix="roster")
    people = People(bridge.roster, Rosters(bridge.store.database), is_learner, lists)
    app.register_blueprint(people_page.blueprint(site, people))
    app.before_request(log.begin)
    app.before_request(check_request)
    addresses = (bridge.settings.bridge.public_url, bridge.settings.bridge.former_urls)
    app.before_request(partial(send_on, *addresses))
    app.teardown_request(lambda _error: log.end())
    app.register_error_handler(HTTPException, site.http_error)
    app.register_error_handler(Exception, site.failed)
    return app


def _at_tools(bridge: Bridge) -> AtTools:
    """How instructors set tests up, and how LMSs that ask for links are answered."""
    answers = LinkAnswers(
        bridge.lms.directory.get,
        bridge.settings.bridge.public_url + lms_routes.LAUNCH_PATH,
        signing_for(bridge.keyring),
        now,
        new_id,
    )
    placing = Placing(bridge.store, bridge.catalogue, answers, Choosing(now), new_id, now)
    choices = StoredChoices(bridge.store.database)
    key = bridge.keyring.secret("sourcedids")
    return AtTools(placing, choices, key, bridge.settings.bridge.public_url + DEEP_LINK_PATH, now)


def _tool_answers(bridge: Bridge) -> ToolAnswers:
    """How tools' answers are believed, with the key sets that access tokens are given by."""
    url = bridge.settings.bridge.public_url
    catalogue = bridge.catalogue
    key_sets = bridge.services.token.key_sets
    leeway_s = bridge.settings.bridge.clock_skew_s
    return ToolAnswers(
        url + DEEP_LINK_PATH,
        bridge.settings.bridge.issuer,
        catalogue.tool13,
        catalogue.consumers,
        key_sets,
        now,
        leeway_s,
        bridge.settings.bridge.formerly(DEEP_LINK_PATH),
        (url, *bridge.settings.bridge.formerly()),
    )


def _tool_registering(bridge: Bridge) -> ToolRegistering:
    """How an invited tool registers itself."""
    return ToolRegistering(
        bridge.settings.bridge.public_url,
        bridge.settings.bridge.issuer,
        __version__,
        {"token_endpoint": TOKEN_PATH, "jwks_uri": JWKS_PATH},
        bridge.lms.store,
        bridge.catalogue.check,
        bridge.tool_store.add,
        now,
        new_id,
    )


def _platform_door(bridge: Bridge, site: Site) -> Blueprint:
    """Where LTI 1.3 tools come for their launches and for the platform's keys."""
    keyring = bridge.keyring
    authorizing = Authorizing(
        bridge.catalogue.tool13,
        Tools13(bridge.store.database).take,
        lambda: keyring.signing("platform"),
        now,
    )
    return routes13.blueprint(
        authorizing,
        bridge.settings.bridge.public_url,
        lambda: (keyring.public_keys("platform"), keyring.etag("platform")),
        site.to_tool,
    )


def start_log(settings: Settings) -> None:
    """Write the log as these settings say."""
    log.configure(settings.bridge.log_level, json=settings.bridge.log_format == "json")


def _overrides(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """What happens to a teacher's value: by LMS, and by activity."""
    by_lms: dict[str, str] = {lms.name: lms.overrides for lms in settings.lms}
    return by_lms, {activity.id: activity.overrides for activity in settings.activity}


def _keeps(
    by_lms: Mapping[str, str], by_activity: Mapping[str, str], registration: str, activity_id: str
) -> bool:
    return (by_activity.get(activity_id) or by_lms.get(registration, "keep")) == "keep"


def http_client(bridge: BridgeTable) -> Client:
    """A way out over HTTP as the settings allow it."""
    return Client(
        allow_private=bridge.allow_private,
        loopback=is_loopback(urlsplit(bridge.public_url).hostname or ""),
        timeout_s=bridge.call_timeout_s,
        user_agent=f"lti-bridge/{__version__}",
    )
