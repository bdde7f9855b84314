"""Putting the bridge together: the parts from the settings, and the Flask app around them."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

from lti_bridge import __version__, log
from lti_bridge.catalogue import Catalogue
from lti_bridge.core.callbacks import Callbacks
from lti_bridge.core.identity import pairwise
from lti_bridge.core.launching import Launching
from lti_bridge.core.passback import Passback
from lti_bridge.core.polling import Polling
from lti_bridge.core.results import Results
from lti_bridge.keyring import Keyring
from lti_bridge.lms import routes as lms_routes
from lti_bridge.lms.deliver import Gradebooks
from lti_bridge.lms.keysets import KeySets
from lti_bridge.lms.line_items import LineItems
from lti_bridge.lms.receive11 import Lms11
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lms.tokens import Tokens
from lti_bridge.net import Client
from lti_bridge.providers import routes as provider_routes
from lti_bridge.providers.outcomes import OutcomeService
from lti_bridge.queue import Waker, open_queue
from lti_bridge.settings import BridgeTable, Lms11Table, Lms13Table, Settings, is_loopback, load
from lti_bridge.store.columns import Columns
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store
from lti_bridge.toolbox import Toolbox
from lti_bridge.web.rendering import Pages
from lti_bridge.web.site import Site

CONFIG_VARIABLE = "LTI_BRIDGE_CONFIG"
MAX_BODY = 1_048_576  # bytes
ID_BYTES = 16  # 128 bits


def now() -> datetime:
    """The present time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh unguessable id: 22 URL-safe characters."""
    return secrets.token_urlsafe(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Bridge:
    """All parts of a running bridge, for the web app, the worker and the command line."""

    settings: Settings
    keyring: Keyring
    store: Store
    catalogue: Catalogue
    launching: Launching
    results: Results
    polling: Polling
    callbacks: Callbacks
    passback: Passback
    lms11: Lms11
    lms13: Lms13
    outcomes: OutcomeService
    waker: Waker


def build(settings: Settings) -> Bridge:
    """Build every part. Raises ConfigurationError when the settings do not fit together."""
    public_url = settings.bridge.public_url
    keyring = Keyring.open(Path(settings.bridge.keys_dir), now)
    store = Store(Database(settings.bridge.database_url), now)
    toolbox = Toolbox(settings.bridge, store, keyring.secret("hooks"))
    catalogue = Catalogue(settings, toolbox.tools, toolbox.hook_token)
    waker = Waker(open_queue(settings.bridge.queue_url))
    results = Results(store, new_id, waker.wake)
    secret = keyring.secret("sourcedids")
    outcome_url = public_url + provider_routes.OUTCOMES_PATH
    return_url = public_url + provider_routes.RETURN_PATH
    hook_url = public_url + provider_routes.HOOKS_PATH
    polling = Polling(
        store, catalogue, results, now, partial(pairwise, secret), catalogue.settings_of
    )
    columns = Columns(store.database)
    titles = {activity.id: activity.title for activity in catalogue.activities()}
    lms11, lms13, gradebooks = _lms_door(settings, keyring, columns, titles)
    return Bridge(
        settings=settings,
        keyring=keyring,
        store=store,
        catalogue=catalogue,
        launching=Launching(
            store,
            catalogue,
            secret,
            new_id,
            public_url,
            outcome_url,
            return_url,
            hook_url,
            now,
            waker.wake,
        ),
        results=results,
        polling=polling,
        callbacks=Callbacks(store, catalogue, polling, secret, now, waker.wake),
        passback=Passback(store, gradebooks, now, random.SystemRandom().random),
        lms11=lms11,
        lms13=lms13,
        outcomes=OutcomeService(outcome_url, secret, catalogue.consumers, results, now, new_id),
        waker=waker,
    )


def create_app(settings: Settings) -> Flask:
    """The web app: the doors, the pages, and one way to answer every error."""
    return web_app(build(settings))


def web_app(bridge: Bridge) -> Flask:
    """The Flask app of an already built bridge."""
    app = Flask("lti_bridge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_PARTS"] = 1000
    pages = Pages(urlsplit(bridge.settings.bridge.public_url).path)
    site = Site(pages, bridge.launching, bridge.store, log.reference)
    door = lms_routes.LmsDoor(
        bridge.lms11,
        bridge.lms13,
        lambda: (bridge.keyring.public_keys("tool"), bridge.keyring.etag("tool")),
        site.launched,
    )
    app.register_blueprint(lms_routes.blueprint(door))
    app.register_blueprint(
        provider_routes.blueprint(bridge.outcomes, bridge.callbacks, site.returned)
    )
    app.register_blueprint(site.blueprint())
    app.register_error_handler(HTTPException, site.http_error)
    app.register_error_handler(Exception, site.failed)
    return app


def from_environment() -> Flask:
    """The web app of the configuration file named in LTI_BRIDGE_CONFIG (for WSGI servers)."""
    settings = load(Path(os.environ.get(CONFIG_VARIABLE, "config.toml")))
    log.configure(settings.bridge.log_level, json=settings.bridge.log_format == "json")
    return create_app(settings)


def http_client(bridge: BridgeTable) -> Client:
    """A way out over HTTP as the settings allow it."""
    return Client(
        allow_private=bridge.allow_private,
        loopback=is_loopback(urlsplit(bridge.public_url).hostname or ""),
        timeout_s=bridge.call_timeout_s,
        user_agent=f"lti-bridge/{__version__}",
    )


def _lms_door(
    settings: Settings, keyring: Keyring, columns: Columns, titles: Mapping[str, str]
) -> tuple[Lms11, Lms13, Gradebooks]:
    bridge = settings.bridge
    registrations11 = [_registration11(lms) for lms in settings.lms if isinstance(lms, Lms11Table)]
    registrations13 = [_registration13(lms) for lms in settings.lms if isinstance(lms, Lms13Table)]
    client = http_client(bridge)
    launch_url = bridge.public_url + lms_routes.LAUNCH_PATH
    lms13 = Lms13(
        Registrations(registrations13),
        KeySets(lambda url: client.send("GET", url), now),
        keyring.secret("state"),
        bridge.public_url + lms_routes.LOGIN_PATH,
        launch_url,
        bridge.public_url,
        now,
        secrets.token_bytes,
        leeway_s=bridge.clock_skew_s,
    )
    lms11 = Lms11({one.consumer_key: one for one in registrations11}, launch_url, now)
    tokens = Tokens(client.send, lambda: keyring.signing("tool"), now, secrets.token_bytes)
    named: dict[str, Registration11 | Registration13] = {}
    named.update((one.name, one) for one in registrations11)
    named.update((one.name, one) for one in registrations13)
    lease_s = 5 * bridge.call_timeout_s
    line_items = LineItems(tokens, columns, titles, now, new_id, lease_s)
    return lms11, lms13, Gradebooks(named, tokens, client.send, now, new_id, line_items)


def _registration11(table: Lms11Table) -> Registration11:
    return Registration11(
        name=table.name,
        consumer_key=table.consumer_key,
        shared_secret=table.shared_secret.get_secret_value(),
        method=table.signature,
        timestamp_window_s=table.timestamp_window_s,
        inline=table.inline,
        origins=tuple(table.origins),
    )


def _registration13(table: Lms13Table) -> Registration13:
    ids = table.deployment_ids
    return Registration13(
        name=table.name,
        issuer=table.issuer,
        client_id=table.client_id,
        authorization_url=table.authorization_url,
        token_url=table.token_url,
        jwks_url=table.jwks_url,
        deployment_ids=None if ids == "any" else frozenset(ids),
        auth_audience=table.auth_audience,
        inline=table.inline,
    )
