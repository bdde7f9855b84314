"""Lanes: what the bridge does with one party takes no room from what it does with others.

Each party (an LMS, a connection) has a lane for each kind of work: so many pieces at a time, fewer
while it says that there are too many, and one now and then while it is away. Lanes are in the
memory of one process (docs/decisions/0021): work is claimed by rows, so none is lost with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from lti_bridge.core.rates import Rates
from lti_bridge.errors import (
    BridgeError,
    DeliveryFailed,
    LmsAway,
    LmsBusy,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
)

log = logging.getLogger("lti_bridge.lanes")

ROOM = 16  # pieces of work with one party at a time
MOST = 64  # with all parties
AWAY_AFTER = 3  # times in a row that a party could not be reached
PAUSES_S = (1, 2, 3)  # before the 1st, 2nd, … try whether it is back; the last one repeats
BUSY_S = 2.0  # where it does not say how long
LONGEST_PAUSE_S = 900.0  # that a party may ask for
UNTRIED = timedelta(seconds=45)  # after which nobody here knows whether a party is still away
LOOK_S = 0.05  # how often, while some work is under way, more is looked for

Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a party's lane stands that is not simply open: `away`, or `busy`, and since when."""

    work: str
    party: str
    state: str
    since: datetime


@dataclass(slots=True)
class _Lane:
    width: float  # how many pieces of work at a time
    under_way: int = 0
    unreached: int = 0  # times in a row
    unserved: int = AWAY_AFTER  # times in a row that nothing was done; who knows, before the first
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    busy_since: datetime | None = None
    not_before: datetime | None = None

    @property
    def away(self) -> bool:
        return self.unreached >= AWAY_AFTER

    def state(self, now: datetime) -> tuple[str, datetime] | None:
        """How it stands and since when; None: open, or nothing is known of it."""
        if self.away and self.failing_since is not None and self.failed_at is not None:
            # other processes may have brought all that waited
            tried = self.under_way > 0 or now - self.failed_at < UNTRIED
            return ("away", self.failing_since) if tried else None
        paused = self.not_before is not None and now < self.not_before
        return ("busy", self.busy_since) if paused and self.busy_since is not None else None

    def free(self, now: datetime) -> int:
        if self.not_before is not None and now < self.not_before:
            return 0
        return (1 if self.away else int(self.width)) - self.under_way


@dataclass(slots=True)
class Lanes:
    """The lanes of one kind of work of one process; safe for its threads.

    `spread` returns a number in 0..1, so that many do not try at once; `what` is the log's word
    for the party; `rates` say how many pieces may begin in a minute. Whoever does the work says how
    its party did: it has `answered`, or what was `heard` of it.
    """

    clock: Callable[[], datetime]
    spread: Callable[[], float]
    what: str
    room: int = ROOM
    most: int = MOST
    rates: Rates = field(default_factory=Rates)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def run(
        self,
        pool: ThreadPoolExecutor,
        due: Callable[[], Mapping[str, datetime]],
        claim: Callable[[str, int], Sequence[Work]],
        work: Callable[[Work], None],
        *,
        meanwhile: Callable[[Sequence[Work]], None] = lambda under_way: None,
    ) -> int:
        """Do all that is due now, in lanes that have room; returns how much.

        `due` says for each party when its first piece of work is due, `claim` takes so many of
        one party, `work` does one and raises nothing; `meanwhile` is told again and again what is
        under way. What these raise is raised once nothing is under way any more.
        """
        done, look_at, waiting = 0, 0.0, dict[str, datetime]()
        under_way: dict[Future[None], Work] = {}

        def begin(name: str, room: int) -> int:
            pieces = claim(name, room)
            for piece in pieces:
                self._begin(name)
                under_way[pool.submit(self._do, name, work, piece)] = piece
            return len(pieces)

        while True:
            fresh = time.monotonic() >= look_at or not under_way
            try:
                meanwhile(list(under_way.values()))
                if fresh:
                    waiting, look_at = dict(due()), time.monotonic() + LOOK_S
                for name, room in self._rooms(waiting):
                    if begin(name, room) < room:
                        del waiting[name]  # until the next look
            except Exception:
                if not under_way:
                    raise
            if not under_way and fresh:
                return done
            # a slow party keeps its own work waiting, not what comes due meanwhile
            wait(under_way, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in [one for one in under_way if one.done()]:
                del under_way[future]
                done += 1

    def heard(self, name: str, error: BridgeError) -> None:
        """What an error says of the party that it came from: away, busy, or an answer."""
        if isinstance(error, LmsBusy | ProviderBusy):
            self.busy(name, error.pause_s)
        elif isinstance(error, LmsAway | ProviderDown | NetworkFailed):
            self.unreached(name)
        else:
            self.answered(name)
            with self._lock:
                self._lane(name).unserved += isinstance(error, DeliveryFailed)

    def served(self, name: str) -> bool:
        """A party has done what it was asked; whether that ends a time in which it did nothing.

        It is also said of what it does first for this process, which knows of no time before.
        """
        self.answered(name)
        with self._lock:
            lane = self._lane(name)
            ends, lane.unserved = lane.unserved >= AWAY_AFTER, 0
        return ends

    def answered(self, name: str) -> None:
        """A party has answered, whatever it said: its lane is open for all that waits."""
        with self._lock:
            lane = self._reached(name)
            lane.busy_since = None
            lane.width = min(lane.width + 1 / lane.width, self.room)

    def unreached(self, name: str) -> None:
        """A party could not be reached; after some times in a row it is away."""
        with self._lock:
            lane = self._lane(name)
            lane.unreached += 1
            lane.unserved += 1
            lane.failed_at = self.clock()
            lane.failing_since = lane.failing_since or lane.failed_at
            if lane.away:
                over = min(lane.unreached - AWAY_AFTER, len(PAUSES_S) - 1)
                self._pause(lane, self._about(PAUSES_S[over]))
            if lane.unreached == AWAY_AFTER:
                log.warning("lane.away", extra={self.what: name})

    def busy(self, name: str, pause_s: float | None) -> None:
        """A party says that too many requests came: half as many, after a pause of that long."""
        with self._lock:
            lane, now = self._reached(name), self.clock()
            if lane.not_before is None or lane.not_before <= now:  # once for all under way
                lane.width = max(lane.width / 2, 1)
                lane.busy_since = lane.busy_since or now
                log.warning("lane.busy", extra={self.what: name})
            seconds = min(pause_s, LONGEST_PAUSE_S) if pause_s else self._about(BUSY_S)
            self._pause(lane, seconds)

    def states(self, work: str) -> list[LaneState]:
        """The lanes that are not open, as lanes of this kind of `work`."""
        now = self.clock()
        with self._lock:
            lanes = list(self._lanes.items())
            found = [(name, lane.state(now)) for name, lane in lanes]
        return [LaneState(work, name, *state) for name, state in found if state]

    def is_away(self, name: str) -> bool:
        """Whether the party does not answer now."""
        with self._lock:
            return name in self._lanes and self._lanes[name].away

    def next_time(self, due: Mapping[str, datetime]) -> datetime | None:
        """When there is something to do next, as far as lanes are not paused; None: nothing."""
        with self._lock:
            return min((self._not_before(name, at) for name, at in due.items()), default=None)

    def close(self) -> None:
        """Nothing more begins; what is under way ends."""
        self._closed = True

    def _rooms(self, waiting: Mapping[str, datetime]) -> list[tuple[str, int]]:
        """How much of each party's due work may begin now; who has least under way comes first."""
        now = self.clock()
        with self._lock:
            left = self.most - sum(lane.under_way for lane in self._lanes.values())
            names = [name for name, at in waiting.items() if at <= now]
            rooms = []
            for place, name in enumerate(sorted(names, key=self._under_way)):
                share = -(-left // (len(names) - place))
                room = 0 if self._closed else min(share, self._lane(name).free(now))
                free = self.rates.of(name).free(now.timestamp())
                room = room if free is None else min(room, free)
                if room > 0:
                    rooms.append((name, room))
                    left -= room
            return rooms

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane(self.room))

    def _reached(self, name: str) -> _Lane:
        lane = self._lane(name)
        if lane.away:
            lane.not_before = None
            log.warning("lane.open", extra={self.what: name})
        lane.unreached, lane.failing_since = 0, None
        return lane

    def _under_way(self, name: str) -> int:
        return self._lane(name).under_way

    def _begin(self, name: str) -> None:
        with self._lock:
            self._lane(name).under_way += 1
            self.rates.of(name).take(self.clock().timestamp())

    def _do(self, name: str, work: Callable[[Work], None], piece: Work) -> None:
        try:
            work(piece)
        finally:
            with self._lock:
                self._lane(name).under_way -= 1

    def _not_before(self, name: str, at: datetime) -> datetime:
        lane, now = self._lanes.get(name), self.clock()
        if wait_s := self.rates.of(name).wait_s(now.timestamp()):
            at = max(at, now + timedelta(seconds=wait_s))
        return max(at, lane.not_before) if lane and lane.not_before else at

    def _about(self, seconds: float) -> float:
        return seconds * (0.75 + 0.5 * self.spread())

    def _pause(self, lane: _Lane, seconds: float) -> None:
        until = self.clock() + timedelta(seconds=seconds)
        lane.not_before = max(lane.not_before or until, until)
