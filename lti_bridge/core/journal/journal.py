"""The journal of one process: hops wait in a bounded queue, and one thread writes them down.

Whoever answers a request hands a hop over and goes on: nothing here is in their transaction, and
nobody waits for a disk. A process that is killed loses the hops of less than a second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lti_bridge.core.journal import hop as hops
from lti_bridge.core.journal.bounds import Bounds
from lti_bridge.core.journal.explaining import Explaining
from lti_bridge.core.journal.hop import Hop
from lti_bridge.errors import BadRequest, BridgeError, Finding

log = logging.getLogger("lti_bridge.journal")

BATCH_S = 0.4  # from the first hop of a batch until it is written
BATCH = 500  # hops of one transaction
WAITING = 5000  # hops that may wait
AGAIN_S = 1.0  # after a batch that could not be written
SAID_S = 60.0  # between two lines of the log about what is lost


@dataclass(frozen=True, slots=True)
class Written:
    """A hop that is over, with what was found out about its failure."""

    hop: Hop
    findings: Sequence[Finding] = ()


class Journal:
    """Takes hops. `keep` writes a batch in one transaction; None: nothing is kept at all.

    `reference` begins something that has no request, and returns its reference in the log; `over`
    is called at its end. `lost` hears how many hops were left out, and why.
    """

    def __init__(
        self,
        keep: Callable[[Sequence[Written]], None] | None,
        reference: Callable[[], str],
        over: Callable[[], None] = lambda: None,
        lost: Callable[[str, int], None] = lambda why, count: None,
        most: int = WAITING,
    ) -> None:
        self._keep, self._lost, self._most = keep, lost, most
        self._reference, self._over = reference, over
        self._waiting: deque[Hop] = deque()
        self._bounds, self._explaining = Bounds(), Explaining()
        self._some, self._stopping = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dropped, self._said_at, self._unwritten_at = 0, -SAID_S, -SAID_S

    def begin(self, kind: str, ref: str) -> Hop | None:
        """Enter a hop; None where nothing is kept."""
        made = Hop(kind, ref) if self._keep is not None else None
        hops.enter(made)
        return made

    def end(self, hop: Hop) -> None:
        """A hop is over, and is kept as far as there is room."""
        hops.enter(None)
        hop.ms = round(1000 * (time.perf_counter() - hop.begun))
        if self._keep is not None and hop.kept and self._bounds.takes(hop):
            self._put(hop)

    @contextmanager
    def hop(self, kind: str, **facts: str | bool) -> Iterator[Hop]:
        """A hop without a request of its own, such as a delivery. An error that passes ends it."""
        made = Hop(kind, self._reference())
        hops.enter(made)
        hops.note(**facts)
        try:
            yield made
        except BridgeError as error:
            made.failed(error)
            raise
        finally:
            self.end(made)
            self._over()

    @contextmanager
    def further(self, kind: str) -> Iterator[Hop]:
        """A hop of the trace that this thread is in: what is done for it beside its request."""
        before = hops.current()
        made = before.further(kind) if before is not None else Hop(kind, "", kept=False)
        hops.enter(made)
        try:
            yield made
        finally:
            self.end(made)
            hops.enter(before)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and nothing more."""
        self._stopping.set()
        self._some.set()
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _put(self, hop: Hop) -> None:
        if len(self._waiting) >= self._most:
            self._dropped += 1
            return
        self._waiting.append(hop)
        if not self._some.is_set():
            self._some.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._stopping.is_set():
                made = threading.Thread(target=self._run, name="journal", daemon=True)
                made.start()
                self._thread = made

    def _run(self) -> None:
        batch: list[Written] = []
        while not self._stopping.is_set() or self._waiting or batch:
            self._some.wait(SAID_S if self._bounds.owes else None)
            self._stopping.wait(BATCH_S)
            self._some.clear()
            batch = self._write(batch or self._next())
            if batch and self._stopping.wait(AGAIN_S):
                break  # the database is away, and nobody waits for it at the end
            if batch or self._waiting:
                self._some.set()
            self._tell()

    def _next(self) -> list[Written]:
        """The next hops to write, with what was found out about them."""
        taken = list(self._bounds.left_out(time.time()))
        self._lost_some("refused", sum(hop.count for hop in taken))
        while self._waiting and len(taken) < BATCH:
            taken.append(self._waiting.popleft())
        return [Written(hop, self._explaining.of(hop)) for hop in taken]

    def _write(self, batch: list[Written]) -> list[Written]:
        """Write a batch; returns what has to be written another time."""
        if not batch or self._keep is None:
            return []
        try:
            self._keep(batch)
        except BadRequest:  # one of them holds what no database does
            return self._write_each(batch)
        except Exception as error:  # the database is away, or locked
            if time.monotonic() - self._unwritten_at > SAID_S:
                self._unwritten_at = time.monotonic()
                log.warning("journal.unwritten", extra={"reason": type(error).__name__})
            return batch
        return []

    def _write_each(self, batch: list[Written]) -> list[Written]:
        if len(batch) == 1:
            self._lost_some("unfit", 1)
            return []
        middle = len(batch) // 2
        return self._write(batch[:middle]) + self._write(batch[middle:])

    def _tell(self) -> None:
        """Say that hops were lost, once in a while."""
        if self._dropped and time.monotonic() - self._said_at > SAID_S:
            count, self._dropped = self._dropped, 0
            self._said_at = time.monotonic()
            log.warning("journal.full", extra={"count": count})
            self._lost_some("queue-full", count)

    def _lost_some(self, why: str, count: int) -> None:
        if count:
            self._lost(why, count)


NO_JOURNAL = Journal(None, str)
"""Keeps nothing."""
