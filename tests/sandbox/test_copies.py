"""The pretend LMS copies links as Moodle does, and tells a tool that asked for it."""

from __future__ import annotations

import json
from typing import Any

import jwt
import urllib3

from tests.sandbox.conftest import Catcher
from tests.sandbox.test_families import Start
from tests.sandbox.test_families import start as start
from tests.sandbox.test_lms import AGS, Lms
from tests.sandbox.test_lms import bridge_url as bridge_url

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
KIND = "LtiContextCopyNotice"
SERVICE = "/lti/notice-handlers/1"


def put(lms: Lms, headers: dict[str, str], **sent: Any) -> urllib3.BaseHTTPResponse:
    """Set a handler."""
    body = json.dumps({"notice_type": KIND, **sent})
    headers = {**headers, "Content-Type": "application/json"}
    return lms.call("PUT", SERVICE, body=body, headers=headers)


def test_handlers_are_set_by_the_tool_at_its_own_domain(start: Start, bridge_url: str) -> None:
    lms = start("canvas", notices="ids")
    assert put(lms, {}, handler=f"{bridge_url}/n").status == 401
    headers = lms.bearer(SCOPE)
    for wrong in (
        {"handler": "https://elsewhere.example/n"},
        {"handler": None},
        {"handler": f"{bridge_url}/n", "max_batch_size": 0},
        {"handler": f"{bridge_url}/n", "notice_type": "LtiOther"},
    ):
        assert put(lms, headers, **wrong).status == 400, wrong
    done = put(lms, headers, handler=f"{bridge_url}/n", max_batch_size=2).json()
    assert (done["handler"], done["max_batch_size"]) == (f"{bridge_url}/n", 2)
    listed = lms.call("GET", SERVICE, headers=headers).json()
    assert (listed["client_id"], listed["deployment_id"]) == ("client", "1")
    assert {one["notice_type"]: one["handler"] for one in listed["notice_handlers"]} == {
        KIND: f"{bridge_url}/n",
        "LtiHelloWorldNotice": "",
    }


def test_who_offers_no_notices_has_no_service(start: Start) -> None:
    lms = start("moodle")
    assert lms.call("GET", SERVICE, headers=lms.bearer(f"{AGS}score")).status == 401
    assert lms.ask_token(lms.assertion(), SCOPE).status == 400


def test_notices_come_in_bodies_of_the_size_that_was_asked_for(
    start: Start, catcher: Catcher
) -> None:
    lms = start("plain", notices="objects")
    said = {"course": "202", "from": ["101"], "times": 3, "to": f"{catcher.url}/n"}
    assert [one["status"] for one in lms.control("notice", **said)["answers"]] == [200] * 3
    (notice,) = json.loads(catcher.hooks[0].body)["notices"]
    claims = jwt.decode(notice["jwt"], options={"verify_signature": False})
    assert claims[f"{LTI}origin_contexts"] == {"contexts": [{"id": "101"}]}
    assert claims[f"{LTI}context"]["id"] == "202"
    assert claims[f"{LTI}notice"]["type"] == KIND
    assert not {"sub", f"{LTI}message_type", f"{LTI}target_link_uri"} & set(claims)


def test_an_import_tells_no_history_and_a_copy_does(start: Start) -> None:
    lms = start("moodle")
    imported = lms.control("copy", how="import", to="202")["links"]
    copied = lms.control("copy", how="copy", to="303")["links"]
    again = lms.control("copy", how="copy", to="404", **{"from": "303"})["links"]
    assert len(imported) == len(copied) == len(again)
    assert len({*imported.values(), *copied.values(), *again.values()}) == 3 * len(copied)
    double = lms.control("copy", how="duplicate", link=next(iter(copied)))["links"]
    assert len(double) == 1
