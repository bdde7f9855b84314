"""The lane of one connection: how many calls of clicks may begin, and which wait for their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from lti_bridge.core.lanes import AWAY_AFTER, BUSY_S, LONGEST_PAUSE_S
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.core.rates import Rate
from lti_bridge.errors import (
    AnswerLost,
    AttemptUnclear,
    BridgeError,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
)

WAIT_S = 2.0  # how long a request waits for a call
QUEUE = 500  # calls of a connection that wait for their turn; whoever comes then asks again
PAUSE_S = (1.0, 6.0)  # until a page goes on by itself: at least, at most
Outcome = Handoff | BridgeError
Work = Callable[[], Handoff]
Leave = Callable[[Outcome], None]


class StillStarting(Exception):  # not an error: a call is under way, or waits for its turn
    """The attempt is being started or resumed; look again in `pause_s` seconds."""

    def __init__(self, pause_s: float = PAUSE_S[0]) -> None:
        super().__init__()
        self.pause_s = pause_s


@dataclass(slots=True, eq=False)
class Job:
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
class Lane:
    """The calls of one connection; `took_s` is how long the last one took, 0 when unknown.

    `start_s` is the same of the last one that started a test. While the provider is away or busy,
    one call at a time tries whether it answers. Times are of the steady clock.
    """

    name: str
    limit: int
    rate: Rate
    start_s: float = 0.0
    unreached: int = 0  # times in a row
    failing_since: float = 0.0
    failed_at: float = 0.0
    busy_since: float = 0.0  # 0: it is not
    not_before: float = 0.0
    error: BridgeError | None = None  # the last one that said so
    timer: threading.Timer | None = None
    running: dict[str, Job] = field(default_factory=dict)  # by key, oldest first
    queue: dict[str, Job] = field(default_factory=dict)  # likewise
    added: int = 0  # that ever waited in the queue
    took_s: float = 0.0

    def slowest_s(self, now: float) -> float:
        """How long a call takes, by the last one and by the oldest that is under way."""
        oldest = next(iter(self.running.values()), None)
        return max(self.took_s, now - oldest.begun if oldest else 0.0)

    @property
    def away(self) -> bool:
        """Whether the provider does not answer."""
        return self.unreached >= AWAY_AFTER

    def room(self, now: float) -> int:
        """How many calls may begin now."""
        if now < self.not_before:
            return 0
        room = (1 if self.away or self.busy_since else self.limit) - len(self.running)
        free = self.rate.free(now)
        return room if free is None else min(room, free)

    def closed_s(self, now: float) -> float:
        """For how long no call may begin, however few are under way."""
        return max(self.not_before - now, self.rate.wait_s(now))

    def begins(self, job: Job, now: float) -> None:
        """A piece of work is under way from now on."""
        job.begun = now
        self.running[job.key] = job
        self.rate.take(now)

    def heard(self, outcome: Outcome | StillStarting | None, now: float, spread: float) -> None:
        """What the end of a call says of its provider."""
        if outcome is None or isinstance(outcome, StillStarting):
            return  # it may have called nobody
        outcome = _of_provider(outcome)
        if isinstance(outcome, ProviderBusy):
            self.unreached, self.error = 0, outcome
            self.busy_since = self.busy_since or now
            asked_s = outcome.pause_s or BUSY_S * (0.75 + 0.5 * spread)
            self.not_before = max(self.not_before, now + min(asked_s, LONGEST_PAUSE_S))
        elif isinstance(outcome, NetworkFailed | ProviderDown):
            self.failing_since = self.failing_since if self.unreached else now
            self.unreached, self.error, self.failed_at = self.unreached + 1, outcome, now
        else:
            self.unreached, self.busy_since = 0, 0.0

    def wait(self, job: Job) -> None:
        """Queue a piece of work, unless too many wait already."""
        if len(self.queue) < QUEUE:
            self.added += 1
            job.place = self.added
            self.queue[job.key] = job

    def rest_s(self, now: float, job: Job | None) -> float:
        """About how long it takes until a piece of work is done."""
        each = max(self.start_s or self.took_s or WAIT_S, self.slowest_s(now))
        if job is not None and job.begun:
            return each - (now - job.begun)
        before = len(self.queue) - (self.added - job.place if job is not None and job.place else 0)
        return max(self.closed_s(now), 0.0) + each * (1 + before / self.limit)


def _of_provider(outcome: Outcome) -> Outcome:
    """What an outcome says of the provider: an attempt that is unclear may have met its silence."""
    cause = outcome.__cause__ if isinstance(outcome, AttemptUnclear) else None
    if isinstance(cause, AnswerLost) and cause.silent:
        return ProviderDown(cause.detail)  # what others hear, whose attempts are not unclear
    return outcome
