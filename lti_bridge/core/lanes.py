"""Lanes: work with one outside party never takes the room of work with others.

Each party has a lane: so much work at a time, and none while the party does not answer. After a
pause that grows one piece of work tries whether it is back, and the first answer opens the lane
for all that waited. Lanes are one process's own; work is claimed by rows, so none is lost with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

log = logging.getLogger("lti_bridge.lanes")

ROOM = 16  # pieces of work with one party at a time
MOST = 48  # with all parties
DOWN_AFTER = 3  # times in a row that a party has not answered
PAUSES_S = (1, 2, 5, 10, 15)  # before the 1st, 2nd, … try whether it is back; the last one repeats
LOOK_S = 0.05  # how often, while some work is under way, more is claimed

Work = TypeVar("Work")
Claimed = TypeVar("Claimed", covariant=True)


class Claim(Protocol[Claimed]):
    """Claims work that is due, oldest first, at most `limit`."""

    def __call__(
        self, limit: int, *, but: Collection[str] = (), only: str = ""
    ) -> Sequence[Claimed]:
        """Not that of the lanes `but`, or only that of the lane `only`."""


@dataclass(slots=True)
class _Lane:
    under_way: int = 0
    unanswered: int = 0  # in a row
    try_at: datetime | None = None  # when it is down

    def fail(self, now: datetime) -> None:
        self.unanswered += 1
        if (over := self.unanswered - DOWN_AFTER) >= 0:
            self.try_at = now + timedelta(seconds=PAUSES_S[min(over, len(PAUSES_S) - 1)])


@dataclass(slots=True)
class Lanes(Generic[Work]):
    """The lanes of one kind of work.

    `clock` tells the time; `of` the lane of a piece of work, the name of its party; `what` is the
    log's word for such a name.
    """

    clock: Callable[[], datetime]
    of: Callable[[Work], str]
    what: str
    room: int = ROOM
    most: int = MOST
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    def run(
        self,
        pool: ThreadPoolExecutor,
        claim: Claim[Work],
        work: Callable[[Work], bool],
        *,
        meanwhile: Callable[[Sequence[Work]], None] = lambda under_way: None,
    ) -> int:
        """Do all that is due now; returns how much. `work` says whether its party answered.

        `meanwhile` is told again and again what is under way.
        """
        done = 0
        under_way: dict[Future[bool], Work] = {}
        while True:
            meanwhile(list(under_way.values()))
            for piece in self._claim(claim, self.most - len(under_way)):
                under_way[pool.submit(work, piece)] = piece
            if not under_way:
                return done
            # a slow party keeps its own work waiting, not what comes due meanwhile
            wait(under_way, timeout=LOOK_S)
            for future in [one for one in under_way if one.done()]:
                name = self.of(under_way.pop(future))
                self._ended(name, answered=future.result())
                done += 1

    def down(self) -> frozenset[str]:
        """The lanes whose parties do not answer."""
        return frozenset(name for name, lane in self._lanes.items() if lane.try_at is not None)

    def next_try(self) -> datetime | None:
        """When it is tried next whether one of them is back; None: all answer, or a try is on."""
        waiting = [one.try_at for one in self._lanes.values() if one.try_at and not one.under_way]
        return min(waiting, default=None)

    def _claim(self, claim: Claim[Work], room: int) -> list[Work]:
        claimed: list[Work] = []
        for name in self._to_try()[:room]:
            claimed += self._begun(claim(1, only=name))
        while len(claimed) < room:
            busy = self._busy()
            fullest = max((lane.under_way for lane in self._open(busy)), default=0)
            limit = min(room - len(claimed), self.room - fullest)
            found = self._begun(claim(limit, but=busy))
            claimed += found
            if len(found) < limit:
                break
        return claimed

    def _begun(self, found: Sequence[Work]) -> list[Work]:
        for piece in found:
            self._lanes.setdefault(self.of(piece), _Lane()).under_way += 1
        return list(found)

    def _to_try(self) -> list[str]:
        now = self.clock()
        return [
            name
            for name, lane in self._lanes.items()
            if lane.try_at is not None and lane.try_at <= now and not lane.under_way
        ]

    def _busy(self) -> frozenset[str]:
        full = (name for name, lane in self._lanes.items() if lane.under_way >= self.room)
        return self.down().union(full)

    def _open(self, busy: Collection[str]) -> list[_Lane]:
        return [lane for name, lane in self._lanes.items() if name not in busy]

    def _ended(self, name: str, *, answered: bool) -> None:
        lane = self._lanes[name]
        lane.under_way -= 1
        was_down = lane.try_at is not None
        if answered:
            lane.unanswered, lane.try_at = 0, None
        else:
            lane.fail(self.clock())
        is_down = lane.try_at is not None
        if is_down != was_down:
            log.warning("lane.down" if is_down else "lane.open", extra={self.what: name})
