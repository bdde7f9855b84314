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
from contextlib import suppress
from copy import copy

from lti_bridge.core.attempt.call_lane import (
    PAUSE_S,
    WAIT_S,
    Job,
    Lane,
    Leave,
    Outcome,
    StillStarting,
    Work,
)
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.attempt.waited import waiting
from lti_bridge.core.journal.facts import of_handoff
from lti_bridge.core.journal.journal import NO_JOURNAL, Journal
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.core.observer import NOBODY, Observer
from lti_bridge.core.rates import Rate
from lti_bridge.errors import BridgeError

log = logging.getLogger("lti_bridge.calls")

FAST_S = 0.5  # a call that takes less is one that two requests may wait for at a time
SEATS = 2  # requests of a process that wait for providers: half of those that it works on
LONG_S = 30.0  # a pause that a provider asks for is waited for, unless it is longer
UNTRIED_S = 120.0  # after which nobody here knows whether a provider is still away
JITTER = 0.25  # of a pause, so that those who came together do not come back together


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


class Calls:
    """Runs the calls of a process's clicks, at most `max_in_flight` of a connection at a time.

    `spread` gives numbers from 0 to 1; `wait_s` is how long a request waits, in seconds. `seats`
    are those of all requests that wait for providers; `observer` hears how each call ended, and
    each is a hop of the `journal`.
    """

    def __init__(
        self,
        spread: Callable[[], float],
        wait_s: float = WAIT_S,
        seats: Seats | None = None,
        observer: Observer = NOBODY,
        journal: Journal = NO_JOURNAL,
    ) -> None:
        self._observer = observer
        self._journal = journal
        self.seats = seats or Seats()
        self._spread = spread
        self._wait_s = wait_s
        self._lanes: dict[str, Lane] = {}
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._closing = False

    def result(self, connection: Connection, key: str, work: Work, leave: Leave) -> Handoff:
        """What the work returns or raises, if that comes soon; `key` tells pieces of work apart.

        Raises StillStarting where it does not: then `leave` is called with the outcome, in the
        work's thread, unless the work itself ends with StillStarting. The same key is not worked
        on twice at the same time.
        """
        mine = Job(key, work, leave)
        with self._lock:
            lane = self._lane(connection)
            job = self._add(lane, connection.name, mine)
            begins, pause_s = mine.begun > 0, self._pause_s(lane, job)
            self._come_back(lane)
        if begins:  # outside the lock: a thread takes a moment to start
            self._begin(lane, mine)
        if job is not mine or not mine.waited:
            raise StillStarting(pause_s)
        try:
            with waiting():
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

    def troubles(self) -> list[tuple[str, str, float]]:
        """Which connections are away or busy, and for how many seconds."""
        now = time.monotonic()
        with self._lock:
            lanes = list(self._lanes.values())
        return [
            *(
                (one.name, "away", now - one.failing_since)
                for one in lanes
                if one.away and now - one.failed_at < UNTRIED_S
            ),
            *((one.name, "busy", now - one.busy_since) for one in lanes if now < one.not_before),
        ]

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

    def _lane(self, connection: Connection) -> Lane:
        if lane := self._lanes.get(connection.name):
            return lane
        rate = Rate(connection.calls_per_minute)
        made = Lane(connection.name, connection.max_in_flight, rate)
        return self._lanes.setdefault(connection.name, made)

    def _add(self, lane: Lane, name: str, job: Job) -> Job:
        """Let a piece of work be the next to begin, or queue it: it, or the same of before.

        While the provider does not answer, nobody waits behind the one who tries it: that raises
        what was said last. So does a pause that is too long to be waited for.
        """
        if same := lane.running.get(job.key) or lane.queue.get(job.key):
            same.asked = True
            return same
        if self._closing:
            return job
        now = time.monotonic()
        if lane.room(now) <= 0:
            if lane.error and (lane.away or lane.not_before - now > LONG_S):
                raise copy(lane.error)
            lane.wait(job)
            return job
        slowest_s = lane.slowest_s(now)
        most = 2 if 0 < slowest_s < FAST_S else 1
        job.waited = slowest_s < self._wait_s and self.seats.take(name, most)
        lane.begins(job, now)
        return job

    def _begin(self, lane: Lane, job: Job) -> None:
        """Begin a piece of work in a thread of its own. Raises RuntimeError where none is had."""
        work, name = (lane, job), lane.name
        try:
            threading.Thread(target=self._work, args=work, name=f"call {name}", daemon=True).start()
        except RuntimeError:
            with self._ended:
                del lane.running[job.key]
                self._ended.notify_all()
            if job.waited:
                self.seats.give(name)
            raise

    def _work(self, lane: Lane, job: Job | None) -> None:
        """Do a piece of work, and those that wait for their turn."""
        while job is not None:
            outcome = job.context.run(self._traced, job.work)
            with self._lock:
                told = job.waited
                job.outcome = outcome
                late = not told or (job.asked and isinstance(outcome, BridgeError))
            job.done.set()
            if late and not isinstance(outcome, StillStarting):
                job.context.run(_leave, job.leave, outcome)
            job = self._next(lane, job)

    def _traced(self, work: Work) -> Outcome | StillStarting:
        """The outcome of a piece of work, which is a hop of the click's trace."""
        with self._journal.further("start") as hop:
            outcome = _outcome(work)
            if isinstance(outcome, StillStarting):
                hop.kept = False  # another click is at it
            elif isinstance(outcome, BridgeError):
                hop.failed(outcome)
            else:
                hop.said = of_handoff(outcome)
        return outcome

    def _next(self, lane: Lane, job: Job) -> Job | None:
        """The work after this one; what it left can be found by now."""
        with self._ended:
            now = time.monotonic()
            if job.outcome is not None and not isinstance(job.outcome, StillStarting):
                self._note(lane, job.outcome, now - job.begun)
            lane.heard(job.outcome, now, self._spread())
            if lane.away:
                lane.queue.clear()  # they ask again, and hear so
            del lane.running[job.key]
            self._ended.notify_all()
            following = self._allowed(lane)
        self._begin_all(lane, following[1:])
        return following[0] if following else None

    def _note(self, lane: Lane, outcome: Outcome, took_s: float) -> None:
        lane.took_s = took_s
        said = outcome.code if isinstance(outcome, BridgeError) else "opened"
        if said == "opened":
            lane.start_s = took_s
        self._observer.started(lane.name, said, took_s)

    def _allowed(self, lane: Lane) -> list[Job]:
        """Those of the queue that begin now."""
        jobs, now = [], time.monotonic()
        while lane.queue and lane.room(now) > 0:
            job = lane.queue.pop(next(iter(lane.queue)))
            lane.begins(job, now)
            jobs.append(job)
        self._come_back(lane)
        return jobs

    def _begin_all(self, lane: Lane, jobs: list[Job]) -> None:
        for one in jobs:
            with suppress(RuntimeError):  # no thread is had: who asks again begins anew
                self._begin(lane, one)

    def _come_back(self, lane: Lane) -> None:
        """See that what waits begins when a pause is over, which no call's end tells."""
        closed_s = lane.closed_s(time.monotonic())
        if lane.queue and lane.timer is None and closed_s > 0:
            lane.timer = threading.Timer(closed_s, self._wake, (lane,))
            lane.timer.daemon = True
            lane.timer.start()

    def _wake(self, lane: Lane) -> None:
        with self._lock:
            lane.timer = None
            jobs = self._allowed(lane)
        self._begin_all(lane, jobs)

    def _pause_s(self, lane: Lane, job: Job | None) -> float:
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
