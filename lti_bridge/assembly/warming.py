"""Before an activity opens: keys and tokens of its LMSs are fetched, so that no student waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

from lti_bridge.assembly.bridge import Bridge
from lti_bridge.errors import BridgeError
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti import ags
from lti_bridge.store import openings
from lti_bridge.store.openings import Opening

log = logging.getLogger("lti_bridge.warming")

AHEAD = timedelta(minutes=5)
LOOK_S = 60.0


class Warming:
    """A thread of one process, which fetches what that process needs: keys to verify launches by
    (web), tokens to bring grades with (worker). Each opening is seen to once."""

    def __init__(self, bridge: Bridge, kind: str) -> None:
        self._bridge = bridge
        self._kind = kind
        self._done: set[Opening] = set()
        self._ended = threading.Event()

    def begin(self) -> None:
        """Look from now on."""
        threading.Thread(target=self._run, name="warming", daemon=True).start()

    def look(self) -> None:
        """Fetch what will be needed for all that opens soon."""
        fresh = [one for one in self._soon() if one not in self._done]
        if not fresh:
            return
        ids = [one.activity_id for one in fresh]
        for name, deployment_id in openings.places(self._bridge.store.database, ids):
            lms = self._bridge.lms.directory.get(name)
            if isinstance(lms, Registration13):
                self._fetch(lms, deployment_id)
        self._done.update(fresh)

    def _soon(self) -> Iterator[Opening]:
        now = self._bridge.clock()
        until = now + AHEAD
        for one in self._bridge.settings.activity:
            if one.opens_at and now < one.opens_at <= until:
                yield Opening(one.id, one.opens_at)
        yield from openings.soon(self._bridge.store.database, now, until)

    def _fetch(self, lms: Registration13, deployment_id: str) -> None:
        parts = self._bridge.lms
        try:
            if self._kind == "web":
                parts.lms13.keysets.keys(lms.jwks_url, "")
            else:
                parts.gradebooks.tokens.get(lms, frozenset({ags.SCORE}), deployment_id)
        except BridgeError as error:  # it is tried again when it is needed
            log.warning("warming.failed", extra={"registration": lms.name, "reason": error.detail})
        else:
            log.info("warming.fetched", extra={"registration": lms.name, "kind": self._kind})

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # as a rule the database is away
                log.warning("warming.broke", extra={"reason": type(error).__name__})
            if self._ended.wait(LOOK_S):
                return
