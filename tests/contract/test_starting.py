"""An attempt is bought once, whatever happens on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_bridge.core.launch.handoff import MARKING, ConfirmPage
from lti_bridge.errors import (
    AnswerLost,
    AttemptUnclear,
    BridgeError,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
    ProviderError,
)
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case
from tests.contract.world import World
from tests.flow.world import eventually

UNDER_WAY_S = 46  # after this the core takes a start for lost


def repeatable(world: World) -> bool:
    activity = world.bridge.catalogue.activity("test")
    assert activity is not None
    return world.connection.repeatable(activity.settings)


def refusal(world: World) -> BridgeError | None:
    try:
        world.click()
    except BridgeError as error:
        return error
    return None


def test_clicks_come_back_to_the_one_attempt(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    name = world.begin()
    first = world.attempt()
    assert first.state == "started"
    for _ in range(3):
        assert not isinstance(world.click(), ConfirmPage)
    assert world.party.bought() == [name]
    assert world.attempt() == first


def test_clicks_at_the_same_moment_buy_one(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case, timeout_s=40.0)
    ready = threading.Barrier(4)

    def click() -> object:
        ready.wait()
        return world.click()

    with ThreadPoolExecutor(4) as pool, world.party.held(world.party.paid_call()):
        clicks = [pool.submit(click) for _ in range(4)]
        eventually(lambda: sum(one.done() for one in clicks), 3, 35)
        handoffs = [one.result() for one in clicks if one.done()]
        assert all(isinstance(handoff, ConfirmPage) for handoff in handoffs)
    assert [isinstance(one.result(), ConfirmPage) for one in clicks].count(False) == 1
    assert len(world.party.bought()) == 1
    assert world.attempt().state == "started"


def test_two_learners_have_two_attempts(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    assert world.begin("ann") != world.begin("bob")
    ann, bob = world.attempt("ann"), world.attempt("bob")
    assert ann.id != bob.id
    assert ann.reference != bob.reference or not ann.reference


def test_coming_back_after_handing_in_buys_nothing(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.party.hand_in(world.begin())
    world.settle()
    handoff = world.click()
    if world.party.marks_later:
        assert handoff is MARKING
    assert len(world.party.bought()) == 1


def test_a_lost_answer_is_never_bought_again(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.party.fault(world.party.paid_call(), drop=True)
    with pytest.raises(AttemptUnclear) as lost:
        world.click()
    assert isinstance(lost.value.__cause__, AnswerLost)
    assert world.attempt().state == "unclear"
    assert len(world.party.bought()) == 1
    assert isinstance(world.click(), ConfirmPage)  # it may still be under way
    for _ in range(2):
        world.clock.pass_(seconds=UNDER_WAY_S)
        if repeatable(world):
            assert not isinstance(world.click(), ConfirmPage)
            assert world.attempt().state == "started"
        else:
            with pytest.raises(AttemptUnclear):
                world.click()
            assert world.attempt().state == "unclear"
        assert len(world.party.bought()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 429, "body": '{"status": "ERROR", "success": false, "error": {"code": "E403"}}'},
        {
            "status": 403,
            "body": "403 Forbidden (Rate Limit Exceeded)",
            "content_type": "text/plain",
        },
    ],
    ids=["429", "403"],
)
def test_too_many_requests_are_a_matter_of_waiting(
    case: Case, make_world: MakeWorld, answer: dict[str, Any]
) -> None:
    world = make_world(case)
    world.party.fault(world.party.paid_call(), **answer)
    with pytest.raises(ProviderBusy) as refused:
        world.click()
    assert refused.value.retry
    assert world.attempt().state == "created"  # nothing was bought, so nothing is unclear
    waiting = world.click()
    assert isinstance(waiting, ConfirmPage)
    assert waiting.reload_s  # it goes on by itself
    world.party.mend()
    assert not isinstance(world.stay(waiting), ConfirmPage)
    assert world.attempt().state == "started"
    assert len(world.party.bought()) == 1


def test_what_a_lost_start_bought_may_be_taken(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.party.fault(world.party.paid_call(), drop=True)
    with pytest.raises(AttemptUnclear):
        world.click()
    (name,) = world.party.bought()
    world.party.hand_in(name)
    world.party.mark(name, world.party.scores[0])
    world.settle()
    assert {200} >= {world.send(hook) for hook in list(world.hooks)}
    assert world.attempt().state in ("unclear", "graded")


def test_a_slow_answer_is_lost_in_time(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case, timeout_s=2.5)
    with world.party.held(world.party.paid_call()), pytest.raises(AttemptUnclear) as lost:
        world.click()
    assert isinstance(lost.value.__cause__, AnswerLost)
    assert world.attempt().state == "unclear"


def test_a_provider_that_is_down_releases_the_attempt(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.party.go_down()
    for _ in range(2):
        with pytest.raises((ProviderDown, NetworkFailed)) as down:
            world.click()
        assert not isinstance(down.value, AnswerLost)
        assert down.value.retry
        assert world.attempt().state == "created"
    world.party.come_back()
    assert world.begin() == world.party.bought()[0]
    assert world.attempt().state == "started"


def test_a_wrong_secret_has_a_name_and_is_no_retry(case: Case, make_world: MakeWorld) -> None:
    wrong = case.party().wrong_secret()
    assert wrong, "wrong_secret() names no key"
    for key in wrong:
        world = make_world(case, **{key: wrong[key]})
        with pytest.raises(ProviderError) as refused:
            world.click()
        assert refused.value.code.startswith(f"{case.kind}-")
        assert not refused.value.retry
        assert world.attempt().state == "created"
        assert world.party.bought() == []
        assert not any(text in str(refused.value) for text in world.private())


def test_down_while_coming_back_changes_nothing(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.begin()
    before = world.snapshot()
    world.party.go_down()
    said = refusal(world)  # None: who has kept all it needs can do without the provider
    assert said is None or (said.retry and not isinstance(said, AttemptUnclear))
    assert world.snapshot() == before
    world.party.come_back()
    assert not isinstance(world.click(), ConfirmPage)
    assert len(world.party.bought()) == 1


def test_a_click_after_the_grade_is_another_attempt(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    first = world.begin()
    one, two = world.party.scores
    world.finish("ann", one)
    attempt, before = world.attempt(), world.snapshot()
    for _ in range(2):
        asked = world.click()
        assert isinstance(asked, ConfirmPage)
        assert asked.number == attempt.number + 1
        assert asked.title.startswith("You have ")
    assert world.snapshot() == before  # unasked, nothing has begun
    assert world.party.bought() == [first]
    second = world.begin_another()
    assert second != first
    assert world.attempt().number == attempt.number + 1
    assert not isinstance(world.press(asked), ConfirmPage)  # an older page goes on with it
    assert world.party.bought() == [first, second]
    world.finish("ann", two)
    assert world.bridge.store.attempt(attempt.id).score.given != world.attempt().score.given  # type: ignore[union-attr]
