"""A pretend iTEP over real HTTP, and providers that call it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import urllib3

from lti_bridge.core.attempt.provider import Callback, Session, Started
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.core.records import Attempt
from lti_bridge.net import Client as Http
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.itep import KIND
from lti_bridge.providers.itep.kind import Itep
from lti_bridge.sandbox import serving

ANN = Person(id="x", given_name="Änn", family_name="O’Neil", email="ann@example.org")
ATTEMPT = "att-0123456789-abcdefg"
OUT_OF_STOCK = "No available test ID"


@dataclass
class Counters:
    """What the store counts for a connection."""

    numbers: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def next(self, name: str) -> int:
        with self.lock:
            self.numbers[name] += 1
            return self.numbers[name]

    def last(self, name: str) -> int:
        return self.numbers[name]


@dataclass
class Account:
    """One account at a pretend iTEP; `sent` are header fields and body of each request to it."""

    running: serving.Running
    counters: Counters = field(default_factory=Counters)
    sent: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def values(self, **settings: Any) -> dict[str, Any]:
        return {
            "endpoint": f"{self.running.url}/api/fulfillment",
            "secret": "account-key",
            "header_name_gtx": "X-iTEP-GTX",
            "header_name_stx": "X-iTEP-STX",
            "sig_encoding": "hex",
            "sequence_mode": "counter",
            "response_test_id_path": "test-id",
            "response_password_path": "password",
            "out_of_stock_text": [OUT_OF_STOCK],
            "launch_template": f"{self.running.url}/?test-id={{test_id}}",
            "enum_gender": ["Female", "Male"],
            "enum_education": ["High School", "Bachelor"],
            "enum_field_of_study": ["Biology", "Languages"],
            **settings,
        }

    def provider(self, timeout_s: float = 30.0, **settings: Any) -> Itep:
        """The provider of a new connection to this account."""
        http = Http(loopback=True, user_agent="test", timeout_s=timeout_s)

        def send(method: str, url: str, *, body: bytes = b"", **more: Any) -> Response:
            self.sent.append((dict(more["headers"]), body))
            return http.send(method, url, body=body, **more)

        tools = Tools(
            clock=lambda: datetime(2026, 1, 5, 12, tzinfo=UTC),
            connection="itep",
            send=send,
            next_number=self.counters.next,
            last_number=self.counters.last,
            sign=lambda text: hmac.new(b"key", text.encode(), hashlib.sha256).hexdigest()[:32],
        )
        provider = KIND.build(KIND.connection(self.values(**settings)), tools)
        assert isinstance(provider, Itep)
        return provider

    def control(self, name: str, **asked: Any) -> Any:
        answer = urllib3.request("POST", f"{self.running.url}/control/{name}", json=asked)
        assert answer.status == 200, answer.data
        return answer.json()

    def fault(self, **asked: Any) -> None:
        self.control("fault", path="/api/fulfillment", **asked)

    def state(self) -> Any:
        return urllib3.request("GET", f"{self.running.url}/control/state").json()

    def taken(self) -> int:
        """How many test IDs are assigned to somebody."""
        return len(self.state()["tests"])

    def told(self) -> list[Callback]:
        """The web-hooks that iTEP tried to send, as callbacks."""
        return [callback(json.loads(parse_qs(row["body"])["data"][0])) for row in self.hooks()]

    def hooks(self) -> Any:
        return self.state()["hooks"]


def session(
    provider: Itep,
    product: str = "GTX-Academic-Plus",
    attempt_id: str = ATTEMPT,
    started: Started | None = None,
    resolved: dict[str, str] | None = None,
    extra_time: int = 0,
    **settings: Any,
) -> Session:
    """What the core would hand over; `resolved` are the values of variables."""
    values = {"product_code": product, "track": "RC", **settings}
    activity = KIND.activity(values, provider.settings)
    custom = {
        name: (resolved or {}).get(variable_in(value), value)
        for name, value in provider.custom(activity).items()
    }
    return Session(
        attempt_id=attempt_id,
        attempt_number=1,
        learner_id="learner-1",
        person=ANN,
        roles=("Learner",),
        context=Context(),
        resource_link=ResourceLink(),
        platform=Platform(),
        presentation=Presentation(),
        settings=activity,
        custom=custom,
        return_url="https://bridge.example.edu/platform/return/h",
        callback_url="https://bridge.example.edu/hooks/itep/t",
        extra_time_percent=extra_time,
        reference=started.reference if started else "",
        data=json.loads(json.dumps(dict(started.data))) if started else {},
    )


def callback(data: Any, attempt_id: str = "", **headers: str) -> Callback:
    """A web-hook as the bridge's door hands it over."""
    text = data if isinstance(data, str) else json.dumps(data)
    return Callback("POST", headers, {}, {"data": text}, b"", attempt_id)


def attempt(state: Any = "started", score: Any = None) -> Attempt:
    """An attempt as the core keeps it."""
    return Attempt(
        ATTEMPT, "link", "learner", 1, "activity", "itep", "best", state, score, "100000AP"
    )
