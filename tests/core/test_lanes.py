"""Work with one party takes no room from work with others."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.lanes import AWAY_AFTER, BUSY_S, LONGEST_PAUSE_S, MOST, PAUSES_S, ROOM, Lanes
from lti_bridge.core.rates import Rates
from lti_bridge.errors import (
    BridgeError,
    DeliveryFailed,
    DeliveryRefused,
    LmsAway,
    LmsBusy,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
    ProviderRefused,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
Piece = tuple[str, int]
Say = Callable[[Lanes, Piece], None]


class Due:
    """Pieces of work that are due, party by party, and what was claimed of them."""

    def __init__(self, at: datetime = NOW, **numbers: int) -> None:
        self.at = at
        self.waiting = {name: list(range(many)) for name, many in numbers.items()}
        self.claims: list[tuple[str, int]] = []

    def __call__(self) -> dict[str, datetime]:
        return {name: self.at for name, pieces in self.waiting.items() if pieces}

    def claim(self, name: str, limit: int) -> list[Piece]:
        self.claims.append((name, limit))
        pieces = self.waiting[name]
        taken, self.waiting[name] = pieces[:limit], pieces[limit:]
        return [(name, one) for one in taken]


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Line:
    """Lanes, with threads for what is done in them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lanes = Lanes(self.clock, lambda: 0.5, "registration")
        self.pool = ThreadPoolExecutor(MOST)

    def run(self, due: Due, say: Say) -> int:
        return self.lanes.run(self.pool, due, due.claim, lambda piece: say(self.lanes, piece))


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.pool.shutdown()


def answers(lanes: Lanes, piece: Piece) -> None:
    lanes.answered(piece[0])


def is_away(lanes: Lanes, piece: Piece) -> None:
    lanes.unreached(piece[0])


def make_away(line: Line, name: str) -> None:
    for _ in range(AWAY_AFTER):
        line.lanes.unreached(name)


# room


def test_others_go_on_while_one_party_hangs(line: Line) -> None:
    due, others, let_go = Due(hanging=200, well=50), list[Piece](), threading.Event()
    lock, here, most = threading.Lock(), [0], [0]

    def say(lanes: Lanes, piece: Piece) -> None:
        if piece[0] == "well":
            others.append(piece)
            if len(others) == 50:
                let_go.set()
            return
        with lock:
            here[0] += 1
            most[0] = max(most[0], here[0])
        assert let_go.wait(30), "the others waited for who hangs"
        with lock:
            here[0] -= 1

    assert line.run(due, say) == 250
    assert sorted(others) == [("well", n) for n in range(50)]
    assert most[0] == ROOM


def test_what_comes_due_meanwhile_is_done_while_a_party_hangs(line: Line) -> None:
    due, let_go = Due(hanging=1), threading.Event()

    def say(lanes: Lanes, piece: Piece) -> None:
        if piece[0] == "late":
            let_go.set()
            return
        due.waiting["late"] = [1]
        assert let_go.wait(30), "what came meanwhile waited"

    assert line.run(due, say) == 2


def test_room_for_all_is_shared_by_those_who_wait(line: Line) -> None:
    names = [f"lms-{n}" for n in range(10)]
    due, let_go, lock = Due(**dict.fromkeys(names, 100)), threading.Event(), threading.Lock()
    here, seen = Counter[str](), list[Counter[str]]()

    def say(lanes: Lanes, piece: Piece) -> None:
        with lock:
            here[piece[0]] += 1
            if here.total() == MOST:
                seen.append(here.copy())
                let_go.set()
        assert let_go.wait(30), here

    assert line.run(due, say) == 1000
    assert seen[0].total() == MOST
    assert set(seen[0].values()) <= {MOST // 10, MOST // 10 + 1}


def test_what_is_not_due_yet_is_left(line: Line) -> None:
    due = Due(at=NOW + timedelta(seconds=1), later=3)
    assert line.run(due, answers) == 0
    assert line.lanes.next_time(due()) == NOW + timedelta(seconds=1)


def test_nothing_begins_once_lanes_are_closed(line: Line) -> None:
    due = Due(one=100)

    def say(lanes: Lanes, piece: Piece) -> None:
        lanes.close()

    assert line.run(due, say) <= ROOM
    assert line.run(due, answers) == 0


def test_what_is_under_way_is_told_again_and_again(line: Line) -> None:
    told, slow, due = list[int](), threading.Event(), Due(one=1)

    def meanwhile(under_way: object) -> None:
        told.append(len(under_way))  # type: ignore[arg-type]
        if len(told) > 3:
            slow.set()

    work = lambda piece: slow.wait(30)  # noqa: E731
    line.lanes.run(line.pool, due, due.claim, work, meanwhile=meanwhile)
    assert told[0] == 0
    assert 1 in told


def test_what_cannot_be_claimed_now_takes_no_room_for_ever(line: Line) -> None:
    due, broken = Due(one=3 * ROOM), threading.Event()

    def claim(name: str, limit: int) -> list[Piece]:
        if broken.is_set():
            raise ConnectionError
        return due.claim(name, limit)

    def say(piece: Piece) -> None:
        broken.set()

    with pytest.raises(ConnectionError):
        line.lanes.run(line.pool, due, claim, say)
    left = len(due.waiting["one"])
    assert left >= 2 * ROOM
    assert line.run(due, answers) == left
    assert due.claims[1] == ("one", ROOM)


# a party that is away


def test_who_is_away_is_tried_by_one_at_a_time_after_pauses_that_grow(line: Line) -> None:
    due = Due(away=100)
    tried = line.run(due, is_away)
    assert AWAY_AFTER <= tried <= ROOM  # those that had begun
    assert line.lanes.is_away("away")
    make_away(line, "away")  # whatever the number was, the longest pause is next
    for _ in range(3):
        line.clock.later(-0.01)
        line.clock.now = line.lanes.next_time(due()) or pytest.fail("it is not tried again")
        line.clock.later(-0.01)
        assert line.run(due, is_away) == 0
        line.clock.later(0.01)
        assert line.run(due, is_away) == 1
        assert line.lanes.next_time(due()) == line.clock.now + timedelta(seconds=PAUSES_S[-1])


@pytest.mark.parametrize(("more", "seconds"), [*enumerate(PAUSES_S), (9, PAUSES_S[-1])])
def test_the_pauses_of_who_is_away(line: Line, more: int, seconds: float) -> None:
    for _ in range(AWAY_AFTER + more):
        line.lanes.unreached("away")
    assert line.lanes.next_time({"away": NOW}) == NOW + timedelta(seconds=seconds)


def test_the_first_answer_opens_the_lane_for_all_that_waits(line: Line) -> None:
    due = Due(back=100)
    make_away(line, "back")
    line.clock.later(PAUSES_S[0])
    assert line.run(due, answers) == 100
    assert not line.lanes.is_away("back")


def test_failures_between_answers_are_no_absence(line: Line) -> None:
    for _ in range(9):
        for _ in range(AWAY_AFTER - 1):
            line.lanes.unreached("mixed")
        line.lanes.answered("mixed")
    assert not line.lanes.is_away("mixed")
    assert line.lanes.next_time({"mixed": NOW}) == NOW


def test_one_that_is_away_is_nothing_to_the_others(line: Line) -> None:
    make_away(line, "away")
    due = Due(away=5, well=5)
    assert line.run(due, answers) == 5
    assert due.waiting == {"away": [0, 1, 2, 3, 4], "well": []}


# a party that has enough


def test_who_has_enough_gets_half_as_many_after_the_pause_it_asks_for(line: Line) -> None:
    widths, lock, here = defaultdict[int, int](int), threading.Lock(), [0]

    def say(lanes: Lanes, piece: Piece) -> None:
        with lock:
            here[0] += 1
            widths[0] = max(widths[0], here[0])
        threading.Event().wait(0.02)
        with lock:
            here[0] -= 1

    line.lanes.busy("full", 30)
    line.lanes.busy("full", 30)  # another one that was under way: it is the same news
    assert line.lanes.next_time({"full": NOW}) == NOW + timedelta(seconds=30)
    due = Due(full=40)
    assert line.run(due, say) == 0
    line.clock.later(30)
    assert line.run(due, say) == 40
    assert widths[0] == ROOM // 2


def test_answers_give_the_room_back(line: Line) -> None:
    line.lanes.busy("full", 1)
    line.clock.later(1)
    for _ in range(ROOM**2):
        line.lanes.answered("full")
    due = Due(full=ROOM)
    assert line.run(due, answers) == ROOM
    assert due.claims[0] == ("full", ROOM)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_nobody_comes_before_the_time_that_was_asked_for(spread: float) -> None:
    lanes = Lanes(Clock(), lambda: spread, "registration")
    lanes.busy("full", 30)
    assert lanes.next_time({"full": NOW}) == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("error", "away", "pause_s"),
    [
        (LmsAway("x"), True, PAUSES_S[0]),
        (ProviderDown("x"), True, PAUSES_S[0]),
        (NetworkFailed("x"), True, PAUSES_S[0]),
        (LmsBusy("x", 9), False, 9),
        (ProviderBusy("x"), False, BUSY_S),
        (DeliveryFailed("x"), False, 0),
        (DeliveryRefused("x"), False, 0),
        (ProviderRefused("x"), False, 0),
    ],
)
def test_what_errors_say_of_a_party(
    line: Line, error: BridgeError, away: bool, pause_s: float
) -> None:
    for _ in range(AWAY_AFTER - 1):
        line.lanes.unreached("party")
    line.lanes.heard("party", error)
    assert line.lanes.is_away("party") == away
    assert line.lanes.next_time({"party": NOW}) == NOW + timedelta(seconds=pause_s)


def test_a_party_that_has_enough_is_there_again(line: Line) -> None:
    make_away(line, "back")
    line.lanes.busy("back", None)
    assert not line.lanes.is_away("back")


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, BUSY_S), (7, 7), (LONGEST_PAUSE_S + 1, LONGEST_PAUSE_S)]
)
def test_how_long_who_has_enough_is_left_alone(
    line: Line, asked: float | None, seconds: float
) -> None:
    line.lanes.busy("full", asked)
    assert line.lanes.next_time({"full": NOW}) == NOW + timedelta(seconds=seconds)
    assert not line.lanes.is_away("full")


def test_no_more_begin_in_a_minute_than_a_rate_allows() -> None:
    clock = Clock()
    lanes = Lanes(clock, lambda: 0.0, "registration", rates=Rates({"slow": 60}))
    due = Due(slow=20, other=20)
    with ThreadPoolExecutor(8) as pool:
        lanes.run(pool, due, due.claim, lambda piece: None)
        assert len(due.waiting["slow"]) == 15  # what five seconds give, at once
        assert due.waiting["other"] == []
        assert lanes.next_time(due()) == NOW + timedelta(seconds=1)
        clock.later(3)
        lanes.run(pool, due, due.claim, lambda piece: None)
        assert len(due.waiting["slow"]) == 12
        clock.later(3600)  # a rest is worth no more than five seconds
        lanes.run(pool, due, due.claim, lambda piece: None)
        assert len(due.waiting["slow"]) == 7


def test_how_a_lane_stands_is_told_as_long_as_it_is_tried() -> None:
    clock = Clock()
    lanes = Lanes(clock, lambda: 0.0, "registration")
    assert lanes.states("grades") == []
    for _ in range(AWAY_AFTER):
        lanes.unreached("a")
        clock.later(1)
    lanes.busy("b", 30)
    found = {(one.work, one.party, one.state, one.since) for one in lanes.states("grades")}
    then = NOW + timedelta(seconds=AWAY_AFTER)
    assert found == {("grades", "a", "away", NOW), ("grades", "b", "busy", then)}
    clock.later(31)
    assert [one.party for one in lanes.states("grades")] == ["a"]
    clock.later(120)
    assert lanes.states("grades") == []  # others may have brought all that waited
    lanes.unreached("a")
    assert [one.since for one in lanes.states("grades")] == [NOW]
    lanes.answered("a")
    assert lanes.states("grades") == []
