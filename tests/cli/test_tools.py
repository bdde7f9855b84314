"""Tools register themselves with an invitation, and are used as soon as an admin says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, jsonify

from lti_bridge.assembly.web import web_app
from lti_bridge.sandbox import serving
from tests.cli.office import Office
from tests.flow.world import eventually

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"


@pytest.fixture(scope="module")
def tool() -> Iterator[str]:
    """A tool's key set, and nothing else."""

    def make(url: str) -> Flask:
        app = Flask(__name__)
        app.add_url_rule("/jwks", "jwks", lambda: jsonify(keys=[]))
        return app

    running = serving.start(make)
    yield running.url
    running.stop()


def register(office: Office, address: str, tool: str) -> int:
    """What a tool does when an admin opens its registration address; the bridge's status."""
    query = parse_qs(urlsplit(address).query)
    assert query["openid_configuration"] == ["http://127.0.0.1:9/.well-known/openid-configuration"]
    metadata = {
        "application_type": "web",
        "response_types": ["id_token"],
        "initiate_login_uri": f"{tool}/login",
        "redirect_uris": [f"{tool}/launch"],
        "client_name": "New",
        "jwks_uri": f"{tool}/jwks",
        "token_endpoint_auth_method": "private_key_jwt",
        TOOL: {"domain": "127.0.0.1", "target_link_uri": f"{tool}/launch"},
    }
    answer = (
        web_app(office.bridge)
        .test_client()
        .post(
            "/platform/register",
            json=metadata,
            headers={"Authorization": f"Bearer {query['registration_token'][0]}"},
        )
    )
    return answer.status_code


@pytest.mark.spec("P13DR-01", "P13DR-04", "SECP-55")
def test_a_tool_is_invited_registers_and_is_approved(office: Office, tool: str) -> None:
    found = office.json("tools", "invite", "fresh", f"{tool}/register?tenant=a")
    assert found["address"].startswith(f"{tool}/register?tenant=a&openid_configuration=")
    assert "invited" in office.ok("tools", "list")
    assert register(office, found["address"], tool) == 200
    assert register(office, found["address"], tool) == 401
    assert "pending  fresh" in office.ok("tools", "list")
    catalogue = office.bridge.catalogue
    assert "fresh" not in {one.name for one in catalogue.connections()}
    [listed] = office.json("tools", "list")["tools"]
    assert catalogue.tool13(listed["client_id"]) is None
    assert listed["client_id"] in office.ok("tools", "show", "fresh")
    office.ok("tools", "approve", "fresh", "--privacy", "given_name", "--lms", "campus")
    office.reload()
    made = office.bridge.catalogue.connection("fresh")
    assert (made.kind, made.privacy, made.registrations) == ("lti", {"given_name"}, {"campus"})
    assert office.bridge.catalogue.tool13(listed["client_id"]) is not None
    office.refused("tools", "approve", "fresh")
    office.ok("tools", "retire", "fresh")
    office.reload()
    assert office.bridge.catalogue.tool13(listed["client_id"]) is None
    office.refused("tools", "retire", "fresh")
    office.refused("tools", "invite", "fresh", f"{tool}/register")


def test_what_a_tool_registered_is_corrected_by_command(office: Office, tool: str) -> None:
    found = office.json("tools", "invite", "wrong", f"{tool}/register")
    assert register(office, found["address"], tool) == 200

    def connection() -> dict[str, Any]:
        said: dict[str, Any] = json.loads(office.ok("tools", "show", "wrong"))["connection"]
        return said

    before = connection()
    for values, reason in (
        (("client_id=x",), "another tool"),
        (("name=x",), "another tool"),
        (("jwks_url",), "KEY=VALUE"),
        (("jwks_url=ftp://x",), "jwks_url"),
        (("nonsense=1",), "nonsense"),
        (('privacy=["everything"]',), "privacy"),
    ):
        status = 2 if reason in ("another tool", "KEY=VALUE") else 1
        assert reason in office.refused("tools", "set", "wrong", *values, status=status)
    assert connection() == before
    office.ok(
        *("tools", "set", "wrong", f"jwks_url={tool}/jwks2", f"login_url={tool}/in"),
        f'redirect_uris=["{tool}/launch", "{tool}/there"]',
        *('custom={"chapter": "7"}', 'privacy=["email"]', "frame=true", "services=[]"),
    )
    made = connection()
    assert made["redirect_uris"] == [f"{tool}/launch", f"{tool}/there"]
    assert (made["custom"], made["frame"]) == ({"chapter": "7"}, True)
    office.ok("tools", "set", "wrong", "frame=")
    assert "frame" not in connection()
    office.ok("tools", "approve", "wrong")
    office.ok("tools", "set", "wrong", f"launch_url={tool}/launch")
    office.reload()
    known = office.bridge.catalogue.tool13(before["client_id"])
    assert known is not None
    assert known.jwks_url == f"{tool}/jwks2"
    office.refused("tools", "set", "nobody", "frame=true")


def test_another_process_sees_an_approved_tool_within_seconds(
    fresh_office: Office, tool: str
) -> None:
    office = fresh_office
    running = office.bridge.catalogue
    found = office.json("tools", "invite", "soon", f"{tool}/register")
    assert register(office, found["address"], tool) == 200
    client_id = next(
        one["client_id"] for one in office.json("tools", "list")["tools"] if one["name"] == "soon"
    )
    assert running.tool13(client_id) is None
    office.ok("tools", "approve", "soon")
    eventually(lambda: running.tool13(client_id) is not None, True)
    office.ok("tools", "retire", "soon")
    eventually(lambda: running.tool13(client_id) is None, True)


def test_what_cannot_be_invited(office: Office) -> None:
    office.refused("tools", "invite", "tool", "https://tool.example.org/register")
    office.refused("tools", "invite", "a b", "https://tool.example.org/register", status=2)
    office.refused("tools", "invite", "good", "ftp://tool.example.org", status=2)
    office.refused("tools", "show", "nobody")
