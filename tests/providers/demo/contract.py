"""The demo kind for the contract kit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Flask

from lti_bridge.sandbox import demo
from tests.contract.party import Call, Hook, Party


class Demo(Party):
    """An account with a test that a person marks."""

    refusals = (
        ("demo-key", {"status": 401}),
        ("demo-sold-out", {"status": 402}),
        ("demo-test", {"status": 422}),
    )

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        return demo.make_app(demo.DemoSettings(api_key="key-of-the-account"))

    def connection(self) -> dict[str, Any]:
        return {"base_url": self.url, "api_key": "key-of-the-account"}

    def wrong_secret(self) -> dict[str, Any]:
        return {"api_key": "another-key"}

    def activity(self) -> dict[str, Any]:
        return {"test": "essay"}

    def paid_call(self) -> Call:
        return {"path": "/sessions", "method": "POST"}

    def fetch_calls(self, name: str) -> list[Call]:
        return [{"path": f"/sessions/{name}", "method": "GET"}]

    def bought(self) -> list[str]:
        return [session["id"] for session in self.state()["sessions"]]

    def hand_in(self, name: str) -> None:
        self.control("hand-in", id=name)

    def mark(self, name: str, score: str) -> None:
        self.control("mark", id=name, score=float(score), maximum=int(self.maximum))

    def unknown_status(self, name: str) -> None:
        self.control("change", id=name, state="paused")

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        claim = {"session": json.loads(other.body)["session"], "state": "marked", "score": 10}
        yield replace(hook, body=json.dumps(claim).encode())
        yield replace(hook, body=other.body)


PARTIES = (Demo,)
