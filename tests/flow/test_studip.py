"""Stud.IP's habits, as a running one had them (docs/lms.md): grades, chosen links, shared cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import lms, serving
from lti_bridge.sandbox.tools import tool11, tool13
from tests.flow.browser import Browser
from tests.flow.test_deep_link_platform import BOTH, CONFIG, Room
from tests.flow.tools13 import USERS
from tests.flow.world import HTTP, eventually, make_world

ANN = USERS["student1"]
LINKS = (
    lms.LinkSpec("first-1.1", "First course", "1.1", {"activity": "quiz"}),
    lms.LinkSpec("second-1.1", "Second course", "1.1", {"activity": "quiz"}),
    lms.LinkSpec("ags-1.3", "By AGS", "1.3", {"activity": "quiz"}, grades="ags"),
)
QUIZ = """
[[activity]]
id = "quiz"
title = "A quiz"
connection = "tool-1.3"
"""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    world = make_world(
        tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3", links=LINKS, family="studip"
    )
    known = tool13.Tool13Settings(world.bridge.url, "tool-client", "tool-deployment")
    tools = {
        "1.3": serving.start(tool13.make_app(known)),
        "1.1": serving.start(tool11.make_app(tool11.Tool11Settings("tool-key", "tool-secret"))),
    }
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(CONFIG.format(tool13=tools["1.3"].url, tool11=tools["1.1"].url) + QUIZ)
    world.bridge.serve()
    yield Room(world, tools)
    world.stop()
    for tool in tools.values():
        tool.stop()


def take(room: Room, link: str, score: str) -> None:
    """Let Ann take the test of a link."""
    browser = Browser()
    browser.get(f"{room.world.lms.url}/as/student1")
    page = browser.get(f"{room.world.lms.url}/launch/{link}")
    page = browser.through(page, room.tools["1.3"].url)
    browser.submit(page, score=score)


def shown(room: Room, link: str) -> Any:
    return room.column(link)["cells"].get(ANN, {}).get("score")


def teacher_sees(room: Room, link: str) -> str:
    """The page of a link, for its teacher."""
    browser = Browser()
    browser.get(f"{room.world.lms.url}/as/teacher")
    page = browser.get(f"{room.world.lms.url}/launch/{link}")
    return browser.through(page, room.world.bridge.url).text


def test_a_grade_comes_and_takes_no_other_ones_place(room: Room) -> None:
    """One cell for all links of a tool: the second grade is held, and the staff is told."""
    take(room, "first-1.1", "3")  # of 3; with a blank in the header there is none
    eventually(lambda: shown(room, "first-1.1"), 100.0)
    take(room, "second-1.1", "0")
    eventually(lambda: "not overwritten" in teacher_sees(room, "second-1.1"), True)
    assert shown(room, "first-1.1") == 100.0
    assert "not in your LMS" not in teacher_sees(room, "first-1.1")


def columns_made(room: Room) -> int:
    log = HTTP.request("GET", f"{room.world.lms.url}/control/log").json()
    return sum(one["method"] == "POST" and one["path"].endswith("/lineitems") for one in log)


def tries(room: Room) -> int:
    """How often the grade was tried; each time it is due again at once."""
    engine = create_engine(f"sqlite:///{room.world.bridge.folder}/bridge.sqlite3")
    with engine.begin() as connection:
        connection.execute(text("UPDATE grades SET due_at = 0 WHERE delivery = 'pending'"))
        found = connection.execute(text("SELECT max(tries) FROM grades")).scalar_one()
    engine.dispose()
    return int(found)


def test_a_broken_grade_service_is_named_and_no_column_stays(room: Room) -> None:
    before = room.world.gradebook()["columns"]
    take(room, "ags-1.3", "2")
    eventually(lambda: "HTTP 500" in teacher_sees(room, "ags-1.3"), True)
    assert "1 grade of this link is not in your LMS" in teacher_sees(room, "ags-1.3")
    away = "in a column that was made for them and taken away again"
    eventually(lambda: away in teacher_sees(room, "ags-1.3"), True)
    eventually(lambda: room.world.gradebook()["columns"], before)
    eventually(lambda: tries(room) > 6, True)
    assert (columns_made(room), room.world.gradebook()["columns"]) == (1, before)
    assert f"{away}: HTTP 500" in teacher_sees(room, "ags-1.3")


def test_a_tutor_is_staff(room: Room) -> None:
    """Stud.IP sends two sub-roles of theirs, one of which looks on."""
    room.world.control(room.world.lms, "tutor", user=USERS["student2"])
    browser = Browser()
    browser.get(f"{room.world.lms.url}/as/student2")
    page = browser.get(f"{room.world.lms.url}/launch/ags-1.3")
    page = browser.through(page, room.world.bridge.url)
    assert "What students get from this link" in page.text
    assert "Open the test as a preview" in page.text
    assert room.state("1.3")["launches"] == []


@BOTH
def test_a_chosen_link_opens_its_test_by_its_address_alone(room: Room, lti: str) -> None:
    browser, form = room.form(lti, "1.3")
    browser.submit(browser.submit(room.choose(browser, form, "1.3", "green", "mate"), do="finish"))
    browser.get(f"{room.world.lms.url}/as/student1")
    course = browser.get(room.world.lms.url).text
    for link, chapter in zip(
        sorted(set(re.findall(r"/launch/(placed-[0-9]+)", course))), ("green", "mate"), strict=True
    ):
        room.open(link, "1.3")
        claims = room.state("1.3")["launches"][-1]["claims"]
        custom = claims["https://purl.imsglobal.org/spec/lti/claim/custom"]
        assert custom["chapter"] == chapter
