"""What each connection's provider gets from the bridge: a way out, a clock, counters, a MAC."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from functools import partial

from lti_bridge.assembly.basics import Basics
from lti_bridge.core.attempt.owners import Name, Owners
from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.tool.launches import Origin
from lti_bridge.errors import ProviderBusy
from lti_bridge.net import Client, Response
from lti_bridge.platform.launch11 import Platform, Tool11
from lti_bridge.platform.launch13 import Tool13
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.routes import HOOKS_PATH
from lti_bridge.settings import ConnectionTable
from lti_bridge.store.rosters import Rosters
from lti_bridge.store.tools13 import Tools13

WAIT_S = 5.0  # how long a click waits for its turn at a busy connection


class Toolbox:
    """Makes the tools of every connection."""

    def __init__(self, basics: Basics, owners: Owners) -> None:
        self._basics = basics
        self._key = basics.keyring.secret("hooks")  # derives hook tokens and MACs
        self._owners = owners
        self._launches = Tools13(basics.store.database)
        self._rosters = Rosters(basics.store.database)

    def tools(self, table: ConnectionTable) -> Tools:
        """The tools of one connection."""
        basics, store = self._basics, self._basics.store
        hook_token = table.hook_token or self.hook_token(table.name)
        platform = Platform(
            clock=basics.clock,
            new_nonce=lambda: secrets.token_urlsafe(16),
            public_url=basics.url,
            issuer=basics.table.issuer,
            name=basics.table.name,
            sign=lambda text: self._mac("sign", table.name, text),
            keep_launch=lambda launch: self._launches.keep(launch, basics.clock()),
            has_roster=self._has_roster,
        )
        return Tools(
            clock=platform.clock,
            connection=table.name,
            send=_Turnstile(basics.client, table.timeout_s, table.max_in_flight).send,
            next_number=lambda name: store.next_number(f"{table.name}:{name}"),
            last_number=lambda name: store.last_number(f"{table.name}:{name}"),
            reserve=partial(store.reserve, table.name),
            give_back=partial(store.give_back, table.name),
            sign=platform.sign,
            claim=partial(self._claim, table.name),
            hook_url=f"{basics.url}{HOOKS_PATH}{table.name}/{hook_token}",
            tool11=lambda url, credentials: Tool11(url, credentials, platform),
            tool13=lambda registration, allow: Tool13(registration, platform, allow),
        )

    def hook_token(self, name: str) -> str:
        """The secret in the hook address of a connection that has none in the configuration."""
        return self._mac("hook", name)

    def _claim(self, connection: str, session: Session, *names: Name) -> None:
        self._owners.claim_candidate(connection, session.origin.learner_id, *names)

    def _has_roster(self, origin: Origin) -> bool:
        course = (origin.registration, origin.deployment_id, origin.context_id)
        return origin.listed or bool(self._rosters.memberships_url(*course))

    def _mac(self, *parts: str) -> str:
        message = b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts)
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest)[:32].decode()


class _Turnstile:
    """Lets so many calls of one connection through at a time, per process."""

    def __init__(self, client: Client, timeout_s: float, max_in_flight: int) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._turns = threading.BoundedSemaphore(max_in_flight)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """One call, in its turn. Raises ProviderBusy when it does not come soon."""
        if not self._turns.acquire(timeout=WAIT_S):
            raise ProviderBusy("max_in_flight calls are under way")
        try:
            return self._client.send(
                method, url, headers=headers or {}, body=body, timeout_s=self._timeout_s
            )
        finally:
            self._turns.release()
