"""The key sets of others: fetched when needed, kept while trusted, never once per message."""

from __future__ import annotations

import json
import re
import threading
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
COOLDOWN = timedelta(seconds=30)
WAIT_S = 10.0
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
    fresh_until: datetime
    usable_until: datetime


@dataclass(slots=True)
class _Source:
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: _Known | None = None
    next_fetch: datetime | None = None
    failure: str = ""


class KeySets:
    """Public keys per address, shared by all threads of a process.

    A fresh set with the wanted key is read without a lock. One thread fetches; the others use
    what they have, or wait for it at most WAIT_S seconds. An address is asked at most once per
    `cooldown`, whatever ids are asked for. Keys outlive a dead endpoint by GRACE, no longer.
    """

    def __init__(
        self,
        fetch: Callable[[str], Answer],
        clock: Callable[[], datetime],
        cooldown: timedelta = COOLDOWN,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._cooldown = cooldown
        self._sources: dict[str, _Source] = {}

    def keys(self, url: str, kid: str) -> Mapping[str, RSAPublicKey]:
        """Return the trusted keys of this address, looked up again if `kid` is not among them.

        The result may still lack `kid`. Raises NetworkFailed when no trusted keys can be had.
        """
        source = self._sources.get(url) or self._sources.setdefault(url, _Source())
        now, known = self._clock(), source.known
        if known and kid in known.keys and now < known.fresh_until:
            return known.keys
        usable = known is not None and kid in known.keys and now < known.usable_until
        if source.lock.acquire(timeout=0 if usable else WAIT_S):
            try:
                self._refresh(source, url, kid)
            finally:
                source.lock.release()
        known = source.known
        if known is None or self._clock() >= known.usable_until:
            raise NetworkFailed(f"no trusted keys from {url}: {source.failure or 'no answer yet'}")
        return known.keys

    def _refresh(self, source: _Source, url: str, kid: str) -> None:
        """Fetch, unless another thread just did. The caller holds the lock."""
        now, known = self._clock(), source.known
        if known and kid in known.keys and now < known.fresh_until:
            return
        if source.next_fetch is not None and now < source.next_fetch:
            return
        try:
            source.known = _read(self._fetch(url), now)
            source.failure = ""
        except BridgeError as err:
            source.failure = str(err)
        finally:
            source.next_fetch = self._clock() + self._cooldown


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
    return _Known(MappingProxyType(read_keys(answer)), fresh_until, fresh_until + GRACE)


def _life(headers: Mapping[str, str]) -> timedelta:
    stated = _MAX_AGE.search(headers.get("Cache-Control", ""))
    if stated is None:
        return USUAL
    return min(max(timedelta(seconds=int(stated[1])), SHORTEST), LONGEST)
