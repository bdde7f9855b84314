"""The key sets of others: fetched when needed, kept while trusted, never once per message."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from lti_bridge.errors import BridgeError, NetworkFailed
from lti_bridge.lti.keys import parse_key_set

SHORTEST = timedelta(minutes=5)
USUAL = timedelta(hours=1)
LONGEST = timedelta(hours=24)
GRACE = timedelta(hours=24)
BUDGET = 4.0  # fetches of one address at once, in a process
REFILL = timedelta(seconds=15)  # for one more: a key used since a moment ago is found at once
WAIT_S = 2.0  # of a request, for a fetch that a thread of its own makes
SLOW_S = 60.0
MAX_BODY = 256 * 1024

_MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class Answer(Protocol):
    """As much of an HTTP answer as is needed of a key set."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names ignore case."""

    @property
    def body(self) -> bytes:
        """The whole body."""


@dataclass(frozen=True, slots=True)
class _Known:
    keys: Mapping[str, RSAPublicKey]
    read_at: datetime
    fresh_until: datetime
    usable_until: datetime


class _Flight:
    """One fetch under way. Whoever needs it may wait until `until`, all of them the same time."""

    def __init__(self, begun: float, patience: float) -> None:
        self.landed = threading.Event()
        self.begun = begun  # for who waits: its thread may come to run later
        self.until = begun + patience


@dataclass(slots=True)
class _Source:
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: _Known | None = None
    flight: _Flight | None = None
    budget: float = BUDGET
    counted_at: datetime | None = None
    slow_until: float = 0.0
    failure: str = ""


class KeySets:
    """Public keys per address, shared by all threads of a process.

    A fresh set with the wanted key is read without a lock. Everything else is fetched by a thread
    of its own, one an address, at most BUDGET times at once and one more every REFILL, whatever
    ids are asked for. Callers wait WAIT_S seconds of a fetch between them, not each, and not at
    all for SLOW_S seconds after one that took longer: an address that hangs holds up nobody. Keys
    outlive a dead endpoint by GRACE, no longer.
    """

    def __init__(self, fetch: Callable[[str], Answer], clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sources: dict[str, _Source] = {}

    def keys(self, url: str, kid: str) -> Mapping[str, RSAPublicKey]:
        """Return the trusted keys of this address, looked up again if `kid` is not among them.

        The result may still lack `kid`. Raises NetworkFailed when no trusted keys can be had, or
        not yet: they are being fetched, and the same question may be answered in a moment.
        """
        source = self._sources.get(url) or self._sources.setdefault(url, _Source())
        now, known = self._clock(), source.known
        if known and kid in known.keys and now < known.fresh_until:
            return known.keys
        flight = self._begin(source, url, known)
        if flight is not None:
            flight.landed.wait(max(0.0, flight.until - time.monotonic()))
        known = source.known
        under_way = flight is not None and not flight.landed.is_set()
        if known is None or self._clock() >= known.usable_until:
            raise NetworkFailed(f"no trusted keys from {url}: {source.failure or 'no answer yet'}")
        if under_way and kid not in known.keys:
            raise NetworkFailed(f"{url}: its keys are being looked up again, without an end yet")
        return known.keys

    def kept(self, url: str) -> Mapping[str, RSAPublicKey]:
        """Return the keys of this address that are known now, fetching none."""
        source = self._sources.get(url)
        return source.known.keys if source is not None and source.known else {}

    def ages(self) -> dict[str, float]:
        """How many seconds ago the keys were read that are known, by address."""
        now = self._clock()
        sources = list(self._sources.items())
        known = [(url, source.known) for url, source in sources]
        return {url: (now - one.read_at).total_seconds() for url, one in known if one}

    def _begin(self, source: _Source, url: str, seen: _Known | None) -> _Flight | None:
        """The fetch under way, or a new one; None when there is no need, or no budget left."""
        with source.lock:
            if source.flight is not None or source.known is not seen:
                return source.flight
            if not _spend(source, self._clock()):
                return None
            begun = time.monotonic()
            patience = 0.0 if begun < source.slow_until else WAIT_S
            flight = source.flight = _Flight(begun, patience)
        flying = (source, flight, url)
        try:
            threading.Thread(target=self._fly, args=flying, name="key-set", daemon=True).start()
        except RuntimeError:  # the system has no further thread now: a fetch that failed
            with source.lock:
                source.failure, source.flight = "no thread could be started", None
            flight.landed.set()
        return flight

    def _fly(self, source: _Source, flight: _Flight, url: str) -> None:
        now = self._clock()
        known, failure = source.known, ""
        try:
            known = _read(self._fetch(url), now)
        except BridgeError as err:
            failure = str(err)
        except Exception as err:  # whatever it is, the next fetch may go better
            failure = type(err).__name__
        with source.lock:
            source.known, source.failure, source.flight = known, failure, None
            ended = time.monotonic()
            source.slow_until = ended + SLOW_S if ended - flight.begun >= WAIT_S else 0.0
        flight.landed.set()


def _spend(source: _Source, now: datetime) -> bool:
    """Take one fetch of the budget; False when none is left now."""
    since = max(now - source.counted_at, timedelta()) if source.counted_at else timedelta()
    source.budget, source.counted_at = min(BUDGET, source.budget + since / REFILL), now
    if source.budget < 1:
        return False
    source.budget -= 1
    return True


def read_keys(answer: Answer) -> dict[str, RSAPublicKey]:
    """Return the usable keys of a key set as it was fetched, by `kid`; there may be none.

    Raises NetworkFailed for an answer that is no key set, or too long for one.
    """
    if answer.status != 200 or len(answer.body) > MAX_BODY:
        raise NetworkFailed(f"status {answer.status}, {len(answer.body)} bytes")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as err:
        raise NetworkFailed("the key set is not JSON") from err
    return parse_key_set(document)


def _read(answer: Answer, now: datetime) -> _Known:
    fresh_until = now + _life(answer.headers)
    return _Known(MappingProxyType(read_keys(answer)), now, fresh_until, fresh_until + GRACE)


def _life(headers: Mapping[str, str]) -> timedelta:
    stated = _MAX_AGE.search(headers.get("Cache-Control", ""))
    if stated is None:
        return USUAL
    return min(max(timedelta(seconds=int(stated[1])), SHORTEST), LONGEST)
