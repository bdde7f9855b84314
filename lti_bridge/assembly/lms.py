"""Putting the bridge together as LTI tool: who may launch, grades, and registrations."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lti_bridge.assembly.basics import Basics
from lti_bridge.errors import ConfigurationError
from lti_bridge.keyring import Keyring, own
from lti_bridge.lms import belonging, migration, routes
from lti_bridge.lms.config_documents import ToolFacts
from lti_bridge.lms.deliver import Gradebooks
from lti_bridge.lms.directory import AllOf, Directory
from lti_bridge.lms.line_items import LineItems
from lti_bridge.lms.notices import Notices
from lti_bridge.lms.receive11 import Lms11
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lms.register import Registering
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.relaunch import Relaunching
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import given_keys
from lti_bridge.lti.keys import SigningKey
from lti_bridge.settings import BridgeTable, Lms11Table, Lms13Table
from lti_bridge.store.columns import Columns
from lti_bridge.store.registrations import RegistrationStore


@dataclass(frozen=True, slots=True)
class LmsParts:
    """The parts that face LMSs."""

    directory: Directory
    store: RegistrationStore
    lms11: Lms11
    lms13: Lms13
    gradebooks: Gradebooks
    registering: Registering
    notices: Notices


def build_lms(basics: Basics, titles: Mapping[str, str]) -> LmsParts:
    """All parts; `titles` are those of the activities in the file."""
    table, keyring, client, clock = basics.table, basics.keyring, basics.client, basics.clock
    lms, store = basics.settings.lms, RegistrationStore(basics.store.database)
    directory = Directory(
        [_registration11(one) for one in lms if isinstance(one, Lms11Table)],
        [registration13(one) for one in lms if isinstance(one, Lms13Table)],
        store,
        time.monotonic,
    )
    tool = _tool(table)
    lms13 = _lms13(basics, directory, tool)
    _make_keys(lms, keyring, clock())
    tokens = Tokens(
        send=client.send,
        signing_key=signing_for(keyring),
        clock=clock,
        random=secrets.token_bytes,
        others=directory.all13,
    )
    return LmsParts(
        directory=directory,
        store=store,
        lms11=_lms11(basics, directory, tool),
        lms13=lms13,
        gradebooks=Gradebooks(
            registrations=AllOf(directory),
            tokens=tokens,
            send=client.send,
            clock=clock,
            new_id=basics.new_id,
            line_items=LineItems(
                tokens=tokens,
                columns=Columns(basics.store.database),
                titles=titles,
                clock=clock,
                new_id=basics.new_id,
                lease_s=5 * table.call_timeout_s,
            ),
        ),
        registering=Registering(
            keeps=store,
            directory=directory,
            send=client.send,
            tool=tool,
            clock=clock,
            make_key=partial(_new_key, keyring, clock),
        ),
        notices=_notices(basics, directory, lms13),
    )


def _notices(basics: Basics, directory: Directory, lms13: Lms13) -> Notices:
    return Notices(
        registration=directory.get,
        keysets=lms13.keysets,
        store=basics.store,
        clock=basics.clock,
        leeway_s=basics.table.clock_skew_s,
    )


def _lms11(basics: Basics, directory: Directory, tool: ToolFacts) -> Lms11:
    relaunching = Relaunching(basics.keyring.secret("relaunch"), basics.url, secrets.token_bytes)
    return Lms11(
        registrations=directory.by_key,
        launch_url=tool.launch_url,
        clock=basics.clock,
        relaunching=relaunching,
        former=basics.table.formerly(routes.LAUNCH_PATH),
    )


def _lms13(basics: Basics, directory: Directory, tool: ToolFacts) -> Lms13:
    return Lms13(
        registrations=directory,
        keysets=given_keys.GivenOrFetched(lambda url: basics.client.send("GET", url), basics.clock),
        state_key=basics.keyring.secret("state"),
        login_url=tool.login_url,
        launch_url=tool.launch_url,
        public_url=basics.url,
        clock=basics.clock,
        random=secrets.token_bytes,
        leeway_s=basics.table.clock_skew_s,
        formerly=partial(migration.with_former, directory=directory),
        former_urls=basics.table.formerly(),
    )


def _make_keys(lms: Sequence[Lms11Table | Lms13Table], keyring: Keyring, now: datetime) -> None:
    """The keys of those LMSs of the file that shall have their own, once."""
    for one in lms:
        if isinstance(one, Lms13Table) and one.own_key and not keyring.has(own(one.name)):
            keyring.make_own(one.name, now)


def signing_for(keyring: Keyring) -> Callable[[Registration13], SigningKey]:
    """What gives the key that signs for an LMS now."""
    return lambda lms: keyring.signing(own(lms.name) if lms.own_key else "tool")


def key_set(keyring: Keyring, directory: Directory, name: str) -> tuple[bytes, str] | None:
    """The key set that an LMS verifies us by, and its entity tag; None for a name nobody has.

    That of an LMS without a key of its own is the shared one, so that its address can be entered
    in the LMS before the key is made.
    """
    known = directory.get(name) if name else None
    shared = not name or (isinstance(known, Registration13) and not known.own_key)
    role = "tool" if shared else own(name)  # one that waits for approval is not known yet
    if not shared and not keyring.has(role):
        return None
    return keyring.public_keys(role), keyring.etag(role)


def _new_key(keyring: Keyring, clock: Callable[[], datetime], name: str) -> None:
    keyring.make_own(name, clock(), anew=True)


def _tool(bridge: BridgeTable) -> ToolFacts:
    url = bridge.public_url
    return ToolFacts(
        name=bridge.name,
        public_url=url,
        launch_url=url + routes.LAUNCH_PATH,
        login_url=url + routes.LOGIN_PATH,
        jwks_url=url + routes.JWKS_PATH,
    )


def _registration11(table: Lms11Table) -> Registration11:
    return Registration11(
        name=table.name,
        consumer_key=table.consumer_key,
        shared_secret=table.shared_secret.get_secret_value(),
        method=table.signature,
        timestamp_window_s=table.timestamp_window_s,
        inline=table.inline,
        origins=tuple(table.origins),
        relaunch=table.relaunch,
    )


def registration13(table: Lms13Table) -> Registration13:
    """What a table of the file says. Raises ConfigurationError for keys that verify nothing."""
    ids = table.deployment_ids
    return Registration13(
        name=table.name,
        issuer=table.issuer,
        client_id=table.client_id,
        authorization_url=table.authorization_url,
        token_url=table.token_url,
        jwks_url=table.jwks_url or _given(table),
        deployment_ids=None if ids == "any" else frozenset(ids),
        auth_audience=table.auth_audience,
        inline=table.inline,
        own_key=table.own_key,
        service_hosts=frozenset(belonging.host(one) for one in table.service_hosts),
    )


def _given(table: Lms13Table) -> str:
    try:
        return given_keys.address(given_keys.checked(table.public_keys))
    except ValueError as error:
        raise ConfigurationError(f"lms {table.name!r}: public_keys: {error}") from error
