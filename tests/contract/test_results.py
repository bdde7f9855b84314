"""What the provider says about an attempt becomes exactly the right grade."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lti_bridge.core.grade.scores import Score
from lti_bridge.errors import ProviderError
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case
from tests.contract.world import FINAL, World
from tests.flow.world import eventually


def score(world: World, given: str) -> Score:
    return Score(Decimal(given), Decimal(world.party.maximum))


@pytest.mark.parametrize("number", [0, 1])
def test_a_score_arrives_exactly(case: Case, number: int, make_world: MakeWorld) -> None:
    world = make_world(case)
    given = world.party.scores[number]
    world.begin()
    world.finish("ann", given)
    assert world.grade() == score(world, given)
    assert world.attempt().state == "graded"
    world.settle()
    assert len(world.rows("SELECT 1 FROM results WHERE given IS NOT NULL")) == 1


def test_a_grade_wakes_a_worker_at_once(case: Case, make_world: MakeWorld) -> None:
    """Without the hint it would be sent with the next sweep of the clock only."""
    world = make_world(case)
    world.begin()
    world.deaf = "fetch" in case.capabilities  # so that nothing else wakes it
    assert world.bridge.waker.queue.pending_count() == 0
    world.finish("ann", world.party.scores[0])
    eventually(lambda: world.bridge.waker.queue.pending_count() > 0, True)


def test_a_callback_wakes_a_worker_at_once(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    name = world.begin()
    assert world.bridge.waker.queue.pending_count() == 0
    world.party.hand_in(name)
    world.party.mark(name, world.party.scores[0])
    assert world.hooks
    eventually(lambda: world.bridge.waker.queue.pending_count() > 0, True)


def test_zero_counts(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.begin()
    world.finish("ann", "0")
    assert world.grade() == score(world, "0")


def test_marks_may_come_late(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    name = world.begin()
    world.party.hand_in(name)
    for _ in range(3):
        world.settle()
        assert world.grade() is None
        assert world.attempt().state not in FINAL
    world.party.mark(name, world.party.scores[0])
    world.settle()
    assert world.grade() == score(world, world.party.scores[0])


def test_marks_may_be_corrected(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)  # who never calls is not asked again after the grade
    first, second = world.party.scores
    name = world.begin()
    world.finish("ann", first)
    world.party.mark(name, second)
    world.hint()
    world.settle()
    assert world.grade() == score(world, second)


def test_marks_may_be_corrected_back(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    if "fetch" not in calling.capabilities:
        return
    first, second = world.party.scores
    name = world.begin()
    world.finish("ann", first)
    for given in (second, first):
        world.party.mark(name, given)
        world.hint()
        world.settle()
        assert world.grade() == score(world, given)


def test_grades_of_two_learners_do_not_mix(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    first, second = world.party.scores
    for user in ("ann", "bob"):
        world.begin(user)
    world.finish("bob", second)
    assert world.grade("ann") is None
    world.finish("ann", first)
    assert (world.grade("ann"), world.grade("bob")) == (score(world, first), score(world, second))


def test_an_unknown_status_is_never_final(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    name = world.begin()
    world.party.unknown_status(name)
    for _ in range(3):
        world.settle()
        assert world.attempt().state not in FINAL
        assert world.grade() is None
    world.party.mend()
    world.finish("ann", world.party.scores[0])
    assert world.grade() == score(world, world.party.scores[0])


def test_an_unknown_status_takes_no_grade_away(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    name = world.begin()
    world.finish("ann", world.party.scores[0])
    world.party.unknown_status(name)
    if world.hooks:
        world.remind()
    world.settle()
    assert world.grade() == score(world, world.party.scores[0])


def test_lost_callbacks_lose_no_grade(fetching: Case, make_world: MakeWorld) -> None:
    world = make_world(fetching)
    world.begin()
    world.deaf = True
    world.finish("ann", world.party.scores[0])
    assert world.grade() == score(world, world.party.scores[0])


def test_a_provider_that_is_down_is_asked_again(fetching: Case, make_world: MakeWorld) -> None:
    world = make_world(fetching)
    world.begin()
    world.deaf = True
    world.party.go_down()
    world.settle()
    with pytest.raises(ProviderError):
        world.ask()
    assert world.attempt().state == "started"
    world.party.come_back()
    world.finish("ann", world.party.scores[0])
    assert world.grade() == score(world, world.party.scores[0])


def test_nobody_asks_after_the_grade(fetching: Case, make_world: MakeWorld) -> None:
    world = make_world(fetching)
    world.begin()
    world.finish("ann", world.party.scores[0])
    world.clock.pass_(hours=50)
    assert world.ask_due() == 0
