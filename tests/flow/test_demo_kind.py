"""The demo kind through running servers: launches to the gradebook, a lost callback, kill -9."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import demo, serving
from tests.flow.browser import Browser, Page
from tests.flow.world import ACTIVITIES, HTTP, World, make_world

DEMO = """
[[connection]]
name = "try-it"
kind = "demo"
base_url = "{demo}"
api_key = "demo-key-of-the-test"

[[activity]]
id = "best"
title = "Geography"
connection = "try-it"
settings = {{ test = "geography", group = "$Context.title" }}

[[activity]]
id = "last"
title = "Geography, marked by a person"
connection = "try-it"
grade = "last"
settings = {{ test = "essay" }}
"""
USERS = {"student1": "4", "student2": "5"}


@dataclass
class Scene:
    """A world with a pretend demo provider."""

    world: World
    demo: serving.Running

    def click(self, user: str, link: str) -> Page:
        """Click a course link and go on until the provider, or a page of the bridge that stays."""
        browser = Browser()
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        while page.status == 200 and page.url.startswith(self.world.lms.url):
            page = browser.submit(page)
        return page

    def sessions(self) -> Any:
        return HTTP.request("GET", f"{self.demo.url}/control/state").json()["sessions"]

    def control(self, action: str, number: int, **values: Any) -> None:
        self.world.control(self.demo, action, id=self.sessions()[number]["id"], **values)

    def grade(self, user: str, link: str) -> Any:
        for column in self.world.gradebook()["columns"]:
            cell = column["cells"].get(USERS[user]) if column["link"] == link else None
            if cell and cell["score"] is not None:
                return round(cell["score"] / column["maximum"], 6)
        return None


@pytest.fixture
def scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend demo provider."""
    world = make_world(tmp_path, database_url)
    running = serving.start(demo.make_app(demo.DemoSettings(api_key="demo-key-of-the-test")))
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    world.bridge.config.write_text(written + DEMO.format(demo=running.url), encoding="utf-8")
    world.bridge.serve()
    yield Scene(world, running)
    world.stop()
    running.stop()


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and look() != wanted:
        time.sleep(0.05)
    assert look() == wanted


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_test_taken_in_the_browser_is_in_the_gradebook(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.demo.url}/take/")
    assert scene.click("student1", link).url == page.url
    (session,) = scene.sessions()
    assert session["asked"]["group"]
    done = Browser().submit(page, q1="1", q2="0", q3="0")
    assert "2 of 3" in done.text
    eventually(lambda: scene.grade("student1", link), round(2 / 3, 6))
    assert "demo-key-of-the-test" not in scene.world.bridge.log()
    assert session["asked"]["callback_url"].rpartition("/")[2] not in scene.world.bridge.log()


def test_lost_callbacks_and_killed_servers_lose_no_grade(scene: Scene, database_url: str) -> None:
    bridge = scene.world.bridge
    for user in USERS:
        scene.click(user, "last11")
    scene.control("hand-in", 0)
    eventually(lambda: "being marked" in scene.click("student1", "last11").text, True)
    bridge.kill(bridge.processes[0])
    scene.control("mark", 0, score=0, maximum=8)
    scene.control("mark", 1, score=7, maximum=8)  # nobody was there
    engine = create_engine(database_url)
    with engine.begin() as connection:  # as if an hour had passed
        connection.execute(text("UPDATE attempts SET poll_at = 1 WHERE poll_at IS NOT NULL"))
    engine.dispose()
    bridge.serve()
    eventually(lambda: scene.grade("student1", "last11"), 0)
    eventually(lambda: scene.grade("student2", "last11"), 0.875)
    scene.control("mark", 1, score=1, maximum=8)  # corrected later, with a callback
    eventually(lambda: scene.grade("student2", "last11"), 0.125)
    assert len(scene.sessions()) == 2
