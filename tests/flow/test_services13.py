"""Grades and members between an LTI 1.3 tool and the LMS, through running servers."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from lti_bridge.sandbox import lms, serving
from lti_bridge.sandbox.tools import tool13
from tests.flow.browser import Browser, Page
from tests.flow.tools13 import Tools13
from tests.flow.world import HTTP, World, eventually, make_world
from tests.platform.services.platform import ASSERTION, MEMBERS, make_key, pem

NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
CONFIG = """
[[connection]]
name = "{name}"
kind = "lti"
version = "1.3"
login_url = "{url}/login"
launch_url = "{url}/launch"
{keys}
client_id = "{name}-client"
services = ["{service}"]
privacy = ["given_name", "full_name"]

[[activity]]
id = "{name}"
title = "A quiz, {name}"
connection = "{name}"
"""
LINKS = tuple(
    lms.LinkSpec(f"{name}-{lti}", name, lti, {"activity": name})
    for name in ("ags", "outcome", "list")
    for lti in ("1.1", "1.3")
)
QUADRANTS = [(service, lti) for service in ("ags", "outcome") for lti in ("1.1", "1.3")]


def start_tool(world: World, name: str, service: str) -> serving.Running:
    """A pretend tool that may use one service, which the bridge knows."""
    settings = tool13.Tool13Settings(world.bridge.url, f"{name}-client", "1")
    running = serving.start(tool13.make_app(settings))
    keys = f'jwks_url = "{running.url}/jwks"'
    add(world, CONFIG.format(name=name, url=running.url, keys=keys, service=service))
    return running


def add(world: World, text: str) -> None:
    """Add to the configuration."""
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(text)


@pytest.mark.spec("P13AS-01", "P13BO-02", "P13TK-09", "P13TK-13")
def test_grades_reach_the_gradebook_by_both_services(tmp_path: Path, database_url: str) -> None:
    world = make_world(tmp_path, database_url, links=LINKS)
    tools = {
        "ags": start_tool(world, "ags", "ags"),
        "outcome": start_tool(world, "outcome", "basic-outcome"),
    }
    try:
        world.bridge.serve()
        for number, (service, lti) in enumerate(QUADRANTS, 1):
            scene, browser = Tools13(world, tools[service], tools[service]), Browser()
            page = scene.open(f"{service}-{lti}", browser=browser)
            page = browser.submit(page, score=f"{0.6 * number}")  # of 3
            assert "was sent" in page.text, (service, lti)
            sent = scene_state(tools[service])[-1]["sent"]["url"]
            assert sent.endswith("/scores" if service == "ags" else "/platform/outcomes")
            eventually(
                lambda link=f"{service}-{lti}", one=scene: one.grade(link), round(0.2 * number, 9)
            )
    finally:
        world.stop()
        for running in tools.values():
            running.stop()


def scene_state(running: serving.Running) -> list[dict[str, Any]]:
    """The sittings of a pretend tool."""
    return list(HTTP.request("GET", f"{running.url}/control/state").json()["launches"])


def claims_of(world: World, link: str) -> dict[str, Any]:
    """What the tool of a public key is told by a launch."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/student1")
    page = browser.get(f"{world.lms.url}/launch/{link}")
    return claims_behind(world, browser, browser.through(page, world.bridge.url))


def claims_behind(world: World, browser: Browser, page: Page) -> dict[str, Any]:
    """What the tool is told that this page leads to."""
    started = dict(page.form().fields)
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "nonce": secrets.token_hex(8),
        "redirect_uri": "http://127.0.0.1:9/launch",
        **{name: started[name] for name in ("client_id", "login_hint", "lti_message_hint")},
    }
    page = browser.get(f"{world.bridge.url}/platform/authorize?{urlencode(query)}")
    token = dict(page.form().fields)["id_token"]
    return dict(jwt.decode(token, options={"verify_signature": False}))


@pytest.mark.spec("P13NR-01", "P13NR-02", "P13NR-10", "P13NR-12", "CERTP-06", "P13ID-04")
def test_the_roster_of_the_lms_is_handed_on(tmp_path: Path) -> None:
    world, key = make_world(tmp_path, f"sqlite:///{tmp_path}/b.sqlite3", links=LINKS), make_key()
    keys = f"public_key = '''{pem(key)}'''"
    url = "http://127.0.0.1:9"
    add(world, CONFIG.format(name="list", url=url, keys=keys, service="members"))
    try:
        world.bridge.serve()
        assert NRPS not in claims_of(world, "list-1.1")  # an LMS that tells nobody
        claims = claims_of(world, "list-1.3")  # no teacher has been here, and it is the first
        assert claims[NRPS]["service_versions"] == ["2.0"]
        address = claims[NRPS]["context_memberships_url"]
        assert address.startswith(f"{world.bridge.url}/platform/")
        now = int(time.time())
        assertion = {"iss": "list-client", "sub": "list-client", "jti": secrets.token_hex(8)}
        assertion |= {"aud": f"{world.bridge.url}/platform/token", "iat": now, "exp": now + 60}
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": jwt.encode(assertion, key, "RS256"),
            "scope": MEMBERS,
        }
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"{world.bridge.url}/platform/token"
        token = HTTP.request("POST", path, body=urlencode(fields), headers=form).json()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        found = HTTP.request("GET", address, headers=bearer).json()["members"]
        names = {one["user_id"]: one["name"] for one in found}
        assert names[claims["sub"]] == claims["name"]
        assert len(names) == len(found) > 3
        assert not any("email" in one for one in found)
    finally:
        world.stop()
