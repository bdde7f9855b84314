"""What an LMS answers to a Basic Outcome: what the status says comes before what the body says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask, Response, request

from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lti import outcomes
from lti_bridge.sandbox import serving
from tests.lms.grading import Bridge, Gradebook, bridge_before


@dataclass
class Service:
    """An outcome service that answers with this status and these words."""

    status: int = 200
    code_major: str = "success"
    asked: list[str] = field(default_factory=list)

    def app(self, base_url: str) -> Flask:
        app = Flask("outcomes")
        app.post("/outcomes")(self._answer)
        return app

    def _answer(self) -> Response:
        told = outcomes.parse_request(request.get_data())
        self.asked.append(told.operation)
        said = (self.code_major, "status", "no such learner", "m", told.message_id, told.operation)
        return Response(outcomes.build_response(*said), self.status)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def bridge(service: Service, tmp_path: Path) -> Iterator[Bridge]:
    running, lms = serving.start(service.app), Gradebook()
    try:
        with bridge_before(tmp_path, lms) as made:
            made.registrations["lms"] = Registration11("lms", "key", "secret")  # type: ignore[assignment]
            place = {"outcome_url": f"{running.url}/outcomes", "line_item": "", "scopes": ()}
            made.report("80", sourced_id="cell", **place)  # type: ignore[arg-type]
            yield made
    finally:
        running.stop()
        lms.running.stop()


@pytest.mark.parametrize(
    ("status", "code_major", "ends"),
    [
        (200, "success", "delivered"),
        (503, "success", "pending"),
        (429, "success", "pending"),
        (404, "success", "refused"),
        (200, "failure", "refused"),
        (422, "failure", "refused"),
        (503, "failure", "pending"),
        (429, "failure", "pending"),
    ],
)
def test_how_a_grade_ends(
    bridge: Bridge, service: Service, status: int, code_major: str, ends: str
) -> None:
    service.status, service.code_major = status, code_major
    row = bridge.deliver()
    assert (service.asked, row["delivery"]) == (["replaceResult"], ends)
