"""Clicks of one learner in two processes: one call, and what it brings reaches either."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from lti_bridge.core.attempt.call_lane import StillStarting
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.owners import Owners
from lti_bridge.core.attempt.provider import Session, Started
from lti_bridge.core.attempt.starts import Starting
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.core.records import Attempt
from lti_bridge.errors import AttemptUnclear, BridgeError, OutOfStock
from tests.core.test_polls import Bench, bench  # noqa: F401 - a fixture
from tests.flow.world import PATIENCE_S, eventually

THERE = Redirect("https://test.example.org")
SESSION = Session(
    *("a1", 1, "p", Person(), (), Context(), ResourceLink(), Platform(), Presentation()),
    settings=None,
    custom={},
    return_url="",
)


@dataclass
class Slow:
    """A provider that answers when it is let go."""

    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    error: BridgeError | None = None

    def start(self, session: Session) -> Started:
        return Started(self._answer("start"))

    def resume(self, session: Session) -> Handoff:
        return self._answer("resume")

    def _answer(self, what: str) -> Handoff:
        self.asked.append(what)
        self.go.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return THERE


@dataclass
class Learner:
    """One learner's clicks at two web processes."""

    bench: Bench
    provider: Slow
    processes: tuple[Calls, Calls]

    def click(self, process: int, attempt: Attempt | None = None) -> Handoff:
        at, calls = self.bench, self.processes[process]
        owners = Owners(at.store, b"k" * 16, at.clock)
        starting = Starting(at.store, owners, at.clock, at.wake, calls)
        connection = replace(at.connection("c"), provider=self.provider)
        return starting.hand_off(connection, attempt or at.attempt, SESSION, "a1")

    def waits(self, process: int, attempt: Attempt | None = None) -> None:
        """A click that gets the page."""
        with pytest.raises(StillStarting):
            self.click(process, attempt)

    def end(self) -> None:
        """The provider answers, and both processes have seen it."""
        self.provider.go.set()
        for calls in self.processes:
            calls.finish(PATIENCE_S)
        self.processes = (calls_of(PATIENCE_S), calls_of(PATIENCE_S))


def calls_of(wait_s: float) -> Calls:
    return Calls(lambda: 0.0, wait_s)


@pytest.fixture
def learner(bench: Bench) -> Iterator[Learner]:  # noqa: F811 - the fixture
    provider = Slow()
    made = Learner(bench, provider, (calls_of(0.05), calls_of(0.05)))
    bench.store.release_start("a1", bench.clock(), "")
    yield made
    provider.go.set()


def test_what_another_process_has_begun_is_not_begun_again(learner: Learner) -> None:
    before = learner.bench.attempt
    learner.waits(0)
    assert learner.bench.attempt.state == "unclear"
    learner.waits(1)
    learner.waits(1, before)  # as it was when it began to wait for its turn
    learner.end()
    assert learner.provider.asked == ["start"]
    assert learner.click(1) == THERE
    assert learner.provider.asked == ["start"]
    assert learner.click(0) == THERE  # and a further click comes back, as ever
    assert learner.provider.asked == ["start", "resume"]


def test_a_slow_resume_is_had_by_the_next_click(learner: Learner) -> None:
    learner.provider.go.set()
    eventually(lambda: took(lambda: learner.click(0)), THERE)
    learner.provider.go.clear()
    learner.provider.asked.clear()
    learner.waits(0)
    learner.end()
    assert learner.click(1) == THERE
    assert learner.provider.asked == ["resume"]


def test_an_error_of_a_slow_start_is_shown_once_and_then_it_begins_again(
    learner: Learner,
) -> None:
    learner.provider.error = OutOfStock("none left")
    learner.waits(0)
    learner.end()
    assert learner.bench.attempt.state == "created"
    with pytest.raises(BridgeError) as told:
        learner.click(1)
    assert (told.value.code, told.value.detail) == ("out-of-stock", "none left")
    learner.provider.error = None
    assert learner.click(1) == THERE
    assert learner.provider.asked == ["start", "start"]


def test_an_error_of_before_is_not_shown_of_an_attempt_that_has_begun(learner: Learner) -> None:
    before = learner.bench.attempt
    learner.provider.error = OutOfStock("none left")
    learner.waits(0)
    learner.end()
    learner.bench.store.confirm_start(before.id, Started(THERE), learner.bench.clock(), None)
    learner.provider.error = None
    assert learner.click(1) == THERE


def test_what_nobody_knows_is_no_page_that_waits_for_ever(learner: Learner) -> None:
    learner.waits(0)
    learner.bench.now += timedelta(minutes=1)
    with pytest.raises(AttemptUnclear):
        learner.click(1)
    assert learner.provider.asked == ["start"]


def took(click: Callable[[], Handoff]) -> Handoff | None:
    """What a click gets; None while it is to wait."""
    try:
        return click()
    except StillStarting:
        return None
