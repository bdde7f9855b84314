"""Who may see the pages for admins: whoever opened a link that was made where the bridge runs.

A link is good once and becomes the session of the browser that opened it. Of both only digests are
kept, so that nobody who reads the database can sign in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lti_bridge.core.tool.launches import digest
from lti_bridge.errors import AdminsOnly

LINK_FOR = timedelta(minutes=10)
SESSION_FOR = timedelta(hours=8)
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Admin:
    """A link (not `entered`) or a session, by its `id`, and until when it is good."""

    id: str
    name: str
    entered: bool
    created_at: datetime
    until: datetime


class AdminStore(Protocol):
    """The links and sessions that are kept. `secret` is always a digest."""

    def add(self, admin: Admin, secret: str) -> None:
        """Keep a link."""

    def enter(self, link: str, secret: str, now: datetime, until: datetime) -> bool:
        """Make a link that is still good a session with another secret; False: it is not good."""

    def of(self, secret: str, now: datetime) -> Admin | None:
        """The session with this secret, while it lasts."""

    def all(self, now: datetime) -> list[Admin]:
        """All that are good now, the newest first."""

    def end(self, admin_id: str) -> int:
        """Delete one, or all where the id is empty; how many."""


@dataclass(frozen=True, slots=True)
class Admins:
    """Lets admins in. `new_id` makes ids that nobody has to guess."""

    store: AdminStore
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def invite(self, name: str) -> tuple[Admin, str]:
        """A new link for somebody, and the secret that belongs into its address."""
        now, secret = self.clock(), secrets.token_urlsafe(32)
        made = Admin(self.new_id(), name, entered=False, created_at=now, until=now + LINK_FOR)
        self.store.add(made, digest(secret))
        return made, secret

    def enter(self, link: str) -> str:
        """The secret of the session that this link becomes. Raises AdminsOnly for any other."""
        now, secret = self.clock(), secrets.token_urlsafe(32)
        if not self.store.enter(digest(link), digest(secret), now, now + SESSION_FOR):
            raise AdminsOnly("a link that is unknown, used or too old")
        return secret

    def session(self, secret: str) -> Admin:
        """Whose session that is. Raises AdminsOnly where there is none any more."""
        found = self.store.of(digest(secret), self.clock()) if secret else None
        if found is None:
            raise AdminsOnly("no session" if secret else "not signed in")
        return found
