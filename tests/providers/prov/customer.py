"""A pretend Prov over real HTTP, and providers that call it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import urllib3

from lti_bridge.core.attempt.provider import Callback, Session, Sitting, Started
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.core.records import Attempt
from lti_bridge.net import Client as Http
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.prov import KIND
from lti_bridge.providers.prov.kind import Prov
from lti_bridge.sandbox import serving

ANN = Person(id="x", given_name="Änn", family_name='O’Neil "A"', email="ann@example.org")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
WHEN = "2026-02-01T10:00:00+01:00"
HOOK = "https://bridge.example.edu/hooks/prov/t"

CANDIDATE_BODY = """{"candidateId": "{candidate_id}", "candidateName": "{name}",
    "address": "{address}"}"""
EVENT_BODY = """{"candidateId": "{candidate_id}", "examName": "{exam_name}",
    "examCode": "{exam_code}", "where": {"code": "{location_code}",
    "label": "{location_name} / {location_address}"}, "dateTime": "{starts_at}", "count": 1}"""
WIRE: dict[str, Any] = {
    "auth_style": "header",
    "auth_name": "X-API-Key",
    "auth_value": "prov key/&",
    "candidate_path": "/api/candidates",
    "candidate_body": CANDIDATE_BODY,
    "event_path": "/api/events",
    "event_body": EVENT_BODY,
    "event_id_path": "eventId",
    "event_url_path": "examUrl",
    "centre_path": "/api/centers",
    "centre_body": '{"centerCode": "{centre_code}", "name": "{centre_name}, {centre_address}"}',
    "proctor_path": "/api/proctors",
    "proctor_body": """{"userName": "{proctor_user_name}", "name": "{proctor_name}",
        "password": "{proctor_password}", "centers": "{centre_codes}"}""",
    "result_path": "/api/results/{event_id}",
    "result_event_id_path": "eventId",
    "result_candidate_id_path": "candidateId",
    "result_exam_code_path": "examCode",
    "result_score_path": "overallScore",
    "result_domains_path": "domains",
    "result_domain_path": "domain",
    "result_domain_score_path": "score",
}
HALL = {"code": "H1", "name": "Hall", "address": "2 Main Street", "seats": 2}
PAT = {"name": "Pat", "user_name": "pat", "password": "pat's", "centre_codes": ["H1"]}


@dataclass
class Seats:
    """Reservations as the store keeps them: one seat of a slot for a learner."""

    taken: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def reserve(self, slot: str, learner: str, attempt: str, seats: int) -> bool:
        with self.lock:
            held = self.taken.setdefault(slot, {})
            for who, which in held.values():
                if who == learner:
                    return which == attempt
            free = next((n for n in range(seats) if n not in held), None)
            if free is not None:
                held[free] = (learner, attempt)
            return free is not None

    def give_back(self, attempt: str) -> None:
        with self.lock:
            for held in self.taken.values():
                for seat in [n for n, (_, which) in held.items() if which == attempt]:
                    del held[seat]

    def held(self, attempt: str) -> list[str]:
        return sorted(
            slot
            for slot, held in self.taken.items()
            for _, which in held.values()
            if which == attempt
        )


@dataclass
class Customer:
    """One customer at a pretend Prov; `sent` are method, address and body of each request."""

    running: serving.Running
    seats: Seats = field(default_factory=Seats)
    now: datetime = NOW
    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    def provider(self, timeout_s: float = 30.0, **settings: Any) -> Prov:
        """The provider of a new connection to this customer's API."""
        http = Http(loopback=True, user_agent="test", timeout_s=timeout_s)

        def send(method: str, url: str, *, body: bytes = b"", **more: Any) -> Response:
            self.sent.append((method, url.removeprefix(self.running.url), body))
            return http.send(method, url, body=body, **more)

        tools = Tools(
            clock=lambda: self.now,
            connection="prov",
            send=send,
            reserve=self.seats.reserve,
            give_back=self.seats.give_back,
        )
        values = {"base_url": self.running.url, **WIRE, **settings}
        provider = KIND.build(KIND.connection(values), tools)
        assert isinstance(provider, Prov)
        return provider

    def control(self, name: str, **asked: Any) -> Any:
        answer = urllib3.request("POST", f"{self.running.url}/control/{name}", json=asked)
        assert answer.status == 200, answer.data
        return answer.json()

    def fault(self, path: str = "/api/events", **asked: Any) -> None:
        self.control("fault", path=path, **asked)

    def state(self) -> Any:
        return urllib3.request("GET", f"{self.running.url}/control/state").json()

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.sent]


def session(
    provider: Prov,
    learner: str = "learner-1",
    attempt_id: str = "attempt-1",
    started: Started | None = None,
    resolved: dict[str, str] | None = None,
    extra_time: int = 0,
    **settings: Any,
) -> Session:
    """What the core would hand over; `resolved` are the values of variables."""
    values = {
        "exam_code": "NB1",
        "exam_name": "Nursing basics",
        "starts_at": WHEN,
        "score_min": 0,
        "score_max": 100,
        **settings,
    }
    activity = KIND.activity(values, provider.settings)
    custom = {
        name: (resolved or {}).get(variable_in(value), value)
        for name, value in provider.custom(activity).items()
    }
    return Session(
        attempt_id=attempt_id,
        attempt_number=1,
        learner_id=learner,
        person=ANN,
        roles=("Learner",),
        context=Context(),
        resource_link=ResourceLink(),
        platform=Platform(),
        presentation=Presentation(),
        settings=activity,
        custom=custom,
        return_url="https://bridge.example.edu/platform/return/h",
        callback_url=HOOK,
        extra_time_percent=extra_time,
        reference=started.reference if started else "",
        data=data_of(started) if started else {},
    )


def data_of(started: Started) -> dict[str, Any]:
    """Data as it comes back from the database."""
    kept: dict[str, Any] = json.loads(json.dumps(dict(started.data)))
    return kept


def sitting(started: Started, settings: Any = None, state: Any = "started") -> Sitting:
    """A started attempt as the core asks about it."""
    kept = data_of(started)
    return Sitting("attempt-1", "learner-1", started.reference, kept, settings, state, NOW)


def attempt(
    started: Started, attempt_id: str = "attempt-1", state: Any = "started", score: Any = None
) -> Attempt:
    """A started attempt as the core keeps it."""
    who = (attempt_id, "link", "learner", 1, "activity", "prov", "best", state, score)
    return Attempt(*who, started.reference, data_of(started))


def callback(document: Any, attempt_id: str = "") -> Callback:
    """A message as the bridge's door hands it over."""
    text = document if isinstance(document, str) else json.dumps(document)
    return Callback("POST", {}, {}, {}, text.encode(), attempt_id)


def limit_of(fault: dict[str, Any]) -> float:
    """The seconds that a call may take: few only where the answer is to come too late."""
    return 1 if "delay_s" in fault else 30
