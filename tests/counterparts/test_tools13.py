"""LTI 1.3 tools that others wrote are launched by the bridge and send grades."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lti_bridge.sandbox import serving
from tests.counterparts.node_tools import node_tool
from tests.counterparts.pylti1p3_tool import CLIENT, DEPLOYMENT, PyLti1p3Tool
from tests.flow.browser import Browser, Page
from tests.flow.test_launch_to_gradebook import eventually, grade
from tests.flow.world import ACTIVITIES, World, free_port, make_world

TOOL = """
[[connection]]
name = "{client}"
kind = "lti"
version = "1.3"
launch_url = "{tool}/launch"
login_url = "{tool}/login"
redirect_uris = ["{tool}/launch", "{tool}/launch?chapter=7"]
jwks_url = "{tool}/keys"
deep_link_url = "{tool}/launch"
client_id = "{client}"
deployment_id = "{deployment}"
privacy = ["given_name", "family_name", "full_name", "email"]
services = ["ags", "members"]

[[activity]]
id = "{activity}"
title = "A tool of others"
connection = "{client}"
settings = {{ custom = {{ chapter = "1", who = "$User.id", note = "ä & ö" }} }}
"""
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"
TARGET = "https://purl.imsglobal.org/spec/lti/claim/target_link_uri"


@dataclass
class Room:
    """A running bridge with a tool of others behind it."""

    world: World
    tool: str
    client: str

    def open(self, browser: Browser, link: str) -> Any:
        """Click as a student and go on until the tool answers with what it was told."""
        browser.get(f"{self.world.lms.url}/as/student3")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        for _ in range(8):
            if page.url.startswith(self.tool):
                break
            page = browser.submit(page)
        assert page.status == 200, page.text
        return page

    def choose(self) -> Page:
        """Choose at the tool as a teacher, for a new link; the page of the LMS that lists it."""
        browser, world = Browser(), self.world
        browser.get(f"{world.lms.url}/as/teacher")
        page = browser.through(browser.get(f"{world.lms.url}/add/1.3"), world.bridge.url)
        way = f"0 {self.client}"
        page = browser.submit(browser.submit(page, do="form", way=way), do="tool")
        page = browser.through(page, self.tool)
        page = browser.through(page, world.bridge.url)
        assert "Tests to add" in page.text, page.text
        return browser.through(browser.submit(page, do="finish"), world.lms.url)

    def newest(self) -> str:
        """The link that was placed last."""
        return str(self.world.gradebook()["columns"][-1]["link"])


def start(folder: Any, tool: str, client: str, deployment: str, world: World | None = None) -> Room:
    """Serve a bridge whose every course link opens the tool."""
    world = world or make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    entry = TOOL.format(tool=tool, client=client, deployment=deployment, activity="best")
    text = world.bridge.config.read_text().replace(ACTIVITIES, entry)
    world.bridge.config.write_text(text)
    world.bridge.serve()
    return Room(world, tool, client)


@pytest.fixture(scope="module")
def pylti1p3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    tool = PyLti1p3Tool()
    running = serving.start(tool.make_app)
    room = start(tmp_path_factory.mktemp("pylti1p3"), running.url, CLIENT, DEPLOYMENT)
    tool.issuer = room.world.bridge.url
    yield room
    room.world.stop()
    running.stop()


@pytest.mark.parametrize("link", ["best13", "best11"])
def test_pylti1p3(pylti1p3: Room, link: str) -> None:
    browser = Browser()
    told = json.loads(pylti1p3.open(browser, link).text)
    assert (told["given_name"], told["family_name"]) == ("Zoë", "Exämple")
    assert told[CUSTOM] == {"chapter": "1", "who": told["sub"], "note": "ä & ö"}
    sent = browser.post(f"{pylti1p3.tool}/score", {"sub": told["sub"], "score": "62.5"})
    assert sent.status == 200, sent.text
    [seen] = json.loads(sent.text)["seen"]
    assert seen["userId"] == told["sub"]
    assert seen["scoreOf"] == told[GRADES]["lineitem"]
    assert seen["resultScore"] / seen["resultMaximum"] == pytest.approx(0.625)
    eventually(lambda: grade(pylti1p3.world, "student3", link), 0.625)


@pytest.mark.spec("P13DL-03", "P13DL-12", "CERTP-05")
def test_what_is_chosen_in_pylti1p3_comes_back(pylti1p3: Room) -> None:
    assert "Chapter of PyLTI1p3" in pylti1p3.choose().text
    told = json.loads(pylti1p3.open(Browser(), pylti1p3.newest()).text)
    assert told[CUSTOM] == {"chapter": "7", "who": told["sub"]}
    assert told[TARGET] == f"{pylti1p3.tool}/launch?chapter=7"


class Behind(datetime):
    """PyJWT's clock in the tool and in the pretend LMS, which is the test's process."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Behind:
        return super().now(tz) - timedelta(seconds=5)


@pytest.mark.spec("P13ID-01")
def test_clocks_that_are_behind_by_five_seconds(
    pylti1p3: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt.api_jwt.datetime", Behind)
    told = json.loads(pylti1p3.open(Browser(), "best13").text)
    assert told["iat"] < time.time() - 5
    assert told["exp"] - told["iat"] == 300
    assert "Chapter of PyLTI1p3" in pylti1p3.choose().text  # our own answer to the LMS


@pytest.fixture(scope="module")
def ltijs(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("ltijs")
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    asked = {
        "issuer": world.bridge.url,
        "client_id": "ltijs-client",
        "database": _database(postgres),
    }
    port = free_port()
    with node_tool("ltijs_tool.js", json.dumps(asked), port=port) as tool:
        yield start(folder, tool, "ltijs-client", "ltijs-deployment", world)
        world.stop()


def _database(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    return {
        "name": parts.path.lstrip("/"),
        "user": parts.username or "postgres",
        "password": parts.password or "",
        "host": host,
    }


@pytest.mark.parametrize("link", ["best13", "best11"])
def test_ltijs(ltijs: Room, link: str) -> None:
    browser = Browser()
    page = ltijs.open(browser, link)
    told = json.loads(page.text)
    assert told["token"]["userInfo"]["given_name"] == "Zoë"
    context = told["token"]["platformContext"]
    assert context["custom"]["chapter"] == "1"
    assert context["custom"]["who"] == told["token"]["user"]
    sent = browser.post(f"{ltijs.tool}/score?ltik={told['ltik']}", {"score": "31.25"})
    assert sent.status == 200, sent.text
    seen = json.loads(sent.text)["seen"]["scores"]
    assert [one["userId"] for one in seen] == [told["token"]["user"]]
    eventually(lambda: grade(ltijs.world, "student3", link), 0.3125)


@pytest.mark.spec("P13DL-03", "P13DL-12", "CERTP-05")
def test_what_is_chosen_in_ltijs_comes_back(ltijs: Room) -> None:
    assert "Chapter of ltijs" in ltijs.choose().text
    told = json.loads(ltijs.open(Browser(), ltijs.newest()).text)
    custom = told["token"]["platformContext"]["custom"]
    assert custom == {"chapter": "7", "who": told["token"]["user"]}


@pytest.fixture(scope="module", params=["lti_tool_core", "atomicjolt"])
def small(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Room]:
    """Tools of Node.js that keep what they know in memory."""
    folder = tmp_path_factory.mktemp(request.param)
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    asked = {"issuer": world.bridge.url, "client_id": request.param, "deployment_id": "d-7"}
    with node_tool(f"{request.param}.mjs", json.dumps(asked)) as tool:
        yield start(folder, tool, request.param, "d-7", world)
        world.stop()


@pytest.mark.spec("P13AS-01", "P13NR-01")
@pytest.mark.parametrize("link", ["best13", "best11"])
def test_small_tools(small: Room, link: str) -> None:
    browser = Browser()
    told = json.loads(small.open(browser, link).text)
    claims = told.get("jwtPayload", told)  # one tells its session, one the claims
    assert (claims["given_name"], claims["family_name"]) == ("Zoë", "Exämple")
    assert claims[CUSTOM] == {"chapter": "1", "who": claims["sub"], "note": "ä & ö"}
    sent = browser.post(f"{small.tool}/score", {"sub": claims["sub"], "score": "62.5"})
    assert sent.status == 200, sent.text
    said = json.loads(sent.text)
    [seen] = said["seen"]
    assert seen["userId"] == claims["sub"]
    assert seen["resultScore"] / seen["resultMaximum"] == pytest.approx(0.625)
    eventually(lambda: grade(small.world, "student3", link), 0.625)
    if small.client == "atomicjolt":
        # its own scores are written in snake case: refused, and the reason names the member
        assert "userId" in json.dumps(said["own"])
        assert said["made"]["label"] == "Of atomicjolt"  # sent as application/json
        assert said["made"]["id"] in [one["id"] for one in said["items"]]
    else:
        assert said["item"]["id"] == claims[GRADES]["lineitem"]


def test_small_tools_list_the_members(small: Room) -> None:
    browser = Browser()
    told = json.loads(small.open(browser, "best13").text)
    me = told.get("jwtPayload", told)["sub"]
    listed = browser.post(f"{small.tool}/members", {"sub": me})
    assert listed.status == 200, listed.text
    members = json.loads(listed.text)["members"]
    found = {one.get("user_id") or one["userId"]: one for one in members}
    assert len(found) == 4
    assert found[me]["name"] == "Zoë Exämple"


@pytest.mark.spec("P13DL-03", "P13DL-12", "CERTP-05")
@pytest.mark.parametrize("small", ["lti_tool_core"], indirect=True)  # the other one cannot
def test_what_is_chosen_in_a_small_tool_comes_back(small: Room) -> None:
    assert "Chapter of lti-tool" in small.choose().text
    told = json.loads(small.open(Browser(), small.newest()).text)
    claims = told["jwtPayload"]
    assert claims[CUSTOM] == {"chapter": "7", "who": claims["sub"]}
