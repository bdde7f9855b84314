"""Isograd by its API, through running servers: launches, lost answers, lost callbacks, kill -9."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from lti_bridge.sandbox import isograd
from tests.flow.browser import Browser
from tests.flow.campus11 import Campus
from tests.flow.loop import Loop, on_each_database, running_loop
from tests.flow.world import ACTIVITIES, HTTP, eventually

API = """
[[connection]]
name = "tosa"
kind = "isograd"
route = "api"
base_url = "{party}/api/usage"
token_url = "{party}/oauth2/token"
client_id = "id"
client_secret = "secret"
low_credits = 1000
"""
AREA = """
[[activity]]
id = "area"
title = "Your tests"
connection = "tosa"
settings = {{ act_id = 1, gen_id = 3 }}
"""
TESTS = ACTIVITIES.replace("{", "{{").replace("}", "}}")


class Scene(Loop):
    """A loop with a pretend Isograd, which is called by its API."""

    def finish(self, number: int = -1, **result: Any) -> None:
        """Hand in a test, by its place among all."""
        self.pull("finish", pla_tst_id=self.state()["tests"][number]["pla_tst_id"], **result)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend Isograd."""

    def party(_: str) -> Callable[[str], Flask]:
        return isograd.make_app(
            isograd.IsogradSettings("bridge-key", "bridge-secret", "id", "secret")
        )

    folder = tmp_path_factory.mktemp("isograd")
    with running_loop(Scene, folder, shared_database, party, API + TESTS + AREA) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_grade_comes_back_after_the_callback(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.party.url}/test/"), page.text
    (test,) = scene.state()["tests"]
    hook = f"{scene.world.bridge.url}/hooks/tosa/"
    assert test["cal_bac_pag"].startswith(hook)
    again = scene.click("student1", link)
    assert again.url == page.url
    assert scene.state()["credits"] == 999
    done = Browser()
    back = done.submit(done.get(page.url), score="0.85")
    assert urlsplit(back.url).path.startswith("/platform/return/")
    assert "Welcome back" in back.text
    eventually(lambda: scene.grade("student1", link), 0.85)
    for _ in range(2):  # repeated, by whoever knows the address, with whatever it says
        HTTP.request("GET", f"{test['cal_bac_pag']}?num_val=1000&sta_id=3")
        HTTP.request("POST", test["cal_bac_pag"], body=b"{")
    assert HTTP.request("GET", f"{hook}forged-token").status == 403
    scene.click("student1", link)
    scene.finish(num_val=300)  # the worse second attempt of "best"
    assert len(scene.state()["callbacks"]) == 2
    eventually(scene.attempts, ["graded", "graded"])
    assert scene.grade("student1", link) == 0.85
    log = scene.world.bridge.log()
    for private in ("student1@", "Bearer", test["token"]):
        assert private not in log


@on_each_database
def test_a_lost_callback_and_killed_servers_lose_no_grade(scene: Scene) -> None:
    for user in ("student1", "student2"):
        scene.click(user, "best13")
    scene.die()
    scene.finish(0, num_val=640)
    scene.finish(1, num_val=320)
    assert [call["status"] for call in scene.state()["callbacks"]] == [0, 0]
    scene.let_time_pass()
    scene.world.bridge.serve()
    eventually(lambda: scene.grade("student1", "best13"), 0.64)
    eventually(lambda: scene.grade("student2", "best13"), 0.32)


def test_few_credits_are_told(scene: Scene) -> None:
    scene.die()  # who has said it a moment ago does not repeat it
    scene.world.bridge.serve()
    scene.click("student1", "best13")
    scene.finish(num_val=300)
    eventually(lambda: "isograd.few-credits" in scene.world.bridge.log(), True)


@on_each_database
def test_a_lost_answer_is_found_again_without_a_second_credit(scene: Scene) -> None:
    scene.pull("fault", act_id=2, drop=True)
    page = scene.click("student1", "best11")
    assert page.status == 409
    assert "start-unclear" in page.text
    assert "being prepared" in scene.click("student1", "best11").text  # not called again at once
    assert scene.state()["calls"]["2"] == 1
    scene.let_time_pass()
    page = scene.click("student1", "best11")
    assert page.url.startswith(f"{scene.party.url}/test/"), page.text
    assert scene.state()["credits"] == 999
    scene.finish(num_val=500)
    eventually(lambda: scene.grade("student1", "best11"), 0.5)


def test_a_refusal_is_a_page_and_the_next_click_works(scene: Scene) -> None:
    said = json.dumps({"success": False, "error_code": 301, "error_message": "no credits"})
    scene.pull("fault", act_id=2, body=said)
    page = scene.click("student1", "best11")
    assert page.status == 503
    assert "isograd-no-credits" in page.text
    assert scene.click("student1", "best11").url.startswith(f"{scene.party.url}/test/")


def test_a_page_without_a_result_is_not_asked_about(scene: Scene) -> None:
    campus = Campus(f"{scene.world.bridge.url}/lti/launch", "campus-key", "campus-secret-äöü&x")
    for _ in range(2):
        page = campus.launch(custom_activity="area")
        assert page.headers["Location"].startswith(f"{scene.party.url}/continuelogin/")
    rows = scene.rows("SELECT state, poll_at FROM attempts")
    assert [tuple(row) for row in rows] == [("started", None)]
