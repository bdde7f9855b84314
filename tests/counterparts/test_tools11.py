"""LTI 1.1 tools that others wrote are launched by the bridge and send the grade back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.counterparts.node_tools import node_tool, pylti_tool
from tests.flow.browser import Browser
from tests.flow.test_launch_to_gradebook import eventually, grade
from tests.flow.world import ACTIVITIES, World, make_world

TOOL = """
[[connection]]
name = "tool"
kind = "lti"
launch_url = "{tool}/launch"
consumer_key = "{key}"
shared_secret = "{secret}"
privacy = ["given_name", "family_name", "full_name", "email"]

[[activity]]
id = "best"
title = "A tool of others"
connection = "tool"
settings = {{ custom = {{ chapter = "1", who = "$User.id", "Größe!" = "ä & ö" }} }}
"""


@dataclass
class Room:
    """A running bridge and the tool behind it."""

    world: World
    tool: str


def start(folder: Path, tool: str, key: str, secret: str) -> Room:
    """Serve a bridge whose every course link opens the tool."""
    extra = TOOL.format(tool=tool, key=key, secret=secret)
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    text = world.bridge.config.read_text().replace(ACTIVITIES, extra)
    world.bridge.config.write_text(text)
    world.bridge.serve()
    return Room(world, tool)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("ims-lti")
    with node_tool("ims_lti_tool.js", "tool-key", "tool-secret") as tool:
        made = start(folder, tool, "tool-key", "tool-secret")
        yield made
        made.world.stop()


@pytest.fixture(scope="module")
def pylti(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with pylti_tool("pylti-key", "pylti-secret") as tool:
        made = start(tmp_path_factory.mktemp("pylti"), tool, "pylti-key", "pylti-secret")
        yield made
        made.world.stop()


@pytest.mark.spec("BR-12")
@pytest.mark.parametrize("link", ["best13", "best11"])
def test_ims_lti_is_launched_and_grades(room: Room, link: str) -> None:
    browser = Browser()
    browser.get(f"{room.world.lms.url}/as/student3")
    page = browser.get(f"{room.world.lms.url}/launch/{link}")
    page = browser.through(page, room.tool)
    assert page.status == 200, page.text
    told = json.loads(page.text)
    assert (told["lis_person_name_given"], told["lis_person_name_family"]) == ("Zoë", "Exämple")
    assert told["custom_chapter"] == "1"
    assert told["custom_gr__e_"] == "ä & ö"
    assert told["custom_who"] == told["user_id"]

    def ask(**values: str) -> object:
        sent = browser.post(f"{room.tool}/grade", {"user_id": told["user_id"], **values})
        return json.loads(sent.text)

    assert ask(score="0.62") == {"error": None, "result": True}
    eventually(lambda: grade(room.world, "student3", link), 0.62)
    assert ask(action="read") == {"error": None, "result": 0.62}
    assert ask(action="delete") == {"error": None, "result": True}
    eventually(lambda: grade(room.world, "student3", link), None)


@pytest.mark.spec("BR-12")
@pytest.mark.parametrize("link", ["best13", "best11"])
def test_pylti_is_launched_and_grades(pylti: Room, link: str) -> None:
    browser = Browser()
    browser.get(f"{pylti.world.lms.url}/as/student3")
    page = browser.through(browser.get(f"{pylti.world.lms.url}/launch/{link}"), pylti.tool)
    assert page.status == 200, page.text
    told = json.loads(page.text)
    assert told["told"]["lis_person_name_given"] == "Zoë"
    assert told["told"]["custom_gr__e_"] == "ä & ö"
    assert (told["user"], told["role"]) == (told["told"]["user_id"], "Learner")
    sent = browser.post(f"{pylti.tool}/grade", {"score": "0.62"})
    assert (sent.status, json.loads(sent.text)) == (200, {"taken": True})
    eventually(lambda: grade(pylti.world, "student3", link), 0.62)
    wrong = {**told["told"], "user_id": "somebody-else"}
    assert browser.post(f"{pylti.tool}/launch", wrong).status == 401  # it does look
