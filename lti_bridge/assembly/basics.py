"""What every part of a bridge is made of: settings, keys, a database, a way out, a clock, ids."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from lti_bridge import __version__
from lti_bridge.core.journal import hop
from lti_bridge.keyring import Keyring
from lti_bridge.net import Client
from lti_bridge.settings import BridgeTable, Settings, is_loopback
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store

RANDOM_BYTES = 12  # of an id, beside the four of its time


def now() -> datetime:
    """The present time by this machine, aware and in UTC.

    Where machines share a database, `Basics.clock` tells the time that holds between them.
    """
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh unguessable id: 22 URL-safe characters, which no command takes for an option.

    It begins with the second it was made in, so that new rows stand together in every index that
    begins with an id: where they stood anywhere, each wrote pages of its own in a large database.
    96 bits of it are random. Until 2100 none begins with a hyphen.
    """
    made = int(time.time()).to_bytes(4, "big") + secrets.token_bytes(RANDOM_BYTES)
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def http_client(bridge: BridgeTable) -> Client:
    """A way out over HTTP as the settings allow it."""
    return Client(
        allow_private=bridge.allow_private,
        loopback=is_loopback(urlsplit(bridge.public_url).hostname or ""),
        timeout_s=bridge.call_timeout_s,
        user_agent=f"lti-bridge/{__version__}",
        heard=hop.called,
    )


@dataclass(frozen=True, slots=True)
class Basics:
    """The ground that the parts stand on. `key` derives pseudonyms, sourcedids and owners."""

    settings: Settings
    keyring: Keyring
    store: Store
    client: Client
    key: bytes
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    @classmethod
    def of(cls, settings: Settings) -> Basics:
        """Opened as the settings say. Raises ConfigurationError for what cannot be opened."""
        keyring = Keyring.open(Path(settings.bridge.keys_dir), now)
        database = Database(settings.bridge.database_url, settings.bridge.database_connections)
        clock = now if database.is_sqlite else DatabaseClock(database, now)
        return cls(
            settings=settings,
            keyring=keyring,
            store=Store(database, clock),
            client=http_client(settings.bridge),
            key=keyring.secret("sourcedids"),
            clock=clock,
            new_id=new_id,
        )

    @property
    def table(self) -> BridgeTable:
        """The settings of the bridge itself."""
        return self.settings.bridge

    @property
    def url(self) -> str:
        """Where the bridge is reached."""
        return self.settings.bridge.public_url
