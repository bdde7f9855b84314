"""Isograd's API for the contract kit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Flask

from lti_bridge.sandbox import isograd
from tests.contract.party import Call, Hook, Party

USAGE = "/api/usage"


def refused(code: str, **more: Any) -> dict[str, Any]:
    """How Isograd says an error: in a body, with status 200."""
    said = {"success": False, "error_code": code, "error_message": "no"}
    return {"body": json.dumps(said), **more}


class Api(Party):
    """Route api, action 8, with a form that a person marks."""

    scores = ("563", "741.5")
    maximum = "1000"
    tells_marks = False  # one ping, when the candidate is through
    refusals = (
        ("isograd-action", refused("103")),
        ("isograd-value-missing", refused("105")),
        ("isograd-test", refused("106")),
        ("isograd-candidate-unknown", refused("107")),
        ("isograd-candidate", refused("201", act_id=1)),
        ("isograd-group", refused("203", act_id=1)),
        ("isograd-no-credits", refused("301")),
        ("isograd-attempts", refused("402")),
        ("isograd-refused", refused("999")),
    )

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        settings = isograd.IsogradSettings(
            api_client_id="cid", api_client_secret="secret-of-the-api", credits=1000
        )
        return isograd.make_app(settings)

    def connection(self) -> dict[str, Any]:
        return {
            "route": "api",
            "base_url": f"{self.url}{USAGE}",
            "token_url": f"{self.url}/oauth2/token",
            "client_id": "cid",
            "client_secret": "secret-of-the-api",
        }

    def wrong_secret(self) -> dict[str, Any]:
        return {"client_secret": "another-secret"}

    def activity(self) -> dict[str, Any]:
        return {"act_id": 8, "tst_frm_id": "368", "gen_id": 3}

    def paid_call(self) -> Call:
        return {"path": USAGE, "act_id": 2}

    def fetch_calls(self, name: str) -> list[Call]:
        return [{"path": USAGE, "act_id": 10}, {"path": USAGE, "act_id": 4}]

    def bought(self) -> list[str]:
        return [str(test["pla_tst_id"]) for test in self.state()["tests"]]

    def hand_in(self, name: str) -> None:
        self.control("finish", pla_tst_id=name)

    def mark(self, name: str, score: str) -> None:
        self.control("finish", pla_tst_id=name, num_val=float(score), max_val=1000)

    def unknown_status(self, name: str) -> None:
        body = json.dumps({"success": True, "sta_id": 7})
        self.fault({"path": USAGE, "act_id": 10}, body=body, times=-1)

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        claim = "sta_id=3&num_val=1000&max_val=1000"
        yield replace(hook, path=f"{hook.path}?{claim}")
        form = (("Content-Type", "application/x-www-form-urlencoded"),)
        yield Hook("POST", hook.path, form, claim.encode())


PARTIES = (Api,)
