"""What a connection wants to say to students comes once, before anything leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.test_roster import people
from tests.flow.world import BASE, World, eventually, make_world

NOTICE = "Your name and address go to the test provider."


def click(world: World, user: str, link: str, browser: Browser | None = None) -> Page:
    """A click in the course, up to the bridge's own page or the provider's test."""
    browser = browser or Browser()
    browser.get(f"{world.lms.url}/as/{user}")
    page = browser.get(f"{world.lms.url}/launch/{link}")
    while page.url.startswith(world.lms.url):
        page = browser.submit(page)
    return page


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running world whose connection has a notice, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("notice")
    base = BASE.replace('name = "tosa"', f'name = "tosa"\nnotice = "{NOTICE}"')
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", base=base)
    made.bridge.serve()
    yield made
    made.stop()


# one address belongs to one person at a provider, so each LMS opens the test for another student
@pytest.mark.parametrize(
    ("link", "who", "other"),
    [("best13", "student1", "student2"), ("best11", "student2", "student1")],
)
def test_a_notice_is_read_once_and_before_anything_leaves(
    world: World, link: str, who: str, other: str
) -> None:
    page = click(world, who, link)
    assert page.url.startswith(world.bridge.url)
    assert NOTICE in page.text
    assert "lis_person" not in page.text
    assert world.isograd.url not in page.text
    browser = Browser()
    again = click(world, who, link, browser)  # closed without pressing: asked again
    assert NOTICE in again.text
    test = browser.through(again, world.isograd.url)
    assert test.status == 200, test.text
    assert NOTICE not in click(world, who, link).text
    assert NOTICE in click(world, other, link).text


@pytest.mark.spec("T13NR-04")
def test_who_has_left_since_the_click_does_not_go_on(world: World) -> None:
    browser = Browser()
    asked = click(world, "student3", "best13", browser)
    assert NOTICE in asked.text
    world.control(world.lms, "status", user="6", status="Inactive")
    eventually(lambda: "(no longer active)" in people(world).text, True)
    page = browser.submit(asked)
    assert page.status == 403
    assert "open the link again" in page.text
    # the LMS lets them in again: that is its later word
    test = browser.through(click(world, "student3", "best13", browser), world.isograd.url)
    assert test.status == 200, test.text
