"""A hop of a trace, collected by whoever has something to say while it lasts.

Nothing here waits, writes or decides: a hop is a few texts that somebody else keeps once it is over
(core.journal.journal). Outside of any hop all that is said is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from lti_bridge.errors import BridgeError, Finding

MAX_CALLS = 20  # of one hop that are kept: reading a long list is many


@dataclass(frozen=True, slots=True)
class Call:
    """What was sent outward: never a query, a header or a body.

    `status` is that of the answer, 0 where there was none. `ms` is how long it took.
    """

    method: str
    host: str
    path: str
    status: int
    ms: int


@dataclass(slots=True, eq=False)
class Hop:
    """One step of a launch or a grade between two parties; `kind` is of core.journal.kinds.

    `ref` is the reference of its request, `at` when it began by this machine, in seconds since
    1970. `code` and `detail` are those of the error that it ended with; empty: it went well.
    `proved`: the party is who it says; until then `registration` and `connection` are only what
    somebody claims. `user` is the LMS's id of a learner, and is never kept as such. `said` is what
    came of it in a few words. `click` is the recorded launch that it belongs to, where that is
    all that is known of it. `checks` are what was checked, in that order: if the hop failed, the
    last one did. `explain` finds out why, after the answer. One that is not `kept` is forgotten;
    `count` is of those that were left out.
    """

    kind: str
    ref: str
    at: float = field(default_factory=time.time)
    begun: float = field(default_factory=time.perf_counter)
    ms: int = 0
    status: int = 0
    code: str = ""
    detail: str = ""
    proved: bool = False
    registration: str = ""
    context: str = ""
    link: str = ""
    activity: str = ""
    connection: str = ""
    user: str = ""
    learner: str = ""
    attempt: str = ""
    grade: str = ""
    click: str = ""
    said: str = ""
    checks: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    explain: Callable[[], Sequence[Finding]] | None = None
    kept: bool = True
    count: int = 0

    @property
    def party(self) -> str:
        """With whom it was, as far as that is proved."""
        return (self.registration or self.connection) if self.proved else ""

    def further(self, kind: str) -> Hop:
        """Another hop of the same trace, about the same."""
        return Hop(
            kind,
            self.ref,
            proved=self.proved,
            registration=self.registration,
            context=self.context,
            link=self.link,
            activity=self.activity,
            connection=self.connection,
            user=self.user,
            learner=self.learner,
            attempt=self.attempt,
        )

    def failed(self, error: BridgeError) -> None:
        """It ended with this error; the first one that is named is the reason."""
        if not self.code:
            self.code, self.detail, self.explain = error.code, error.detail, error.explain


_now: ContextVar[Hop | None] = ContextVar("hop", default=None)


def current() -> Hop | None:
    """The hop that this thread is in."""
    return _now.get()


def enter(hop: Hop | None) -> None:
    """From here on what is said in this thread is about this hop; None: about nothing."""
    _now.set(hop)


def checking(what: str) -> None:
    """This is checked now; what was checked before was right."""
    hop = _now.get()
    if hop is not None:
        hop.checks.append(what)


@contextmanager
def looking_again() -> Iterator[None]:
    """What is checked meanwhile, after a refusal and to find a way on, is not why it failed."""
    hop = _now.get()
    before = list(hop.checks) if hop is not None else []
    try:
        yield
    finally:
        if hop is not None:
            hop.checks[:] = before


def note(**facts: str | bool) -> None:
    """Facts about the hop, by the names of its fields."""
    hop = _now.get()
    if hop is not None:
        for name, value in facts.items():
            setattr(hop, name, value)


def failed(error: BridgeError) -> None:
    """The hop ended with this error."""
    hop = _now.get()
    if hop is not None:
        hop.failed(error)


def called(method: str, host: str, path: str, status: int, seconds: float) -> None:
    """Something was sent outward and answered with `status`, or not at all (0)."""
    hop = _now.get()
    if hop is not None and len(hop.calls) < MAX_CALLS:
        hop.calls.append(Call(method, host, path, status, round(1000 * seconds)))
