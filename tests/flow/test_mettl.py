"""Mettl through running servers: launches, web-hooks and lost ones, lost answers, kill -9."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import mettl, serving
from tests.flow.browser import Browser, Page
from tests.flow.world import ACTIVITIES, HTTP, World, make_world

HOOK_TOKEN = "hook-token-of-the-test"
METTL = """
[[connection]]
name = "mettl"
kind = "mettl"
base_url = "{mettl}"
public_key = "pub"
private_key = "private-key-of-the-test"
hook_token = "hook-token-of-the-test"

[[connection]]
name = "mettl-pseudonyms"
kind = "mettl"
base_url = "{mettl}"
public_key = "pub"
private_key = "private-key-of-the-test"
privacy = ["given_name"]
pseudonym_domain = "pseudonym.example.org"

[[activity]]
id = "best"
title = "Logical reasoning"
connection = "mettl"
[activity.settings]
access_key = "open1003"
registration = {{ "Last Name" = "$Person.name.family" }}

[[activity]]
id = "last"
title = "Logical reasoning, last attempt"
connection = "mettl-pseudonyms"
grade = "last"
settings = {{ assessment_id = "1002" }}
"""
USERS = {"student1": "4", "student2": "5", "student3": "6"}
REGISTER = "/v2/schedules/open1003/candidates"


@dataclass
class Scene:
    """A world with a pretend Mettl instead of an Isograd."""

    world: World
    mettl: serving.Running

    def click(self, user: str, link: str) -> Page:
        """Click a course link and go on until Mettl, or a page of the bridge that stays."""
        browser = Browser()
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        while page.status == 200 and page.url.startswith(self.world.lms.url):
            page = browser.submit(page)
        return page

    def take(self, page: Page, marks: str) -> None:
        """Start the test that a click led to, and hand it in."""
        browser = Browser()
        test = browser.submit(browser.get(page.url))
        browser.submit(test, score=marks)

    def state(self) -> Any:
        return HTTP.request("GET", f"{self.mettl.url}/control/state").json()

    def control(self, action: str, **values: Any) -> None:
        self.world.control(self.mettl, action, **values)

    def finish(self, number: int, **result: Any) -> None:
        """Hand in or mark a candidate's test; no web-hook is sent."""
        instance = self.state()["candidates"][number]["candidate_instance_id"]
        self.control("finish", candidate_instance_id=instance, silent=True, **result)

    def grade(self, user: str, link: str) -> Any:
        for column in self.world.gradebook()["columns"]:
            if column["link"] == link:
                cell = column["cells"].get(USERS[user])
                if cell and cell["score"] is not None:
                    return round(cell["score"] / column["maximum"], 9)
        return None


@pytest.fixture(name="scene")
def mettl_scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend Mettl."""
    world = make_world(tmp_path, database_url)
    settings = mettl.MettlSettings(
        public_key="pub",
        private_key="private-key-of-the-test",
        credits=20,
        hook_url=f"{world.bridge.url}/hooks/mettl/{HOOK_TOKEN}",
    )
    running = serving.start(mettl.make_app(settings))
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    world.bridge.config.write_text(written + METTL.format(mettl=running.url), encoding="utf-8")
    world.bridge.serve()
    yield Scene(world, running)
    world.stop()
    running.stop()


def eventually(look: Callable[[], Any], wanted: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and look() != wanted:
        time.sleep(0.05)
    assert look() == wanted


def let_time_pass(database_url: str) -> None:
    """As if an hour had passed: attempts are due to be asked about, starts are no longer fresh."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET poll_at = 1 WHERE poll_at IS NOT NULL"))
        connection.execute(text("UPDATE attempts SET changed_at = changed_at - 3600000"))
    engine.dispose()


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_grade_comes_back_after_the_web_hooks(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.mettl.url}/take/"), page.text
    assert scene.click("student1", link).url == page.url
    (candidate,) = scene.state()["candidates"]
    assert candidate["registration"]["Last Name"]  # without a privacy rule the family name leaves
    scene.take(page, "7")
    eventually(lambda: scene.grade("student1", link), 0.7)
    hooks = scene.state()["hooks"]
    assert [row["status"] for row in hooks] == [200, 200, 200]
    _repeat_and_forge(scene, hooks[-1]["url"], json.loads(hooks[-1]["body"]))
    second = scene.click("student1", link)  # a schedule of its own, which knows the way back
    assert second.url != page.url
    made = scene.state()["schedules"][-1]
    assert made["sc"]["name"] == "Open attempt 2"
    scene.take(second, "3")
    eventually(lambda: len(scene.state()["hooks"]), 6)
    assert {row["status"] for row in scene.state()["hooks"]} == {200}
    time.sleep(0.5)
    assert scene.grade("student1", link) == 0.7  # the best one
    assert scene.state()["credits"] == 18
    log = scene.world.bridge.log()
    for private in (candidate["email"], candidate["registration"]["Last Name"], "asgn", HOOK_TOKEN):
        assert private not in log


def _repeat_and_forge(scene: Scene, url: str, told: dict[str, Any]) -> None:
    """Repeats count once; what a web-hook claims counts never; others have no way in."""
    forged = {**told, "marks_scored": 10, "context_data": told["context_data"] + "x"}
    claimed = {**told, "marks_scored": 10, "testStatus": {"result": {"totalMarks": 10}}}
    answers = [
        HTTP.request("POST", address, json=body).status
        for address, body in [
            (url, told),
            (url, claimed),
            (url, forged),
            (f"{url}x", told),
            (url.replace("/mettl/", "/mettl-pseudonyms/"), told),
        ]
    ]
    assert answers == [200, 200, 403, 403, 403]
    assert HTTP.request("POST", url, body=b"{").status == 400


def test_pseudonyms_marks_by_a_person_and_a_later_correction(scene: Scene) -> None:
    page = scene.click("student1", "last11")
    (candidate,) = scene.state()["candidates"]
    assert candidate["email"].endswith("@pseudonym.example.org")
    assert candidate["access_key"] == scene.state()["schedules"][-1]["access_key"]
    scene.take(page, "")
    eventually(lambda: "being marked" in scene.click("student1", "last11").text, True)
    assert scene.grade("student1", "last11") is None
    for marks in (6, 8, 6):  # the last one says exactly what the first one said
        scene.control("finish", email=candidate["email"], total_marks=marks, max_marks=10)
        eventually(lambda marks=marks: scene.grade("student1", "last11"), marks / 10)


def test_lost_web_hooks_and_killed_servers_lose_no_grade(scene: Scene, database_url: str) -> None:
    bridge = scene.world.bridge
    for user in ("student1", "student2"):
        assert scene.click(user, "best13").url.startswith(scene.mettl.url)
    bridge.kill(bridge.processes[0])
    scene.control("finish", email=scene.state()["candidates"][0]["email"], total_marks=4)
    assert {row["status"] for row in scene.state()["hooks"]} == {0}  # nobody was there
    scene.finish(1, total_marks=-2)
    let_time_pass(database_url)
    bridge.serve()
    eventually(lambda: scene.grade("student1", "best13"), 0.4)
    eventually(lambda: scene.grade("student2", "best13"), 0.0)


def test_a_click_after_lost_web_hooks_brings_the_grade_at_once(scene: Scene) -> None:
    scene.click("student1", "best13")
    scene.finish(0, total_marks=9)
    assert "being marked" in scene.click("student1", "best13").text
    eventually(lambda: scene.grade("student1", "best13"), 0.9, seconds=8)


def test_a_lost_answer_is_found_again_without_a_second_registration(
    scene: Scene, database_url: str
) -> None:
    scene.control("fault", path=REGISTER, drop=True)
    page = scene.click("student1", "best11")
    assert (page.status, "attempt-unclear" in page.text) == (409, True)
    assert "being prepared" in scene.click("student1", "best11").text  # not called again at once
    assert scene.state()["calls"] == {"register": 1}
    let_time_pass(database_url)
    scene.take(scene.click("student1", "best11"), "5")
    assert scene.state()["credits"] == 19
    eventually(lambda: scene.grade("student1", "best11"), 0.5)


def test_a_refusal_is_a_page_and_the_next_click_works(scene: Scene) -> None:
    said = {"status": "ERROR", "error": {"code": "E607", "message": "limit"}}
    scene.control("fault", path=REGISTER, body=json.dumps(said))
    page = scene.click("student1", "best13")
    assert page.status == 503
    assert "mettl-no-registrations" in page.text
    assert scene.click("student1", "best13").url.startswith(f"{scene.mettl.url}/take/")
