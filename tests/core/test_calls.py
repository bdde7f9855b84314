"""Calls beside the requests: how many at a time, in which order, who waits, and what is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from lti_bridge.core.attempt import answers, calls
from lti_bridge.core.attempt.call_lane import PAUSE_S, QUEUE, Outcome, StillStarting
from lti_bridge.core.attempt.calls import FAST_S, LONG_S, SEATS, Calls, Seats
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.lanes import AWAY_AFTER
from lti_bridge.core.launch.handoff import (
    MARKING,
    ConfirmPage,
    Cookie,
    Form,
    Frame,
    Handoff,
    InfoPage,
    Redirect,
)
from lti_bridge.errors import (
    AnswerLost,
    AttemptUnclear,
    BridgeError,
    NotChosen,
    OutOfStock,
    ProviderBusy,
    ProviderDown,
    TakeFirst,
)
from lti_bridge.front import THREADS
from tests.flow.world import eventually

THERE = Redirect("https://test.example.org")
WAIT_S = 0.2


class Party:
    """A provider that answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.left: dict[str, Outcome] = {}

    def work(self, key: str, outcome: Outcome = THERE) -> Callable[[], Handoff]:
        def call() -> Handoff:
            with self.lock:
                self.asked.append(key)
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            self.go.wait(60)
            with self.lock:
                self.at_once -= 1
            if isinstance(outcome, BridgeError):
                raise outcome
            return outcome

        return call

    def leave(self, key: str) -> Callable[[Outcome], None]:
        return lambda outcome: self.left.update({key: outcome})


@pytest.fixture
def party() -> Iterator[Party]:
    made = Party()
    yield made
    made.go.set()


@pytest.fixture
def made() -> Calls:
    return Calls(lambda: 0.0, WAIT_S)


def connection(name: str = "c", at_once: int = 2) -> Connection:
    return Connection(name, "demo", None, max_in_flight=at_once)  # type: ignore[arg-type]


def waits(made: Calls, party: Party, key: str, to: Connection, outcome: Outcome = THERE) -> float:
    """A click that gets the page; how long that took."""
    begun = time.monotonic()
    with pytest.raises(StillStarting):
        made.result(to, key, party.work(key, outcome), party.leave(key))
    return time.monotonic() - begun


def test_what_comes_soon_is_the_answer_and_nothing_is_left(made: Calls, party: Party) -> None:
    party.go.set()
    assert made.result(connection(), "a", party.work("a"), party.leave("a")) is THERE
    with pytest.raises(OutOfStock):
        made.result(connection(), "a", party.work("a", OutOfStock()), party.leave("a"))
    made.finish(60)
    assert party.left == {}


def test_what_comes_late_is_left_for_the_next_click(made: Calls, party: Party) -> None:
    assert waits(made, party, "a", connection()) >= WAIT_S
    waits(made, party, "b", connection(), OutOfStock())
    party.go.set()
    eventually(lambda: sorted(party.left), ["a", "b"])
    assert party.left["a"] is THERE
    assert isinstance(party.left["b"], OutOfStock)


def test_no_lane_has_more_threads_than_its_own_and_all_have_their_turn(
    made: Calls, party: Party
) -> None:
    keys = [f"{number}" for number in range(9)]
    for key in keys:
        waits(made, party, key, connection())
    eventually(lambda: party.asked, keys[:2])
    waits(made, party, "other", connection("other"))  # which is nobody's who waits here
    eventually(lambda: party.asked[2:], ["other"])
    party.go.set()
    eventually(lambda: sorted(party.left), sorted([*keys, "other"]))
    assert party.most <= 3
    assert [key for key in party.asked if key != "other"] == keys


def test_the_same_is_not_worked_on_twice_at_a_time(made: Calls, party: Party) -> None:
    one = connection(at_once=1)
    for key in ("a", "a", "b", "b", "a"):
        waits(made, party, key, one)
    party.go.set()
    eventually(lambda: sorted(party.left), ["a", "b"])
    assert party.asked == ["a", "b"]


def test_an_error_is_also_left_for_the_second_click_that_came_meanwhile(party: Party) -> None:
    made = Calls(lambda: 0.0, 60)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            made.result, connection(), "a", party.work("a", OutOfStock()), party.leave("a")
        )
        eventually(lambda: party.asked, ["a"])
        waits(made, party, "a", connection())
        party.go.set()
        assert isinstance(first.exception(60), OutOfStock)
    eventually(lambda: list(party.left), ["a"])


def test_nobody_waits_for_a_connection_that_is_slow(made: Calls, party: Party) -> None:
    waits(made, party, "a", connection())
    assert waits(made, party, "b", connection()) < WAIT_S
    party.go.set()
    made.finish(60)
    assert made.seats.take("c", 1)  # those who waited have gone


def test_few_requests_wait_and_some_always_answer() -> None:
    assert SEATS <= THREADS // 2
    seats = Seats()
    assert seats.take("slow")
    assert not seats.take("slow")
    assert seats.take("other")
    assert not seats.take("third")
    seats.give("slow")
    assert seats.take("third")


def test_two_may_wait_where_calls_are_known_to_be_fast(party: Party) -> None:
    made = Calls(lambda: 0.0, 60)
    party.go.set()
    made.result(connection(), "before", party.work("before"), party.leave("before"))
    eventually(lambda: made.pause_s(connection(), "next"), 1.0)  # its time is known
    party.go.clear()
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(made.result, connection(), key, party.work(key), party.leave(key))
            for key in ("a", "b")
        ]
        eventually(lambda: sorted(party.asked), ["a", "b", "before"], FAST_S * 20)
        party.go.set()
        assert [one.result(60) for one in both] == [THERE, THERE]


def test_the_queue_has_an_end_and_who_comes_then_asks_again(made: Calls, party: Party) -> None:
    one = connection(at_once=1)
    for number in range(QUEUE + 3):
        waits(made, party, f"{number}", one)
    party.go.set()
    eventually(lambda: len(party.left), QUEUE + 1)
    made.finish(60)
    assert len(party.asked) == QUEUE + 1


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_pauses_grow_with_the_queue_within_bounds_and_differ(party: Party, spread: float) -> None:
    made = Calls(lambda: spread, WAIT_S)
    pauses = []
    for number in range(30):
        with pytest.raises(StillStarting) as still:
            made.result(connection(at_once=1), f"{number}", party.work("a"), party.leave("a"))
        pauses.append(still.value.pause_s)
    least, most = (bound * (1 + calls.JITTER * spread) for bound in PAUSE_S)
    assert pauses[1:] == sorted(pauses[1:])
    assert least < pauses[1] < pauses[-1] == most


def test_an_end_waits_for_calls_and_begins_none(made: Calls, party: Party) -> None:
    one = connection(at_once=1)
    waits(made, party, "a", one)
    waits(made, party, "b", one)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(made.finish, 60)
        time.sleep(WAIT_S)
        assert not ended.done()
        waits(made, party, "c", connection("d"))
        party.go.set()
        ended.result(60)
    assert party.asked == ["a"]
    assert list(party.left) == ["a"]


def test_an_end_does_not_wait_for_ever(made: Calls, party: Party) -> None:
    waits(made, party, "a", connection())
    made.finish(0.1)
    assert party.left == {}


def test_what_breaks_is_an_error_and_no_end_of_the_lane(made: Calls, party: Party) -> None:
    def broken() -> Handoff:
        raise ZeroDivisionError

    one = connection(at_once=1)
    with pytest.raises(BridgeError, match="ZeroDivisionError"):
        made.result(one, "a", broken, party.leave("a"))
    party.go.set()
    eventually(lambda: made.result(one, "b", party.work("b"), party.leave("b")), THERE)


@pytest.mark.parametrize(
    "handoff",
    [
        THERE,
        MARKING,
        InfoPage("Title", ("One.", "Two."), (("Test ID", "T-1"),), "https://x.example", "On"),
        ConfirmPage("Title", ("One.",), "Go on", "token", 2.5, 3),
        Form(
            "https://tool.example",
            (("a", "1"), ("a", "ö")),
            (Cookie("c", "v", "/", 60),),
            Frame(("https://tool.example",), ("camera",)),
        ),
        Form("https://tool.example", ()),
    ],
)
def test_a_handoff_is_the_same_when_it_was_kept(handoff: Handoff) -> None:
    kept = answers.read(answers.written(handoff, resumed=False))
    assert kept is not None
    assert kept.told() == handoff
    assert (kept.told() is MARKING) == (handoff is MARKING)
    assert kept.fits("resume")
    assert not any(kept.fits(step) for step in ("start", "start again", "person", "wait"))


@pytest.mark.parametrize(
    "error", [OutOfStock("none left"), TakeFirst("no test", "Excel"), NotChosen("why", "Guest")]
)
@pytest.mark.parametrize("resumed", [True, False])
def test_an_error_shows_the_same_when_it_was_kept(error: BridgeError, resumed: bool) -> None:
    kept = answers.read(answers.written(error, resumed=resumed))
    assert kept is not None
    assert kept.fits("resume") == resumed
    assert kept.fits("start") == kept.fits("person") == (not resumed)
    with pytest.raises(BridgeError) as told:
        kept.told()
    for name in ("code", "status", "sentence", "remedy", "detail", "said", "hint", "retry"):
        assert getattr(told.value, name) == getattr(error, name), name


def busy(pause_s: float) -> ProviderBusy:
    made = ProviderBusy()
    made.pause_s = pause_s
    return made


def refused(made: Calls, error: BridgeError, key: str) -> None:
    """A click whose call ends with this at once."""

    def call() -> Handoff:
        raise error

    with pytest.raises(type(error)):
        made.result(connection(at_once=3), key, call, lambda outcome: None)


def test_while_a_provider_does_not_answer_one_tries_and_nobody_waits_behind_it(
    made: Calls, party: Party
) -> None:
    one = connection(at_once=3)
    for number in range(AWAY_AFTER):
        refused(made, AnswerLost("no answer"), f"{number}")
    waits(made, party, "probe", one)
    for key in ("a", "b"):
        with pytest.raises(AnswerLost):
            made.result(one, key, party.work(key), party.leave(key))
    assert [trouble[:2] for trouble in made.troubles()] == [("c", "away")]
    assert party.asked == ["probe"]
    party.go.set()
    eventually(lambda: list(party.left), ["probe"])
    eventually(made.troubles, [])
    with suppress(StillStarting):
        made.result(one, "a", party.work("a"), party.leave("a"))
    eventually(lambda: party.asked, ["probe", "a"])


def unclear(error: BridgeError) -> AttemptUnclear:
    """What a start raises whose answer was lost, by this error."""
    made = AttemptUnclear("nobody knows")
    made.__cause__ = error
    return made


def test_silence_at_starts_narrows_the_lane_and_is_nobody_elses_unclear_attempt(
    made: Calls, party: Party
) -> None:
    one = connection(at_once=3)
    for number in range(AWAY_AFTER):
        refused(made, unclear(AnswerLost("no answer", silent=True)), f"{number}")
    waits(made, party, "probe", one)
    with pytest.raises(ProviderDown, match="no answer"):
        made.result(one, "a", party.work("a"), party.leave("a"))
    assert party.asked == ["probe"]


def test_an_answer_that_cannot_be_read_is_one(made: Calls, party: Party) -> None:
    for number in range(AWAY_AFTER):
        refused(made, unclear(AnswerLost("status 500")), f"{number}")
    for key in ("a", "b"):
        waits(made, party, key, connection(at_once=3))
    assert made.troubles() == []


def test_a_provider_that_has_enough_is_left_alone_for_as_long_as_it_asks(
    made: Calls, party: Party
) -> None:
    one = connection(at_once=3)
    party.go.set()
    refused(made, busy(1.0), "first")
    eventually(lambda: [trouble[1] for trouble in made.troubles()], ["busy"])
    begun = time.monotonic()
    for key in ("a", "b"):
        waits(made, party, key, one)
    assert party.asked == []
    eventually(lambda: sorted(party.left), ["a", "b"])  # they begin by themselves
    assert time.monotonic() - begun > 0.8


def test_a_pause_that_is_too_long_to_wait_for_is_said_at_once(made: Calls, party: Party) -> None:
    refused(made, busy(LONG_S + 5), "first")
    eventually(lambda: len(made.troubles()), 1)
    with pytest.raises(ProviderBusy):
        made.result(connection(at_once=3), "a", party.work("a"), party.leave("a"))
    assert party.asked == []


def test_no_more_begin_in_a_minute_than_the_setting_allows(party: Party) -> None:
    made = Calls(lambda: 0.0, WAIT_S)
    party.go.set()
    slow = replace(connection(at_once=9), calls_per_minute=60)  # five at once, then one a second
    begun = time.monotonic()
    for number in range(8):
        with suppress(StillStarting):
            made.result(slow, f"{number}", party.work(f"{number}"), party.leave(f"{number}"))
    assert 5 <= len(party.asked) < 8
    eventually(lambda: len(party.asked), 8)
    assert time.monotonic() - begun > 2


def test_how_long_a_start_takes_is_not_told_by_what_fails_fast(party: Party) -> None:
    made = Calls(lambda: 0.0, 60)
    for outcome, took_s in ((THERE, 2.0), (OutOfStock(), 0.0)):

        def call(outcome: Outcome = outcome, took_s: float = took_s) -> Handoff:
            time.sleep(took_s)
            if isinstance(outcome, BridgeError):
                raise outcome
            return outcome

        with suppress(OutOfStock):
            made.result(connection(), "before", call, lambda outcome: None)
    eventually(lambda: made.pause_s(connection(), "next") >= 2.0, True)
