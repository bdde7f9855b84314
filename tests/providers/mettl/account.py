"""A pretend Mettl over real HTTP, and providers that call it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import urllib3

from lti_bridge.core.attempt.provider import Callback, Session, Sitting, Started
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.net import Client as Http
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.mettl import KIND
from lti_bridge.providers.mettl.kind import MettlProvider
from lti_bridge.sandbox import serving

ANN = Person(id="x", given_name="Änn", family_name="O’Neil", email="ann+1@example.org")
HOOK = "http://127.0.0.1:9/hooks/mettl/secret-of-the-hook"
ATTEMPT = "attempt-1_ABCDEFGHIJKL"


def sign(text: str) -> str:
    digest = hmac.digest(b"key of the test", text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest)[:32].decode()


@dataclass
class Clock:
    """A clock that a test moves."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def provider_at(
    url: str, clock: Clock, timeout_s: float = 30.0, send: Any = None, **settings: Any
) -> MettlProvider:
    """The provider of a new connection to that address; it really calls, unless told how."""
    tools = Tools(
        clock=clock,
        connection="mettl",
        send=send or partial(Http(loopback=True, user_agent="test").send, timeout_s=timeout_s),
        sign=sign,
        hook_url=HOOK,
    )
    values = {"base_url": url, "public_key": "pub-key", "private_key": "private/ä&"}
    provider = KIND.build(KIND.connection({**values, **settings}), tools)
    assert isinstance(provider, MettlProvider)
    return provider


@dataclass
class Account:
    """One account at a pretend Mettl, as its tests see it."""

    running: serving.Running
    clock: Clock

    def provider(self, timeout_s: float = 30.0, **settings: Any) -> MettlProvider:
        return provider_at(self.running.url, self.clock, timeout_s, **settings)

    def control(self, name: str, **asked: Any) -> Any:
        answer = urllib3.request("POST", f"{self.running.url}/control/{name}", json=asked)
        assert answer.status == 200, answer.data
        return answer.json()

    def fault(self, path: str, **asked: Any) -> None:
        self.control("fault", path=path, **asked)

    def refuse(self, path: str, code: str, **more: Any) -> None:
        """Answer once with an error code and HTTP 200, repeating what a person is called."""
        message = f"Candidate ({ANN.email}, {ANN.given_name}) is wrong"
        error = {"status": "ERROR", "error": {"code": code, "message": message}}
        self.fault(path, body=json.dumps(error), **more)

    def state(self) -> Any:
        return urllib3.request("GET", f"{self.running.url}/control/state").json()

    def finish(self, email: str = ANN.email, **result: Any) -> None:
        self.control("finish", email=email, silent=True, **result)


REGISTER = "/v2/schedules/open1001/candidates"
RESULT = f"{REGISTER}/{ANN.email}"


def session(
    number: int = 1,
    extra_time: int = 0,
    started: Started | None = None,
    person: Person = ANN,
    attempt_id: str = "",
    **settings: Any,
) -> Session:
    """What the core would hand over for an activity with these settings."""
    if "assessment_id" not in settings:
        settings = {"access_key": "open1001", **settings}
    activity = KIND.activity(settings, None)
    return Session(
        attempt_id=attempt_id or f"{ATTEMPT[:-1]}{number}",
        attempt_number=number,
        learner_id="learner-1",
        person=person,
        roles=("Learner",),
        context=Context(),
        resource_link=ResourceLink(id="link-1"),
        platform=Platform(),
        presentation=Presentation(),
        settings=activity,
        custom=activity.registration,
        return_url="https://bridge.example.edu/platform/return/h",
        extra_time_percent=extra_time,
        reference=started.reference if started else "",
        data=stored(started.data) if started else {},
    )


def stored(data: Any) -> Any:
    """As the database keeps it."""
    return json.loads(json.dumps(dict(data)))


def sitting(started: Started, state: Any = "started", attempt_id: str = ATTEMPT) -> Sitting:
    """A started attempt as the core keeps it."""
    when = datetime(2026, 1, 5, 12, tzinfo=UTC)
    data = stored(started.data)
    return Sitting(attempt_id, "learner-1", started.reference, data, None, state, when)


def hook(told: Any) -> Callback:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return Callback("POST", {"Content-Type": "application/json"}, {}, {}, body)
