"""The demo kind through running servers: launches to the gradebook, a lost callback, kill -9."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from lti_bridge.sandbox import demo
from tests.flow.browser import Browser
from tests.flow.loop import Loop, running_loop
from tests.flow.world import eventually

DEMO = """
[[connection]]
name = "try-it"
kind = "demo"
base_url = "{party}"
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
USERS = ("student1", "student2")


class Scene(Loop):
    """A loop with a pretend demo provider."""

    def sessions(self) -> Any:
        return self.state()["sessions"]

    def control(self, action: str, number: int, **values: Any) -> None:
        self.pull(action, id=self.sessions()[number]["id"], **values)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend demo."""

    def party(_: str) -> Callable[[str], Flask]:
        return demo.make_app(demo.DemoSettings(api_key="demo-key-of-the-test"))

    folder = tmp_path_factory.mktemp("demo")
    with running_loop(Scene, folder, shared_database, party, DEMO) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_test_taken_in_the_browser_is_in_the_gradebook(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.party.url}/take/")
    assert scene.click("student1", link).url == page.url
    (session,) = scene.sessions()
    assert session["asked"]["group"]
    done = Browser().submit(page, q1="1", q2="0", q3="0")
    assert "2 of 3" in done.text
    eventually(lambda: scene.grade("student1", link), round(2 / 3, 6))
    assert "demo-key-of-the-test" not in scene.world.bridge.log()
    assert session["asked"]["callback_url"].rpartition("/")[2] not in scene.world.bridge.log()


@pytest.mark.spec("BR-11")
def test_an_lms_that_can_hear_it_shows_that_marks_are_being_made(scene: Scene) -> None:
    for number, link in enumerate(("last13", "last11")):
        scene.click("student1", link)
        scene.control("hand-in", number)
        eventually(lambda at=link: "being marked" in scene.click("student1", at).text, True)
    eventually(lambda: scene.cell("student1", "last13").get("pending"), True)
    for number, link in enumerate(("last13", "last11")):
        scene.control("mark", number, score=7, maximum=8)
        eventually(lambda at=link: scene.grade("student1", at), 0.875)
    assert not scene.cell("student1", "last13")["pending"]


def test_lost_callbacks_and_killed_servers_lose_no_grade(scene: Scene) -> None:
    bridge = scene.world.bridge
    for user in USERS:
        scene.click(user, "last11")
    scene.control("hand-in", 0)
    eventually(lambda: "being marked" in scene.click("student1", "last11").text, True)
    scene.die()
    scene.control("mark", 0, score=0, maximum=8)
    scene.control("mark", 1, score=7, maximum=8)  # nobody was there
    scene.let_time_pass()
    bridge.serve()
    eventually(lambda: scene.grade("student1", "last11"), 0)
    eventually(lambda: scene.grade("student2", "last11"), 0.875)
    scene.control("mark", 1, score=1, maximum=8)  # corrected later, with a callback
    eventually(lambda: scene.grade("student2", "last11"), 0.125)
    assert len(scene.sessions()) == 2
