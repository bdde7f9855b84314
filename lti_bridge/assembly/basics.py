"""What every part of a bridge is made of: settings, keys, a database, a way out, a clock, ids."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from lti_bridge import __version__
from lti_bridge.keyring import Keyring
from lti_bridge.net import Client
from lti_bridge.settings import BridgeTable, Settings, is_loopback
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store

ID_BYTES = 16  # 128 bits


def now() -> datetime:
    """The present time by this machine, aware and in UTC.

    Where machines share a database, `Basics.clock` tells the time that holds between them.
    """
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh unguessable id: 22 URL-safe characters, which no command takes for an option."""
    while (made := secrets.token_urlsafe(ID_BYTES)).startswith("-"):
        pass
    return made


def http_client(bridge: BridgeTable) -> Client:
    """A way out over HTTP as the settings allow it."""
    return Client(
        allow_private=bridge.allow_private,
        loopback=is_loopback(urlsplit(bridge.public_url).hostname or ""),
        timeout_s=bridge.call_timeout_s,
        user_agent=f"lti-bridge/{__version__}",
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
        database = Database(settings.bridge.database_url)
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
