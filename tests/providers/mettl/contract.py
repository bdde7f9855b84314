"""Mettl for the contract kit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Flask

from lti_bridge.sandbox import mettl
from tests.contract.party import Call, Hook, Party

CANDIDATES = "/v2/schedules/open1002/candidates"


def refused(code: str, **more: Any) -> dict[str, Any]:
    """How Mettl says an error: in a body, with status 200."""
    return {"body": json.dumps({"status": "ERROR", "error": {"code": code}}), **more}


class Schedule(Party):
    """A schedule of an assessment that a person marks."""

    refusals = (
        ("mettl-unspecified", refused("E000")),
        ("mettl-image", refused("E028")),
        ("mettl-signature", refused("E401")),
        ("mettl-key", refused("E403")),
        ("mettl-clock", refused("E504", times=-1)),
        ("mettl-no-registrations", refused("E607")),
        ("mettl-refused", refused("E999")),
    )

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        settings = mettl.MettlSettings(
            public_key="pub", private_key="private-key-of-the-account", hook_url=hook_url
        )
        return mettl.make_app(settings)

    def connection(self) -> dict[str, Any]:
        private = "private-key-of-the-account"
        return {"base_url": self.url, "public_key": "pub", "private_key": private}

    def wrong_secret(self) -> dict[str, Any]:
        return {"private_key": "another-private-key"}

    def activity(self) -> dict[str, Any]:
        return {"access_key": "open1002"}

    def paid_call(self) -> Call:
        return {"path": CANDIDATES, "method": "POST"}

    def fetch_calls(self, name: str) -> list[Call]:
        found = {str(one["candidate_instance_id"]): one for one in self.state()["candidates"]}
        return [{"path": f"{CANDIDATES}/{found[name]['email']}", "method": "GET"}]

    def bought(self) -> list[str]:
        return [str(one["candidate_instance_id"]) for one in self.state()["candidates"]]

    def hand_in(self, name: str) -> None:
        self.control("finish", candidate_instance_id=int(name))

    def mark(self, name: str, score: str) -> None:
        marks = {"total_marks": float(score), "max_marks": int(self.maximum)}
        self.control("finish", candidate_instance_id=int(name), **marks)

    def stop(self, name: str, score: str) -> None:
        verdict = {
            "overallStatus": "Test Stopped",
            "detailedStatus": "Proctor Stopped",
            "credibility": "Low",
        }
        marks = {"total_marks": float(score), "max_marks": int(self.maximum)}
        self.control("finish", candidate_instance_id=int(name), **marks, verdict=verdict)

    def unknown_status(self, name: str) -> None:
        (call,) = self.fetch_calls(name)
        candidate = {"email": "x", "testStatus": {"status": "Paused", "result": None}}
        body = json.dumps({"status": "SUCCESS", "candidate": candidate})
        self.fault(call, body=body, times=-1)

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        told, others = json.loads(hook.body), json.loads(other.body)
        context, best = told["context_data"], {"totalMarks": 10, "maxMarks": 10}
        for change in (
            {"marks_scored": 10, "testStatus": {"status": "Completed", "result": best}},
            {"context_data": f"{context}x"},
            {"context_data": context.replace(context.split(".")[1], "another-attempt-of-ours")},
            {"context_data": others["context_data"], "marks_scored": 10},
            {"context_data": "", "email": others["email"], "marks_scored": 10},
        ):
            yield replace(hook, body=json.dumps({**told, **change}).encode())


PARTIES = (Schedule,)
