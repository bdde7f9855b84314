"""Mettl through running servers: launches, web-hooks and lost ones, lost answers, kill -9."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from lti_bridge.sandbox import mettl
from tests.flow.browser import Browser, Page
from tests.flow.loop import HOOK_TOKEN, Loop, running_loop
from tests.flow.world import HTTP, eventually

METTL = """
[[connection]]
name = "mettl"
kind = "mettl"
base_url = "{party}"
public_key = "pub"
private_key = "private-key-of-the-test"
hook_token = "hook-token-of-the-test"

[[connection]]
name = "mettl-pseudonyms"
kind = "mettl"
base_url = "{party}"
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
REGISTER = "/v2/schedules/open1003/candidates"


class Scene(Loop):
    """A loop with a pretend Mettl."""

    def take(self, page: Page, marks: str) -> None:
        """Start the test that a click led to, and hand it in."""
        browser = Browser()
        test = browser.submit(browser.get(page.url))
        browser.submit(test, score=marks)

    def finish(self, number: int, **result: Any) -> None:
        """Hand in or mark a candidate's test; no web-hook is sent."""
        instance = self.state()["candidates"][number]["candidate_instance_id"]
        self.pull("finish", candidate_instance_id=instance, silent=True, **result)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend Mettl."""

    def party(bridge_url: str) -> Callable[[str], Flask]:
        settings = mettl.MettlSettings(
            public_key="pub",
            private_key="private-key-of-the-test",
            credits=20,
            hook_url=f"{bridge_url}/hooks/mettl/{HOOK_TOKEN}",
        )
        return mettl.make_app(settings)

    folder = tmp_path_factory.mktemp("mettl")
    with running_loop(Scene, folder, shared_database, party, METTL) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_grade_comes_back_after_the_web_hooks(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.party.url}/take/"), page.text
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
    eventually(scene.attempts, ["graded", "graded"])
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
        scene.pull("finish", email=candidate["email"], total_marks=marks, max_marks=10)
        eventually(lambda marks=marks: scene.grade("student1", "last11"), marks / 10)


def test_lost_web_hooks_and_killed_servers_lose_no_grade(scene: Scene) -> None:
    bridge = scene.world.bridge
    for user in ("student1", "student2"):
        assert scene.click(user, "best13").url.startswith(scene.party.url)
    scene.die()
    scene.pull("finish", email=scene.state()["candidates"][0]["email"], total_marks=4)
    assert {row["status"] for row in scene.state()["hooks"]} == {0}  # nobody was there
    scene.finish(1, total_marks=-2)
    scene.let_time_pass()
    bridge.serve()
    eventually(lambda: scene.grade("student1", "best13"), 0.4)
    eventually(lambda: scene.grade("student2", "best13"), 0.0)


def test_a_click_after_lost_web_hooks_brings_the_grade_at_once(scene: Scene) -> None:
    scene.click("student1", "best13")
    scene.finish(0, total_marks=9)
    # as if five seconds had passed: no double click
    scene.rows("UPDATE attempts SET data = replace(data, 'link_until', 'link_was_until')")
    assert "being marked" in scene.click("student1", "best13").text
    eventually(lambda: scene.grade("student1", "best13"), 0.9)


def test_a_lost_answer_is_found_again_without_a_second_registration(scene: Scene) -> None:
    scene.pull("fault", path=REGISTER, drop=True)
    page = scene.click("student1", "best11")
    assert (page.status, "start-unclear" in page.text) == (409, True)
    assert "being prepared" in scene.click("student1", "best11").text  # not called again at once
    assert scene.state()["calls"] == {"register": 1}
    scene.let_time_pass()
    scene.take(scene.click("student1", "best11"), "5")
    assert scene.state()["credits"] == 19
    eventually(lambda: scene.grade("student1", "best11"), 0.5)


def test_a_refusal_is_a_page_and_the_next_click_works(scene: Scene) -> None:
    said = {"status": "ERROR", "error": {"code": "E607", "message": "limit"}}
    scene.pull("fault", path=REGISTER, body=json.dumps(said))
    page = scene.click("student1", "best13")
    assert page.status == 503
    assert "mettl-no-registrations" in page.text
    assert scene.click("student1", "best13").url.startswith(f"{scene.party.url}/take/")
