"""Whatever the provider answers, nothing but a named error comes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.launch.handoff import InfoPage
from lti_bridge.errors import (
    AttemptUnclear,
    BridgeError,
    NetworkRefused,
    ProviderBusy,
    ProviderError,
)
from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case
from tests.contract.party import Call
from tests.contract.world import FINAL, World

BEYOND = '{"a":1e9999999999999999999}'  # an exponent that no Decimal can have
NONSENSE = ("", "{", "null", "[]", "{}", "0", '"x"', BEYOND, "<html>busy</html>")
BODIES = (*NONSENSE, "[" * 3000, '{"a":' * 3000)
STATUSES = (204, 301, 400, 403, 404, 408, 418, 429, 500, 502)
HOSTILE: tuple[Any, ...] = (
    *(None, True, "", "x", "\ud800", "../../x?y#z", "javascript:alert(1)", "x" * 3000),
    *(-1, 10**400, 1e308, [], {}, [None], {"a": None}),
)
NUMBERS = ("NaN", "Infinity", "1e999999")  # what json.dumps will not write by itself


def mutations(answer: Any) -> Iterator[str]:
    """The answer with one thing wrong at a time."""
    for path in _paths(answer):
        for value in (*HOSTILE, "@gone"):
            yield json.dumps(_changed(answer, path, value))
        for number in NUMBERS:
            yield json.dumps(_changed(answer, path, "@number")).replace('"@number"', number)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield (*above, key)
        if isinstance(part, dict | list):
            yield from _paths(part, (*above, key))


def _changed(answer: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(answer)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if value == "@gone":
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def faults(world: World, call: Call) -> Iterator[dict[str, Any]]:
    """Ways to answer a call wrongly; a good answer to it has been seen before."""
    yield from ({"status": 200, "body": body} for body in BODIES)
    yield from ({"status": status, "body": "{}"} for status in STATUSES)
    yield from ({"status": 200, "body": body} for body in mutations(world.party.answer(call)))


def test_a_start_is_named_whatever_is_answered(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    world.begin("seen")
    call = world.party.paid_call()
    for number, fault in enumerate(faults(world, call)):
        user = f"learner{number}"
        world.party.fault(call, **fault)
        try:
            handoff = world.click(user)
        except (ProviderError, AttemptUnclear, NetworkRefused) as error:
            assert world.attempt(user).state in ("created", "unclear"), fault
            if isinstance(error, ProviderBusy):
                world.rest()
        else:  # what was changed does not matter
            assert world.attempt(user).state == "started", fault
            target = handoff.link if isinstance(handoff, InfoPage) else getattr(handoff, "url", "")
            assert not target or target.startswith(world.party.url), fault
        world.party.mend()


def test_an_unreadable_answer_to_a_start_is_not_repeated(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    for number, body in enumerate(("", "{}", "<html>")):
        for status in (200, 500, 502):
            user = f"learner{number}{status}"
            world.party.fault(world.party.paid_call(), status=status, body=body)
            with pytest.raises(AttemptUnclear):
                world.click(user)
            assert world.attempt(user).state == "unclear"


def test_a_question_is_named_whatever_is_answered(fetching: Case, make_world: MakeWorld) -> None:
    world = make_world(fetching)
    name = world.begin()
    world.party.hand_in(name)
    world.party.mark(name, world.party.scores[0])
    world.ask()
    wrong = [(call, one) for call in world.party.fetch_calls(name) for one in faults(world, call)]
    for call, fault in wrong:
        world.party.fault(call, **fault)
        try:
            report = world.ask()
        except ProviderError:
            pass
        else:
            assert report.score is None or report.state == "graded", fault
            json.dumps(dict(report.raw)).encode(), report.event.encode()
            assert len(report.event) <= 200
        world.party.mend()


def test_asking_a_provider_that_talks_nonsense_changes_nothing(
    fetching: Case, make_world: MakeWorld
) -> None:
    world = make_world(fetching)
    name = world.begin()
    before = world.snapshot()
    for call in world.party.fetch_calls(name):
        for body in BODIES:
            world.party.fault(call, status=200, body=body)
            world.settle()
            world.party.mend()
    assert world.snapshot() == before
    assert world.attempt().state not in FINAL


def test_choices_and_check_are_named_whatever_is_answered(
    case: Case, make_world: MakeWorld
) -> None:
    world = make_world(case)
    calls = [
        getattr(world.connection.provider, name)
        for name in (capabilities.CHOICES, capabilities.CHECK)
        if capabilities.can(world.connection, name)
    ]
    for body in BODIES:
        for status in (200, 404, 500):
            world.party.fault({}, status=status, body=body, times=-1)  # every path
            for call in calls:
                try:
                    call()
                except ProviderError:
                    continue
            world.party.mend()


def test_nonsense_from_everything_at_once(case: Case, make_world: MakeWorld) -> None:
    world = make_world(case)
    for number, body in enumerate(BODIES):
        world.party.fault({}, status=200, body=body, times=-1)
        with pytest.raises(BridgeError):
            world.click(f"learner{number}")
        world.party.mend()
