"""Isograd by its API, through running servers: launches, lost answers, lost callbacks, kill -9."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, text

from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Campus
from tests.flow.world import BASE, HTTP, World, make_world

LMSS = BASE.split("[[connection]]", maxsplit=1)[0]
API = """
[[connection]]
name = "tosa"
kind = "isograd"
route = "api"
base_url = "{isograd}/api/usage"
token_url = "{isograd}/oauth2/token"
client_id = "id"
client_secret = "secret"
low_credits = 1000
"""
AREA = """
[[activity]]
id = "area"
title = "Your tests"
connection = "tosa"
settings = { act_id = 1, gen_id = 3 }
"""
USERS = {"student1": "4", "student2": "5", "student3": "6"}


@pytest.fixture(name="world")
def api_world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A running world whose only connection calls the API."""
    made = make_world(tmp_path, database_url, extra=AREA, base=LMSS + API)
    made.bridge.serve()
    yield made
    made.stop()


def eventually(look: Callable[[], Any], wanted: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and look() != wanted:
        time.sleep(0.05)
    assert look() == wanted


def click(world: World, user: str, link: str) -> Page:
    """Click a course link and go on until Isograd or a page of the bridge that stays."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/{user}")
    page = browser.get(f"{world.lms.url}/launch/{link}")
    while page.status == 200 and page.url.startswith(world.lms.url):
        page = browser.submit(page)
    return page


def state(world: World) -> Any:
    return HTTP.request("GET", f"{world.isograd.url}/control/state").json()


def grade(world: World, user: str, link: str) -> Any:
    for column in world.gradebook()["columns"]:
        if column["link"] == link:
            cell = column["cells"].get(USERS[user])
            if cell and cell["score"] is not None:
                return round(cell["score"] / column["maximum"], 9)
    return None


def finish(world: World, number: int = -1, **result: Any) -> None:
    test = state(world)["tests"][number]
    world.control(world.isograd, "finish", pla_tst_id=test["pla_tst_id"], **result)


def let_time_pass(database_url: str) -> None:
    """As if an hour had passed: attempts are due to be asked about, starts are no longer fresh."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET poll_at = 1 WHERE poll_at IS NOT NULL"))
        connection.execute(text("UPDATE attempts SET changed_at = changed_at - 3600000"))
    engine.dispose()


@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_grade_comes_back_after_the_callback(world: World, link: str) -> None:
    page = click(world, "student1", link)
    assert page.url.startswith(f"{world.isograd.url}/test/"), page.text
    (test,) = state(world)["tests"]
    hook = f"{world.bridge.url}/hooks/tosa/"
    assert test["cal_bac_pag"].startswith(hook)
    again = click(world, "student1", link)
    assert again.url == page.url
    assert state(world)["credits"] == 999
    done = Browser()
    back = done.submit(done.get(page.url), score="0.85")
    assert urlsplit(back.url).path.startswith("/platform/return/")
    assert "Welcome back" in back.text
    eventually(lambda: grade(world, "student1", link), 0.85)
    for _ in range(2):  # repeated, by whoever knows the address, with whatever it says
        HTTP.request("GET", f"{test['cal_bac_pag']}?num_val=1000&sta_id=3")
        HTTP.request("POST", test["cal_bac_pag"], body=b"{")
    assert HTTP.request("GET", f"{hook}forged-token").status == 403
    click(world, "student1", link)
    finish(world, num_val=300)  # the worse second attempt of "best"
    assert len(state(world)["callbacks"]) == 2
    time.sleep(0.5)
    assert grade(world, "student1", link) == 0.85
    log = world.bridge.log()
    assert "isograd.few-credits" in log
    for private in ("student1@", "Bearer", test["token"]):
        assert private not in log


def test_a_lost_callback_and_killed_servers_lose_no_grade(world: World, database_url: str) -> None:
    (process,) = world.bridge.processes
    for user in ("student1", "student2"):
        click(world, user, "best13")
    world.bridge.kill(process)
    finish(world, 0, num_val=640)
    finish(world, 1, num_val=320)
    assert [call["status"] for call in state(world)["callbacks"]] == [0, 0]
    let_time_pass(database_url)
    world.bridge.serve()
    eventually(lambda: grade(world, "student1", "best13"), 0.64)
    eventually(lambda: grade(world, "student2", "best13"), 0.32)


def test_a_lost_answer_is_found_again_without_a_second_credit(
    world: World, database_url: str
) -> None:
    world.control(world.isograd, "fault", act_id=2, drop=True)
    page = click(world, "student1", "best11")
    assert page.status == 409
    assert "attempt-unclear" in page.text
    assert "being prepared" in click(world, "student1", "best11").text  # not called again at once
    assert state(world)["calls"]["2"] == 1
    let_time_pass(database_url)
    page = click(world, "student1", "best11")
    assert page.url.startswith(f"{world.isograd.url}/test/"), page.text
    assert state(world)["credits"] == 999
    finish(world, num_val=500)
    eventually(lambda: grade(world, "student1", "best11"), 0.5)


def test_a_refusal_is_a_page_and_the_next_click_works(world: World) -> None:
    said = json.dumps({"success": False, "error_code": 301, "error_message": "no credits"})
    world.control(world.isograd, "fault", act_id=2, body=said)
    page = click(world, "student1", "best11")
    assert page.status == 503
    assert "isograd-no-credits" in page.text
    assert click(world, "student1", "best11").url.startswith(f"{world.isograd.url}/test/")


def test_a_page_without_a_result_is_not_asked_about(world: World, database_url: str) -> None:
    campus = Campus(f"{world.bridge.url}/lti/launch", "campus-key", "campus-secret-äöü&x")
    for _ in range(2):
        page = campus.launch(custom_activity="area")
        assert page.headers["Location"].startswith(f"{world.isograd.url}/continuelogin/")
    engine = create_engine(database_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, poll_at FROM attempts")).fetchall()
    engine.dispose()
    assert [tuple(row) for row in rows] == [("started", None)]
