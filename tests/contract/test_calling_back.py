"""A callback counts once, in time or late, and a forged one never."""

from __future__ import annotations

from dataclasses import replace

from tests.contract.conftest import MakeWorld
from tests.contract.kinds import Case
from tests.contract.party import Hook
from tests.contract.world import HOOK_TOKEN, World

GARBAGE = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"data=%7B",
)
SURROGATES = b'{"EVENT_TYPE": "\\ud800", "data": "\\ud800", "session": "\\ud800"}'


def everything(world: World) -> list[Hook]:
    """What the provider has sent so far."""
    assert world.hooks, "the provider did not call back"
    return list(world.hooks)


def finished(world: World, user: str = "ann", number: int = 0) -> list[Hook]:
    """A learner is graded; the hooks that belong to it."""
    before = len(world.hooks)
    world.begin(user)
    world.finish(user, world.party.scores[number])
    assert world.grade(user) is not None
    return world.hooks[before:]


def test_a_callback_makes_itself_felt_at_once(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    name = world.begin()
    world.party.hand_in(name)
    if not world.party.marks_later:
        world.party.mark(name, world.party.scores[0])
    world.ask_due()  # no time has passed
    assert world.attempt().state in ("finished", "awaiting-marks", "graded")


def test_a_repeated_callback_counts_once(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    hooks = finished(world)
    before = world.snapshot()
    for hook in [*hooks, *reversed(hooks)]:
        assert world.send(hook) == 200
        world.settle()
    assert world.snapshot() == before


def test_a_late_callback_undoes_nothing(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    hooks = finished(world)
    world.party.mark(world.party.bought()[-1], world.party.scores[1])
    world.hint()
    world.settle()
    before = world.snapshot()
    for hook in hooks:
        assert world.send(hook) == 200
        world.settle()
    assert world.snapshot() == before


def test_a_wrong_token_is_refused(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    world.begin("ann")
    world.party.hand_in(world.party.bought()[-1])
    world.party.mark(world.party.bought()[-1], world.party.scores[0])
    hooks, before = everything(world), world.snapshot()
    world.begin("bob")
    token = world.token("ann")
    attempt_id, _, mac = token.rpartition(".")
    wrong = [
        token[:-1],
        f"{token}x",
        f"{attempt_id}.",
        f"{world.attempt('bob').id}.{mac}",
        HOOK_TOKEN[:-1],
        f"{HOOK_TOKEN}x",
        "é",
    ]
    before = world.snapshot()
    for forged in wrong:
        for hook in hooks:
            assert world.send(replace(hook, path=f"/hooks/{world.kind}/{forged}")) == 403
    for hook in hooks:
        assert world.send(replace(hook, path=f"/hooks/another/{token}")) == 403
    assert world.snapshot() == before


def test_the_address_of_another_attempt_is_no_way_in(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    hooks = finished(world, "ann")
    world.begin("bob")
    before = world.snapshot()
    for hook in hooks:
        status = world.send(replace(hook, path=f"/hooks/{world.kind}/{world.token('bob')}"))
        assert status in (200, 400, 403)
        world.settle()
    assert world.snapshot() == before


def test_a_tampered_callback_changes_nothing(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    ann = finished(world, "ann")
    bob = finished(world, "bob", 1)
    world.begin("cyd")
    before = world.snapshot()
    forged = list(world.party.tampered(ann[-1], bob[-1]))
    assert forged, "tampered() makes no forgery"
    for hook in forged:
        assert world.send(hook) in (200, 400, 403)
        world.settle()
    assert world.snapshot() == before


def test_garbage_is_refused_or_ignored(calling: Case, make_world: MakeWorld) -> None:
    world = make_world(calling)
    hook = finished(world)[-1]
    world.begin("bob")
    before = world.snapshot()
    for path in (hook.path, f"/hooks/{world.kind}/{world.token('bob')}"):
        for body in GARBAGE:
            for method in ("GET", "POST"):
                assert world.send(Hook(method, path, hook.headers, body)) in (200, 400, 403)
    world.settle()
    assert world.snapshot() == before
