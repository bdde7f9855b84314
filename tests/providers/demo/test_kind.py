"""The demo kind beyond the contract: previews, variables, every refusal, states and settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from pydantic import ValidationError

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import Redirect
from lti_bridge.core.launch.launches import Preview
from lti_bridge.errors import BridgeError, ProviderBusy, ProviderRefused
from lti_bridge.providers.demo import KIND
from lti_bridge.providers.demo.errors import KeyRefused, NoTest, SessionUnknown, SoldOut
from tests.contract.world import World
from tests.providers.demo.contract import Demo


class WithGroup(Demo):
    def activity(self) -> dict[str, Any]:
        return {"test": "essay", "group": "$Context.title"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World("demo", WithGroup(), tmp_path)
    yield made
    made.stop()


def asked(world: World) -> Any:
    return world.party.state()["sessions"][-1]["asked"]


def test_what_is_sent_is_what_the_privacy_rule_allows(world: World) -> None:
    world.begin()
    sent = asked(world)
    assert (sent["test"], sent["group"], sent["name"]) == ("essay", "A course", "Änn")
    assert (sent["preview"], sent["extra_time_percent"]) == (False, 0)
    assert "ann" not in (sent["candidate"], sent["callback_url"])
    assert "O’Neilson" not in str(sent)
    assert "people.example.org" not in str(sent)


def test_without_names_nothing_leaves(tmp_path: Path) -> None:
    world = World("demo", WithGroup(), tmp_path, privacy=[])
    world.begin()
    assert asked(world)["name"] == ""
    world.stop()


def test_a_preview_costs_nothing_and_leaves_no_attempt(world: World) -> None:
    staff = replace(world.launch("bob"), main_role="staff")
    launching = world.bridge.launching
    page = launching.hand_off(launching.open(staff))
    assert isinstance(page, Preview)
    handoff = launching.start(launching.go_on(page.token))
    assert isinstance(handoff, Redirect)
    assert "This is a preview" in urllib3.request("GET", handoff.url).data.decode()
    assert asked(world)["preview"]
    assert world.party.state()["stock"] == 1000
    assert world.rows("SELECT 1 FROM attempts") == []


def test_extra_time_is_told(world: World) -> None:
    store = world.bridge.store
    world.begin()
    (learner,) = (row[0] for row in world.rows("SELECT id FROM learners"))
    world.finish("ann", "5")
    store.adjust("test", learner, replace(store.adjustment("test", learner), extra_time_percent=25))
    world.begin_another()
    assert asked(world)["extra_time_percent"] == 25


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, KeyRefused),
        (402, SoldOut),
        (404, SessionUnknown),
        (422, NoTest),
        (429, ProviderBusy),
        (418, ProviderRefused),
    ],
)
def test_every_refusal_has_a_name_and_buys_nothing(
    world: World, status: int, error: type[BridgeError]
) -> None:
    world.party.fault(world.party.paid_call(), status=status)
    with pytest.raises(error) as refused:
        world.click()
    assert type(refused.value) is error
    assert world.attempt().state == "created"
    assert isinstance(world.stay(world.click()), Redirect)
    assert world.attempt().state == "started"
    assert len(world.party.bought()) == 1


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("open", "started"), ("started", "started"), ("handed-in", "awaiting-marks")],
)
def test_states_before_there_are_marks(world: World, state: str, becomes: str) -> None:
    world.party.control("change", id=world.begin(), state=state)
    world.settle()
    assert world.attempt().state == becomes


def test_a_void_session_takes_its_grade_back(world: World) -> None:
    name = world.begin()
    world.finish("ann", "5")
    world.party.hand_in(name)  # somebody looks at it again
    world.settle()
    assert isinstance(world.grade(), Score)
    world.party.control("change", id=name, state="void")
    world.settle()
    assert (world.attempt().state, world.grade()) == ("invalidated", None)


def test_a_score_without_a_maximum_waits(world: World) -> None:
    world.party.control("mark", id=world.begin(), score=5, maximum=None)
    world.settle()
    assert (world.attempt().state, world.grade()) == ("awaiting-marks", None)


def test_links_may_write_their_activity_out_but_no_variables() -> None:
    written = KIND.inline({"test": "essay", "group": "$Context.title", "other": "x"}, None)
    assert dict(written) == {"test": "essay", "group": "\\$Context.title"}
    with pytest.raises(ValidationError):
        KIND.inline({"group": "x"}, None)


@pytest.mark.parametrize(
    "url",
    [
        *("http://provider.example.org", "ftp://127.0.0.1", "https://", "provider.example.org"),
        *("https://a.example.org/?x=1", "https://me@a.example.org", "https://a.example.org:x"),
        "https://a.example.org/ x",
    ],
)
def test_keys_are_sent_to_https_only(url: str) -> None:
    good = KIND.connection({"base_url": "https://a.example.org/api/", "api_key": "k"})
    assert good.base_url == "https://a.example.org/api"
    with pytest.raises(ValidationError):
        KIND.connection({"base_url": url, "api_key": "k"})
