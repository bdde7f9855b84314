"""Prov for the contract kit: with results that can be asked for, and with pushed ones only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Flask

from lti_bridge.sandbox import prov
from tests.contract.party import HTTP, Call, Hook, Party

JSON = {"Content-Type": "application/json"}


class Told(Party):
    """Results are pushed to the connection's hook; Prov cannot be asked.

    Nothing that Prov sends is signed: whoever knows the hook's secret and the id of an event may
    say anything about it. So forgeries here are of events.
    """

    scores = ("73.5", "46.25")
    maximum = "100"
    refusals = (
        ("prov-account", {"status": 401}),
        ("prov-refused", {"status": 400}),
        ("provider-busy", {"status": 429}),
    )
    marks_later = False

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        self.hook_url = hook_url
        return prov.make_app(prov.ProvSettings(auth_value="key-of-it", results_url=hook_url))

    def connection(self) -> dict[str, Any]:
        return {
            "base_url": self.url,
            "auth_style": "header",
            "auth_name": "X-API-Key",
            "auth_value": "key-of-it",
            "candidate_path": "/api/candidates",
            "candidate_body": '{"candidateId": "{candidate_id}", "candidateName": "{name}"}',
            "event_path": "/api/events",
            "event_body": '{"candidateId": "{candidate_id}", "examCode": "{exam_code}"}',
            "event_id_path": "eventId",
            "event_url_path": "examUrl",
            "result_event_id_path": "eventId",
            "result_candidate_id_path": "candidateId",
            "result_exam_code_path": "examCode",
            "result_score_path": "overallScore",
        }

    def wrong_secret(self) -> dict[str, Any]:
        return {"auth_value": "another-key"}

    def activity(self) -> dict[str, Any]:
        return {"exam_code": "NB1", "score_min": 0, "score_max": 100}

    def paid_call(self) -> Call:
        return {"path": "/api/events", "method": "POST"}

    def bought(self) -> list[str]:
        return [event["event_id"] for event in self.state()["events"]]

    def hand_in(self, name: str) -> None:
        """Prov tells nothing before there is a score."""

    def mark(self, name: str, score: str) -> None:
        self.control("finish", event_id=name, score=float(score))

    def unknown_status(self, name: str) -> None:
        body = json.dumps({"eventId": name, "examCode": "NB1", "overallScore": "pending"})
        HTTP.request("POST", self.hook_url, body=body, headers=JSON)

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        told = json.loads(hook.body)
        for change in (
            {"eventId": "EV0", "overallScore": 100},
            {"eventId": None, "candidateId": "x", "overallScore": 100},
            {"examCode": "NB2", "overallScore": 100},
            {"overallScore": 101},
            {"overallScore": -1},
            {"overallScore": True},
        ):
            yield replace(hook, body=json.dumps({**told, **change}).encode())


class Asked(Told):
    """A pushed result is a hint, and Prov is asked for it."""

    def connection(self) -> dict[str, Any]:
        return {**super().connection(), "result_path": "/api/results/{event_id}"}

    def fetch_calls(self, name: str) -> list[Call]:
        return [{"path": f"/api/results/{name}", "method": "GET"}]

    def unknown_status(self, name: str) -> None:
        body = json.dumps({"eventId": name, "overallScore": "pending"})
        self.fault(self.fetch_calls(name)[0], body=body, times=-1)

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        yield from super().tampered(hook, other)
        yield replace(hook, body=json.dumps({**json.loads(hook.body), "overallScore": 99}).encode())


PARTIES = (Told, Asked)
