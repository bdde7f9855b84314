"""A process that runs says so in the database, and one that does not fit the others is refused."""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import replace
from datetime import timedelta

from lti_bridge import __version__
from lti_bridge.assembly.bridge import Bridge
from lti_bridge.errors import ConfigurationError
from lti_bridge.store import processes
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.processes import Process

log = logging.getLogger("lti_bridge.processes")


class Presence:
    """Says again and again, from a thread of its own, that this process runs (`kind`)."""

    def __init__(self, bridge: Bridge, kind: str) -> None:
        self._bridge = bridge
        self._kind = kind
        self._ended = threading.Event()
        self._said: Process | None = None

    def begin(self) -> None:
        """Say it from now on."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def end(self) -> None:
        """Say that it ends."""
        self._ended.set()
        if self._said is not None:
            try:
                processes.leave(self._bridge.store.database, self._said)
            except Exception as error:  # the database is away: the row grows old by itself
                log.warning("process.not-signed-off", extra={"reason": type(error).__name__})

    def _run(self) -> None:
        while True:
            try:
                self._say()
            except Exception as error:  # the database is away, which everybody else says loudly
                log.debug("process.unheard", extra={"reason": type(error).__name__})
            if self._ended.wait(processes.EVERY_S):
                return

    def _say(self) -> None:
        now = self._bridge.clock()
        said = self._said or Process(
            id=self._bridge.basics.new_id(),
            host=socket.gethostname(),
            kind=self._kind,
            version=__version__,
            keys=which_keys(self._bridge),
            ahead=timedelta(),
            started_at=now,
            seen_at=now,
        )
        clock = self._bridge.clock
        ahead = clock.ahead() if isinstance(clock, DatabaseClock) else timedelta()
        self._said = replace(said, seen_at=now, ahead=ahead)
        if not self._ended.is_set():
            processes.say(self._bridge.store.database, self._said)


def which_keys(bridge: Bridge) -> str:
    """Tells one keys_dir from another, and nothing about what is in it."""
    return bridge.keyring.secret("which keys").hex()[:16]


def refuse_other_keys(bridge: Bridge) -> None:
    """Raise ConfigurationError when another process runs with this database and other keys."""
    now, keys = bridge.clock(), which_keys(bridge)
    for one in processes.known(bridge.store.database):
        if one.runs(now) and one.keys != keys:
            raise ConfigurationError(
                f"bridge: keys_dir: {bridge.settings.bridge.keys_dir} holds other keys than those"
                f" of the {one.kind} process on {one.host}, which uses the same database and was"
                f" seen {(now - one.seen_at).total_seconds():.0f} s ago: share one keys_dir among"
                " all machines, or stop that process and wait for a minute"
            )
