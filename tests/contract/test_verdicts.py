"""What a provider says is stopped or under review counts only when somebody has said so."""

from __future__ import annotations

import pytest

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.staff.resolution import ByHand
from lti_bridge.errors import ByHandRefused
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case
from tests.contract.test_results import score
from tests.contract.world import World


def stopped(case: Case, make_world: MakeWorld) -> tuple[World, str]:
    """A sitting that is over and looked into."""
    world = make_world(case)
    name = world.begin()
    world.party.hand_in(name)
    world.party.stop(name, world.party.scores[0])
    world.settle()
    return world, name


def by_hand(world: World) -> ByHand:
    bridge = world.bridge
    return ByHand(bridge.store, bridge.polling, bridge.polling.results, bridge.owners, world.clock)


def wanted(world: World) -> list[tuple[object, ...]]:
    """What the gradebook is to hold."""
    return world.rows("SELECT given, maximum FROM grades WHERE given IS NOT NULL")


def test_a_held_verdict_is_not_delivered(judging: Case, make_world: MakeWorld) -> None:
    world, _ = stopped(judging, make_world)
    for again in (world.settle, world.remind, world.settle):
        attempt = world.attempt()
        assert attempt.state == "held"
        assert attempt.held
        assert attempt.score is None
        assert wanted(world) == []
        again()
    assert len(world.rows("SELECT 1 FROM attempt_changes WHERE state = 'held'")) == 1


def test_a_later_clean_result_releases_it(judging: Case, make_world: MakeWorld) -> None:
    world, name = stopped(judging, make_world)
    second = world.party.scores[1]
    world.party.mark(name, second)
    world.settle()
    assert world.grade() == score(world, second)
    assert (world.attempt().state, world.attempt().held) == ("graded", "")


def test_what_a_person_decided_stays_decided(judging: Case, make_world: MakeWorld) -> None:
    world, _ = stopped(judging, make_world)
    kept: Score | None = world.attempt().held_score
    if kept is None:
        with pytest.raises(ByHandRefused):
            by_hand(world).release(world.attempt().id)
        by_hand(world).enter(world.attempt().id, score(world, world.party.scores[1]))
        kept = score(world, world.party.scores[1])
    else:
        assert by_hand(world).release(world.attempt().id) == kept
    for again in (world.remind, world.settle, world.remind):
        assert (world.attempt().state, world.grade()) == ("graded", kept)
        again()
    with pytest.raises(ByHandRefused):
        by_hand(world).refuse(world.attempt().id)


def test_a_refused_result_counts_for_nothing(judging: Case, make_world: MakeWorld) -> None:
    world, _ = stopped(judging, make_world)
    by_hand(world).refuse(world.attempt().id)
    for again in (world.remind, world.settle, world.remind):
        assert world.attempt().state == "invalidated"
        assert wanted(world) == []
        again()
