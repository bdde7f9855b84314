"""The real services, for whoever has an account there: docs/adding-a-provider.md says how."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.launch.handoff import InfoPage, Redirect
from lti_bridge.core.launch.message import Context, Launch, Once, Person, ResourceLink
from lti_bridge.core.launch.opened import Opened
from lti_bridge.settings import parse
from tests.contract.kinds import remote_kinds

CONFIGURATION = "LTI_BRIDGE_LIVE_{}"  # of a kind: a file with its [[connection]] and [[activity]]
BUYS = "LTI_BRIDGE_LIVE_BUYS"  # "yes": take one paid test per kind, too


@pytest.fixture(params=remote_kinds())
def bridge(request: pytest.FixtureRequest, tmp_path: Path) -> Bridge:
    """A bridge with the real account of a kind, and nothing else."""
    variable = CONFIGURATION.format(request.param.upper())
    if variable not in os.environ:
        pytest.skip(f"{variable} names no configuration")
    tables = tomllib.loads(Path(os.environ[variable]).read_text(encoding="utf-8"))
    own = {
        "public_url": tables.get("bridge", {}).get("public_url", "http://127.0.0.1:8000"),
        "database_url": f"sqlite:///{tmp_path}/bridge.sqlite3",
        "queue_url": f"sqlite:///{tmp_path}/queue.sqlite3",
        "keys_dir": str(tmp_path / "keys"),
    }
    accounts = [one for one in tables["connection"] if one["kind"] == request.param]
    names = {one["name"] for one in accounts}
    tests = [one for one in tables["activity"] if one["connection"] in names]
    made = build(parse({"bridge": own, "connection": accounts, "activity": tests}, variable))
    made.store.database.migrate()
    return made


def connections(bridge: Bridge) -> list[Connection]:
    """The accounts of the kind."""
    return [bridge.catalogue.connection(one.name) for one in bridge.settings.connection]


def test_the_account_works(bridge: Bridge) -> None:
    for connection in connections(bridge):
        if capabilities.can(connection, capabilities.CHECK):
            assert capabilities.checks(connection).check()


def test_there_is_something_to_choose(bridge: Bridge) -> None:
    for connection in connections(bridge):
        if capabilities.can(connection, capabilities.CHOICES):
            assert capabilities.offers(connection).choices()


@pytest.mark.skipif(os.environ.get(BUYS) != "yes", reason=f"{BUYS} is not yes: this buys a test")
def test_a_learner_comes_back_to_the_same_test(bridge: Bridge) -> None:
    (activity, *_) = bridge.settings.activity
    first = click(bridge, activity.id, 1)
    handoff = bridge.launching.hand_off(first)
    assert isinstance(handoff, Redirect | InfoPage), handoff
    again = click(bridge, activity.id, 2)
    assert again.attempt is not None
    assert first.attempt is not None
    assert again.attempt.id == first.attempt.id
    assert isinstance(bridge.launching.hand_off(again), type(handoff))
    attempt = bridge.store.attempt(first.attempt.id)
    assert attempt is not None
    assert attempt.state == "started"
    if capabilities.can(first.connection, capabilities.FETCH):
        report = bridge.polling.ask(attempt, first.launch.received_at)
        assert report.score is None


def click(bridge: Bridge, activity: str, number: int) -> Opened:
    """A recorded click of a learner whose address nobody has."""
    now = datetime.now(UTC)
    who = f"live-{now:%Y%m%d}"
    return bridge.launching.open(
        Launch(
            registration="live",
            lti="1.3",
            once=Once("nonce", str(number), now + timedelta(hours=1)),
            received_at=now,
            person=Person(
                id=who,
                given_name="Live",
                family_name="Tester",
                full_name="Live Tester",
                email=f"{who}@example.org",
            ),
            context=Context(id="live", title="A course"),
            resource_link=ResourceLink(id="live", title="A test"),
            roles=("http://purl.imsglobal.org/vocab/lis/v2/membership#Learner",),
            main_role="learner",
            custom={"activity": activity},
        )
    )
