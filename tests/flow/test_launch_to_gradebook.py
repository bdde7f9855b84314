"""From the course page to the gradebook, through running servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium

from tests.flow.browser import Browser, Page
from tests.flow.loop import on_each_database
from tests.flow.world import World, eventually, make_world

USERS = {"student1": "4", "student2": "5", "student3": "6"}


def open_test(world: World, browser: Browser, user: str, link: str) -> Page:
    """Click a course link and go on until the provider's test is shown."""
    browser.get(f"{world.lms.url}/as/{user}")
    page = browser.get(f"{world.lms.url}/launch/{link}")
    return browser.through(page, world.isograd.url)


def grade(world: World, user: str, link: str) -> Any:
    """What the gradebook shows: a fraction or None."""
    for column in world.gradebook()["columns"]:
        if column["link"] == link:
            cell = column["cells"].get(USERS[user])
            if cell and cell["score"] is not None:
                return round(cell["score"] / column["maximum"], 9)
    return None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[World]:
    """A running world on a database, shared by the tests of this module."""
    made = make_world(tmp_path_factory.mktemp("world"), shared_database)
    made.bridge.serve()
    yield made
    made.stop()


@on_each_database
@pytest.mark.parametrize(
    ("link", "user"), [("best13", "student1"), ("bo13", "student1"), ("best11", "student2")]
)
def test_a_students_grade_reaches_the_gradebook(world: World, link: str, user: str) -> None:
    browser = Browser()
    page = open_test(world, browser, user, link)
    assert page.status == 200, page.text
    browser.submit(page, score="0.85")
    eventually(lambda: grade(world, user, link), 0.85)


# As bytes of a header: another program at the same host set it, in the one encoding or the other.
PORTAL = {"latin-1": "José", "UTF-8": "José".encode().decode("latin-1"), "no text": "\x80\xff"}


@pytest.mark.parametrize("value", PORTAL.values(), ids=PORTAL)
def test_a_cookie_of_another_program_hides_none_of_ours(world: World, value: str) -> None:
    browser = Browser()
    browser.cookies["127.0.0.1"] = {"portal": value}
    page = open_test(world, browser, "student3", "best13")
    assert page.status == 200, page.text


@pytest.mark.browser
def test_a_portals_cookie_in_a_real_browser(world: World, chromium: Chromium) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{world.lms.url}/as/student3")
        page.evaluate("document.cookie = 'portal=José; path=/'")
        page.goto(f"{world.lms.url}/launch/best13")
        page.wait_for_url(f"{world.isograd.url}/**")
        (cookie,) = (one for one in context.cookies() if one.get("name") == "portal")
        assert cookie.get("value") == "José"
