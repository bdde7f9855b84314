"""What a provider is told of a click, and of the look that staff take before anybody clicks."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from lti_bridge.core.attempt.capabilities import CALLBACK
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.launch.message import GradeTarget, Launch, Once
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.launch.sessions import Sessions
from lti_bridge.core.records import Activity, Attempt, Link

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SESSIONS = Sessions(b"k" * 32, "https://b/outcomes", "https://b/return/", "https://b/hooks/")
PLACE = GradeTarget(outcome_url="https://lms/outcomes", sourced_id="cell")
LAUNCH = Launch(
    "campus", "1.3", Once("n", "1", NOON), NOON, main_role="learner", grade_target=PLACE
)
SECOND = Attempt("attempt-2", "link-1", "learner-1", 2, "a", "shop", "best", "created")


def told(attempt: Attempt | None) -> Any:
    """The session of a click at a connection that calls back."""
    provider: Any = SimpleNamespace(custom=lambda settings: {})
    shop = Connection("shop", "demo", provider, capabilities=frozenset({CALLBACK}))
    activity = Activity("a", "A test", "shop", None)
    opened = Opened("l1", LAUNCH, activity, shop, Link("link-1", "a"), "learner-1", attempt)
    return SESSIONS.of(opened)[0]


def test_an_attempt_has_its_id_its_number_and_ways_back() -> None:
    session = told(SECOND)
    assert (session.attempt_id, session.attempt_number) == ("attempt-2", 2)
    assert session.sourced_id
    assert session.callback_url.startswith("https://b/hooks/shop/")
    assert session.return_url == "https://b/return/l1"


def test_a_look_is_no_attempt_and_brings_nothing_back() -> None:
    session = told(None)
    assert (session.attempt_id, session.attempt_number) == ("", 0)
    assert (session.sourced_id, session.callback_url) == ("", "")
