"""iTEP for the contract kit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from flask import Flask

from lti_bridge.providers.itep.errors import REFUSALS
from lti_bridge.sandbox import itep
from tests.contract.party import HTTP, Call, Hook, Party

FORM = "application/x-www-form-urlencoded"


class Gtx(Party):
    """The student sees test ID and password; results come by web-hook only.

    iTEP signs nothing that it sends: whoever knows the hook's secret and an OID may say anything
    about that one test. So forgeries here are of OIDs.
    """

    scores = ("4.5", "3.2")
    maximum = "6"
    refusals = (
        *(
            (error.code, {"status": 400, "body": json.dumps({"error": f"{said} [x]."})})
            for said, error in REFUSALS.items()
        ),
        ("itep-signature", {"status": 401}),
        ("itep-sequence", {"status": 409, "times": -1}),
        ("itep-refused", {"status": 400, "body": '{"error": "No."}'}),
    )

    def app(self, hook_url: str) -> Callable[[str], Flask]:
        self.hook_url = hook_url
        settings = itep.ItepSettings(
            secret="key-of-the-account",
            stock=500,
            tracks=(itep.Track("RC", hook_url, notify_finished=True),),
            graded_later=True,
        )
        return itep.make_app(settings)

    def connection(self) -> dict[str, Any]:
        return {
            "endpoint": f"{self.url}/api/fulfillment",
            "secret": "key-of-the-account",
            "header_name_gtx": "X-iTEP-GTX",
            "sig_encoding": "hex",
            "sequence_mode": "counter",
            "response_test_id_path": "test-id",
            "response_password_path": "password",
            "launch_template": f"{self.url}/?test-id={{test_id}}",
        }

    def wrong_secret(self) -> dict[str, Any]:
        return {"secret": "another-key"}

    def activity(self) -> dict[str, Any]:
        return {"product_code": "GTX-Academic-Plus", "track": "RC"}

    def paid_call(self) -> Call:
        return {"path": "/api/fulfillment", "method": "POST"}

    def bought(self) -> list[str]:
        return [test["test_id"] for test in self.state()["tests"]]

    def hand_in(self, name: str) -> None:
        self.control("finish", **{"test-id": name, "level": 0})

    def mark(self, name: str, score: str) -> None:
        self.control("finish", **{"test-id": name, "level": float(score)})

    def stop(self, name: str, score: str) -> None:
        self.control("technical", **{"test-id": name})

    def unknown_status(self, name: str) -> None:
        (test,) = (one for one in self.state()["tests"] if one["test_id"] == name)
        told = {"OID": test["registration"]["trExternal_ID"], "Status": "Paused", "TestID": name}
        body = urlencode({"data": json.dumps(told)}).encode()
        HTTP.request("POST", self.hook_url, body=body, headers={"Content-Type": FORM})

    def tampered(self, hook: Hook, other: Hook) -> Iterable[Hook]:
        told, others = _data(hook), _data(other)
        attempt_id, mac = others["OID"].split(".")
        for oid in (f"{told['OID']}x", f"{attempt_id}.{told['OID'].split('.')[1]}", "", mac, None):
            yield _with(hook, {**told, "OID": oid, "Overall_Level": 6})
        yield replace(hook, body=b"")
        yield replace(hook, body=urlencode({"data": "[]"}).encode())


class Stx(Gtx):
    """iTEP mails the test ID to the student."""

    def connection(self) -> dict[str, Any]:
        return {**super().connection(), "header_name_stx": "X-iTEP-STX"}

    def activity(self) -> dict[str, Any]:
        return {"product_code": "STX-Academic-Plus", "track": "RC"}


def _data(hook: Hook) -> Any:
    return json.loads(parse_qs(hook.body.decode())["data"][0])


def _with(hook: Hook, told: Any) -> Hook:
    return replace(hook, body=urlencode({"data": json.dumps(told)}).encode())


PARTIES = (Gtx, Stx)
