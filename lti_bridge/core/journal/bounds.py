"""How much of what anybody can send is kept in the journal: so many a minute of each party."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from lti_bridge.core.journal.hop import Hop

REFUSED = 60  # a minute, of one party and one process
LOGINS = 1200  # likewise: they come before any proof, and many at the beginning of an exam
MINUTE_S = 60.0
MAX_PARTIES = 1000  # of which is known in one minute what was left out; more are counted as one


class Bounds:
    """Counts hops by party and minute. A stranger's are all of one party, which has no name.

    Times are those of the hops.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._kept: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[tuple[str, str]] = Counter()
        self._over: list[tuple[int, str, str, int]] = []

    def takes(self, hop: Hop) -> bool:
        """Whether there is room for this hop; what went well with a proved party always has."""
        if hop.proved and not hop.code:
            return True
        most = REFUSED if hop.code else LOGINS
        who = (hop.kind if hop.code else "login", hop.party or f"?{hop.registration}")
        with self._lock:
            self._turn(int(hop.at // MINUTE_S))
            if self._kept[who] < most and len(self._kept) < MAX_PARTIES:
                self._kept[who] += 1
                return True
            self._left_out[who] += 1
            return False

    def left_out(self, now: float) -> Iterator[Hop]:
        """For each party of a minute that is over, a hop that tells how many were left out."""
        with self._lock:
            self._turn(int(now // MINUTE_S))
            over, self._over = self._over, []
        for minute, kind, party, count in over:
            name = party.lstrip("?")
            yield Hop(
                "left-out",
                "",
                at=(minute + 1) * MINUTE_S,
                proved=not party.startswith("?"),
                registration=name,
                said=f"{count} of kind {kind}",
                count=count,
            )

    @property
    def owes(self) -> bool:
        """Whether something is left out that nobody was told of yet."""
        return bool(self._left_out or self._over)

    def _turn(self, minute: int) -> None:
        if minute > self._minute:
            self._over += [(self._minute, *who, count) for who, count in self._left_out.items()]
            self._minute = minute
            self._kept.clear()
            self._left_out.clear()
