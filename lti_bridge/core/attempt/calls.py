"""Calls to providers beside the requests: a lane for each connection, with threads of its own.

A request waits two seconds for a call that it has begun, where it may wait at all; whoever waits no
longer gets a page that goes on by itself (docs/decisions/0024-starts-beside-requests.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.errors import BridgeError

log = logging.getLogger("lti_bridge.calls")

WAIT_S = 2.0  # how long a request waits for a call
FAST_S = 0.5  # a call that takes less is one that two requests may wait for at a time
SEATS = 2  # requests of a process that wait for providers: half of those that it works on
QUEUE = 500  # calls of a connection that wait for their turn; whoever comes then asks again
PAUSE_S = (1.0, 6.0)  # until a page goes on by itself: at least, at most
JITTER = 0.25  # of a pause, so that those who came together do not come back together
Outcome = Handoff | BridgeError
Work = Callable[[], Handoff]
Leave = Callable[[Outcome], None]


class StillStarting(Exception):  # not an error: a call is under way, or waits for its turn
    """The attempt is being started or resumed; look again in `pause_s` seconds."""

    def __init__(self, pause_s: float = PAUSE_S[0]) -> None:
        super().__init__()
        self.pause_s = pause_s


class Seats:
    """How many requests of this process may wait for providers at the same time."""

    def __init__(self, total: int = SEATS) -> None:
        self._total = total
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, connection: str, most: int = 1) -> bool:
        """Whether one more may wait, of which `most` for this connection."""
        with self._lock:
            free = self._taken.total() < self._total and self._taken[connection] < most
            self._taken[connection] += int(free)
            return free

    def give(self, connection: str) -> None:
        """A request waits no longer."""
        with self._lock:
            self._taken[connection] -= 1


@dataclass(slots=True, eq=False)
class _Job:
    """One piece of work. `waited`: a request will take the outcome; `asked`: others came too."""

    key: str
    work: Work
    leave: Leave
    context: Context = field(default_factory=copy_context)  # its log lines are of that request
    begun: float = 0.0
    place: int = 0  # in the queue, of all that ever waited there
    waited: bool = False
    asked: bool = False
    outcome: Outcome | StillStarting | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Lane:
    """The calls of one connection; `took_s` is how long the last one took, 0 when unknown."""

    limit: int
    running: dict[str, _Job] = field(default_factory=dict)  # by key, oldest first
    queue: dict[str, _Job] = field(default_factory=dict)  # likewise
    added: int = 0  # that ever waited in the queue
    took_s: float = 0.0

    def slowest_s(self, now: float) -> float:
        """How long a call takes, by the last one and by the oldest that is under way."""
        oldest = next(iter(self.running.values()), None)
        return max(self.took_s, now - oldest.begun if oldest else 0.0)

    def wait(self, job: _Job) -> None:
        """Queue a piece of work, unless too many wait already."""
        if len(self.queue) < QUEUE:
            self.added += 1
            job.place = self.added
            self.queue[job.key] = job

    def rest_s(self, now: float, job: _Job | None) -> float:
        """About how long it takes until a piece of work is done."""
        each = self.took_s or WAIT_S
        if job is not None and job.begun:
            return each - (now - job.begun)
        before = len(self.queue) - (self.added - job.place if job is not None and job.place else 0)
        return each * (1 + before / self.limit)


class Calls:
    """Runs the calls of a process's clicks, at most `max_in_flight` of a connection at a time.

    `spread` gives numbers from 0 to 1; `wait_s` is how long a request waits, in seconds. `seats`
    are those of all requests that wait for providers.
    """

    def __init__(
        self, spread: Callable[[], float], wait_s: float = WAIT_S, seats: Seats | None = None
    ) -> None:
        self.seats = seats or Seats()
        self._spread = spread
        self._wait_s = wait_s
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._closing = False

    def result(self, connection: Connection, key: str, work: Work, leave: Leave) -> Handoff:
        """What the work returns or raises, if that comes soon; `key` tells pieces of work apart.

        Raises StillStarting where it does not: then `leave` is called with the outcome, in the
        work's thread, unless the work itself ends with StillStarting. The same key is not worked
        on twice at the same time.
        """
        mine = _Job(key, work, leave)
        with self._lock:
            lane = self._lane(connection)
            job = self._add(lane, connection.name, mine)
            begins, pause_s = mine.begun > 0, self._pause_s(lane, job)
        if begins:  # outside the lock: a thread takes a moment to start
            self._begin(lane, connection.name, mine)
        if job is not mine or not mine.waited:
            raise StillStarting(pause_s)
        try:
            job.done.wait(self._wait_s)
        finally:
            self.seats.give(connection.name)
        with self._lock:
            job.waited = False
            if job.outcome is None or isinstance(job.outcome, StillStarting):
                raise StillStarting(self._pause_s(lane, job))
        if isinstance(job.outcome, BridgeError):
            raise job.outcome
        return job.outcome

    def pause_s(self, connection: Connection, key: str) -> float:
        """When to look again for what this process or another one is at, in seconds."""
        with self._lock:
            lane = self._lane(connection)
            return self._pause_s(lane, lane.running.get(key))

    def finish(self, timeout_s: float) -> None:
        """Begin no more calls, and wait so long for those under way."""
        until = time.monotonic() + timeout_s
        with self._ended:
            self._closing = True
            for lane in self._lanes.values():
                lane.queue.clear()
            while any(lane.running for lane in self._lanes.values()):
                if not self._ended.wait(max(0.0, until - time.monotonic())):
                    log.warning("calls.unfinished")
                    return

    def _lane(self, connection: Connection) -> _Lane:
        return self._lanes.setdefault(connection.name, _Lane(connection.max_in_flight))

    def _add(self, lane: _Lane, name: str, job: _Job) -> _Job:
        """Let a piece of work be the next to begin, or queue it: it, or the same of before."""
        if same := lane.running.get(job.key) or lane.queue.get(job.key):
            same.asked = True
            return same
        if self._closing:
            return job
        now = time.monotonic()
        if len(lane.running) >= lane.limit:
            lane.wait(job)
            return job
        slowest_s = lane.slowest_s(now)
        most = 2 if 0 < slowest_s < FAST_S else 1
        job.begun = now
        job.waited = slowest_s < self._wait_s and self.seats.take(name, most)
        lane.running[job.key] = job
        return job

    def _begin(self, lane: _Lane, name: str, job: _Job) -> None:
        """Begin a piece of work in a thread of its own. Raises RuntimeError where none is had."""
        work = (lane, job)
        try:
            threading.Thread(target=self._work, args=work, name=f"call {name}", daemon=True).start()
        except RuntimeError:
            with self._ended:
                del lane.running[job.key]
                self._ended.notify_all()
            if job.waited:
                self.seats.give(name)
            raise

    def _work(self, lane: _Lane, job: _Job | None) -> None:
        """Do a piece of work, and those that wait for their turn."""
        while job is not None:
            outcome = job.context.run(_outcome, job.work)
            with self._lock:
                told = job.waited
                job.outcome = outcome
                late = not told or (job.asked and isinstance(outcome, BridgeError))
            job.done.set()
            if late and not isinstance(outcome, StillStarting):
                job.context.run(_leave, job.leave, outcome)
            job = self._next(lane, job)

    def _next(self, lane: _Lane, job: _Job) -> _Job | None:
        """The work after this one; what it left can be found by now."""
        with self._ended:
            now = time.monotonic()
            if not isinstance(job.outcome, StillStarting):  # it may have called nobody
                lane.took_s = now - job.begun
            del lane.running[job.key]
            self._ended.notify_all()
            if not lane.queue:
                return None
            following = lane.queue.pop(next(iter(lane.queue)))
            following.begun = now
            lane.running[following.key] = following
            return following

    def _pause_s(self, lane: _Lane, job: _Job | None) -> float:
        least, most = PAUSE_S
        rest_s = lane.rest_s(time.monotonic(), job)
        return min(max(rest_s, least), most) * (1 + JITTER * self._spread())


def _outcome(work: Work) -> Outcome | StillStarting:
    try:
        return work()
    except (BridgeError, StillStarting) as error:
        return error
    except Exception as error:
        log.exception("call.broke")
        return BridgeError(type(error).__name__)


def _leave(leave: Leave, outcome: Outcome) -> None:
    """Leave an outcome; where that fails, the next click goes by the state of the attempt."""
    try:
        leave(outcome)
    except Exception:
        log.exception("call.not-kept")
