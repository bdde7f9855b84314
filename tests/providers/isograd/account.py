"""A pretend Isograd over real HTTP, and providers that call it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from lti_bridge.core.attempt.provider import Session, Sitting, Started
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.net import Client as Http
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.isograd import KIND
from lti_bridge.providers.isograd.api import IsogradApi
from lti_bridge.providers.isograd.settings import custom_parameters
from lti_bridge.sandbox import serving

ANN = Person(id="x", given_name="Änn", family_name="O’Neil", email="ann@example.org")
RETURN, HOOK = "https://bridge.example.edu/platform/return/h", "http://127.0.0.1:9/hooks/tosa/t"


@dataclass
class Clock:
    """A clock that a test moves; `steps` are seconds that pass before the next looks at it."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 12, tzinfo=UTC))
    steps: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        if self.steps:
            self.pass_(self.steps.pop(0))
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Account:
    """One account at a pretend Isograd; `sent` are the requests to it, address and body."""

    running: serving.Running
    clock: Clock
    sent: list[tuple[str, str]] = field(default_factory=list)

    def provider(self, timeout_s: float = 30.0, **settings: Any) -> IsogradApi:
        """The provider of a new connection to this account."""
        values = {
            "route": "api",
            "base_url": f"{self.running.url}/api/usage",
            "token_url": f"{self.running.url}/oauth2/token",
            "client_id": "cid",
            "client_secret": "c secret/ä&",
            "low_credits": 0,
        }
        http = Http(loopback=True, user_agent="test", timeout_s=timeout_s)

        def send(method: str, url: str, *, body: bytes = b"", **more: Any) -> Response:
            self.sent.append((url, body.decode("ascii")))
            return http.send(method, url, body=body, **more)

        tools = Tools(
            clock=self.clock,
            connection="tosa",
            send=send,
        )
        provider = KIND.build(KIND.connection({**values, **settings}), tools)
        assert isinstance(provider, IsogradApi)
        return provider

    def control(self, name: str, **asked: Any) -> Any:
        answer = urllib3.request("POST", f"{self.running.url}/control/{name}", json=asked)
        assert answer.status == 200
        return answer.json()

    def fault(self, **asked: Any) -> None:
        self.control("fault", **asked)

    def refuse(self, act_id: int, code: object, **members: Any) -> None:
        """Answer an action once with an error code, and repeat what a person is called."""
        said = {"success": False, "error_code": code, "error_message": 'no "gen_id" for Änn'}
        self.fault(act_id=act_id, body=json.dumps({**said, **members}))

    def state(self) -> Any:
        return urllib3.request("GET", f"{self.running.url}/control/state").json()

    def finish(self, sitting: Sitting | Started, **result: Any) -> None:
        self.control("finish", pla_tst_id=sitting.reference, **result)


def session(
    extra_time: int = 0, started: Started | None = None, person: Person = ANN, **settings: Any
) -> Session:
    """What the core would hand over for an activity with these settings."""
    activity = KIND.activity(settings, type("Connection", (), {"route": "api"}))
    return Session(
        attempt_id="attempt-1",
        attempt_number=1,
        learner_id="learner-1",
        person=person,
        roles=("Learner",),
        context=Context(),
        resource_link=ResourceLink(),
        platform=Platform(),
        presentation=Presentation(),
        settings=activity,
        custom=custom_parameters(activity),
        return_url=RETURN,
        callback_url=HOOK,
        extra_time_percent=extra_time,
        reference=started.reference if started else "",
        data=json.loads(json.dumps(dict(started.data))) if started else {},
    )


def excel(**more: Any) -> Session:
    """The ordinary launch: act_id 8, form 363."""
    return session(tst_frm_id="363", gen_id=3, **more)


def sitting(started: Started, state: Any = "started") -> Sitting:
    """A started attempt as the core keeps it."""
    data = json.loads(json.dumps(dict(started.data)))
    when = datetime(2026, 1, 5, 12, tzinfo=UTC)
    return Sitting("attempt-1", "learner-1", started.reference, data, None, state, when)
