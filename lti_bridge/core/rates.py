"""How many pieces of work with one party may begin in a minute, where a setting says so."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

BURST_S = 5.0  # how much of a rate may be used at once after a rest


@dataclass(slots=True)
class Rate:
    """So many a minute; 0: any number. Times are seconds of one clock."""

    per_minute: int
    _left: float = field(init=False)
    _counted_at: float = 0.0

    def __post_init__(self) -> None:
        self._left = self._most

    def free(self, now: float) -> int | None:
        """How many may begin now; None: any number."""
        return int(self._refilled(now)) if self.per_minute else None

    def take(self, now: float) -> None:
        """One begins."""
        self._left, self._counted_at = self._refilled(now) - 1, now

    def wait_s(self, now: float) -> float:
        """In how many seconds one may begin; 0: now."""
        if not self.per_minute:
            return 0.0
        return max(0.0, (1 - self._refilled(now)) * 60 / self.per_minute)

    @property
    def _most(self) -> float:
        return max(1.0, self.per_minute * BURST_S / 60)

    def _refilled(self, now: float) -> float:
        since = max(0.0, now - self._counted_at)
        return min(self._most, self._left + since * self.per_minute / 60)


class Rates:
    """The rates of all parties of one kind; whatever is done with a party counts as one.

    `own` are those of parties by name, `usual` is the others'.
    """

    def __init__(self, own: Mapping[str, int] | None = None, usual: int = 0) -> None:
        self._own, self._usual = own or {}, usual
        self._rates: dict[str, Rate] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Rate:
        """The rate of a party, the same object each time; callers share a lock of theirs."""
        with self._lock:
            return self._rates.setdefault(name, Rate(self._own.get(name, self._usual)))
