"""The demo provider: a session is bought per attempt, a callback says when to ask about it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lti_bridge.core.attempt import capabilities as can
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Callback, Choice, Report, Session, Sitting, Started
from lti_bridge.core.attempt.states import CLOSED
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.core.launch.variables import literal
from lti_bridge.core.records import AttemptState
from lti_bridge.errors import BadRequest, ConfigurationError
from lti_bridge.providers.addresses import is_safe
from lti_bridge.providers.answers import score
from lti_bridge.providers.contract import Kind, check_facts
from lti_bridge.providers.demo.client import Client
from lti_bridge.providers.demo.errors import SessionUnknown
from lti_bridge.providers.demo.settings import ActivitySettings, ConnectionSettings

log = logging.getLogger("lti_bridge.demo")

STATES: Mapping[str, AttemptState] = MappingProxyType(
    {"started": "started", "handed-in": "awaiting-marks", "marked": "graded", "void": "invalidated"}
)


@dataclass(frozen=True, slots=True)
class DemoProvider:
    """One account at the demo provider."""

    client: Client

    def custom(self, settings: Any) -> Mapping[str, str]:
        """What is set, as it is written; the group may be a substitution variable."""
        return dict(settings)

    def start(self, session: Session) -> Started:
        """Buy a session; one for a preview, which has no attempt, costs nothing."""
        wanted = {
            **session.custom,
            "candidate": session.learner_id,
            "name": session.person.given_name,
            "extra_time_percent": session.extra_time_percent,
            "return_url": session.return_url,
            "callback_url": session.callback_url,
            "preview": not session.attempt_id,
        }
        name, url = self.client.open(wanted)
        return Started(Redirect(url), reference=name, data={"url": url})

    def resume(self, session: Session) -> Handoff:
        """Back to the same session."""
        return Redirect(session.data["url"])

    def read_callback(self, callback: Callback) -> list[Report]:
        """The address names the attempt; what else is said is not believed but asked for."""
        if not callback.attempt_id:
            raise BadRequest("the address names no attempt")
        return [Report(attempt_id=callback.attempt_id, hint=True)]

    def fetch(self, sitting: Sitting) -> Report:
        """Ask how the session stands."""
        if not sitting.reference:  # its start has not been confirmed
            return Report()
        told = self.client.session(sitting.reference)
        raw = {name: str(told.get(name))[:60] for name in ("state", "score", "maximum")}
        state = STATES.get(raw["state"])  # None for "open" and for what we have never heard of
        marks = score(told.get("score"), told.get("maximum")) if state == "graded" else None
        if state == "graded" and marks is None:
            log.error("demo.grade-unusable", extra={"attempt": sitting.attempt_id})
            state = "awaiting-marks"
        if sitting.state in CLOSED and state in ("started", "awaiting-marks"):
            state = None  # it would lose its grade while somebody looks at the answers again
        event = hashlib.sha256(f"{sitting.reference} {raw}".encode()).hexdigest()[:32]
        named = {"reference": str(told["id"])} if told.get("id") else {}
        return Report(sitting.attempt_id, sitting.reference, state, marks, event, raw, named=named)

    def choices(self) -> list[Choice]:
        """The tests."""
        return [Choice(name, title, "test") for name, title in self.client.tests()]

    def check(self) -> str:
        """Ask for the tests, which needs the right key."""
        return f"The demo provider answers and has {len(self.client.tests())} tests."

    def forget(self, sitting: Sitting) -> None:
        """Delete the session; that it is gone already is fine."""
        with suppress(SessionUnknown):
            self.client.delete(sitting.reference)

    def adopt(self, sitting: Sitting, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """The provider tells the address of a session once only, to whom it is sold."""
        check_facts(facts, {"url": "the address of the session"}, {})
        if not is_safe(facts["url"]):
            raise ConfigurationError("url must be an https:// address (http:// on this machine)")
        return {"url": facts["url"]}


def _inline(custom: Mapping[str, str]) -> ActivitySettings:
    """What a course link writes out is data: never read as a variable again."""
    return ActivitySettings(test=custom.get("test", ""), group=literal(custom.get("group", "")))


KIND = Kind(
    extra_time=lambda settings, connection: ExtraTime(taken=True, note=""),
    name="demo",
    title="Demo provider",
    connection=ConnectionSettings.model_validate,
    activity=lambda values, connection: ActivitySettings.model_validate(values),
    inline=lambda custom, connection: _inline(custom),
    forms=lambda settings: (ActivitySettings,),
    build=lambda settings, tools: DemoProvider(Client(settings, tools)),
    wants=frozenset({"given_name"}),
    capabilities=lambda settings: frozenset(
        {can.REMOTE, can.CALLBACK, can.FETCH, can.CHOICES, can.CHECK, can.FORGET, can.PREVIEW}
        | {can.ADOPT, can.COSTS}
    ),
)
