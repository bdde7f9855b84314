"""Work with one party never takes the room of work with others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.lanes import DOWN_AFTER, PAUSES_S, ROOM, Lanes

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
Piece = tuple[str, int]


class Due:
    """Pieces of work that are due, in their order, and what was claimed of them."""

    def __init__(self, **numbers: int) -> None:
        self.waiting = [(name, n) for name, many in numbers.items() for n in range(many)]
        self.claims: list[tuple[int, frozenset[str], str]] = []

    def __call__(self, limit: int, *, but: Collection[str] = (), only: str = "") -> list[Piece]:
        self.claims.append((limit, frozenset(but), only))
        fit = [one for one in self.waiting if one[0] not in but and only in ("", one[0])]
        for one in fit[:limit]:
            self.waiting.remove(one)
        return fit[:limit]


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lanes(clock: Clock) -> Lanes[Piece]:
    return Lanes(clock, lambda piece: piece[0], "registration")


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as made:
        yield made


def failing(*names: str) -> Callable[[Piece], bool]:
    """Work that these parties do not answer to."""
    return lambda piece: piece[0] not in names


def test_others_go_on_while_one_party_hangs(lanes: Lanes[Piece], pool: ThreadPoolExecutor) -> None:
    due = Due(hanging=200, well=50)
    others, let_go, most = [], threading.Event(), []
    lock, here = threading.Lock(), [0]

    def work(piece: Piece) -> bool:
        if piece[0] == "well":
            others.append(piece)
            if len(others) == 50:
                let_go.set()
            return True
        with lock:
            here[0] += 1
            most.append(here[0])
        assert let_go.wait(30), "the others waited for who hangs"
        with lock:
            here[0] -= 1
        return True

    assert lanes.run(pool, due, work) == 250
    assert sorted(others) == [("well", n) for n in range(50)]
    assert max(most) == ROOM


def test_who_does_not_answer_is_tried_by_one_at_a_time_after_pauses_that_grow(
    lanes: Lanes[Piece], clock: Clock, pool: ThreadPoolExecutor
) -> None:
    due = Due(down=100)
    tried = lanes.run(pool, due, failing("down"))
    assert DOWN_AFTER <= tried <= ROOM  # those that had begun
    assert lanes.down() == {"down"}
    for pause in (*PAUSES_S[tried - DOWN_AFTER + 1 :], PAUSES_S[-1], PAUSES_S[-1]):
        clock.now = lanes.next_try() or pytest.fail("it is not tried again")
        clock.later(-0.01)
        assert lanes.run(pool, due, failing("down")) == 0
        clock.later(0.01)
        assert lanes.run(pool, due, failing("down")) == 1
        assert lanes.next_try() == clock.now + timedelta(seconds=pause)


def test_the_first_answer_opens_the_lane_for_all_that_waits(
    lanes: Lanes[Piece], clock: Clock, pool: ThreadPoolExecutor
) -> None:
    due = Due(back=100)
    tried = lanes.run(pool, due, failing("back"))
    clock.later(PAUSES_S[-1])
    assert lanes.run(pool, due, failing()) == 100 - tried
    assert (lanes.down(), lanes.next_try()) == (frozenset(), None)


def test_failures_between_answers_close_nothing(
    lanes: Lanes[Piece], pool: ThreadPoolExecutor
) -> None:
    with ThreadPoolExecutor(1) as one_by_one:
        due = Due(mixed=60)
        assert lanes.run(one_by_one, due, lambda piece: piece[1] % DOWN_AFTER == 0) == 60
    assert lanes.down() == frozenset()


def test_a_party_that_is_down_is_not_claimed_with_the_others(
    lanes: Lanes[Piece], pool: ThreadPoolExecutor
) -> None:
    lanes.run(pool, Due(down=10), failing("down"))
    due = Due(down=5, well=5)
    assert lanes.run(pool, due, failing("down")) == 5
    assert due.waiting == [("down", n) for n in range(5)]
    assert all("down" in but for _, but, only in due.claims if not only)


def test_what_is_under_way_is_told_again_and_again(
    lanes: Lanes[Piece], pool: ThreadPoolExecutor
) -> None:
    told: list[int] = []
    slow = threading.Event()

    def meanwhile(under_way: object) -> None:
        told.append(len(under_way))  # type: ignore[arg-type]
        if len(told) > 3:
            slow.set()

    lanes.run(pool, Due(one=1), lambda piece: slow.wait(30), meanwhile=meanwhile)
    assert told[0] == 0
    assert set(told[1:-1]) <= {0, 1}
    assert 1 in told
