"""From the course page to the gradebook, through running servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

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
@pytest.mark.parametrize("link", ["best13", "bo13", "best11"])
def test_a_students_grade_reaches_the_gradebook(world: World, link: str) -> None:
    browser = Browser()
    page = open_test(world, browser, "student1", link)
    assert page.status == 200, page.text
    browser.submit(page, score="0.85")
    eventually(lambda: grade(world, "student1", link), 0.85)
