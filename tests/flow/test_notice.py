"""What a connection wants to say to students comes once, before anything leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.world import World, make_world

NOTICE = "Your name and address go to the test provider."


def click(world: World, user: str, link: str) -> Page:
    """A click in the course, up to the bridge's own page or the provider's test."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/{user}")
    page = browser.get(f"{world.lms.url}/launch/{link}")
    while page.url.startswith(world.lms.url):
        page = browser.submit(page)
    return page


@pytest.mark.parametrize("link", ["best13", "best11"])
def test_a_notice_is_read_once_and_before_anything_leaves(tmp_path: Path, link: str) -> None:
    world = make_world(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    try:
        text = world.bridge.config.read_text().replace(
            'name = "tosa"', f'name = "tosa"\nnotice = "{NOTICE}"'
        )
        world.bridge.config.write_text(text)
        world.bridge.serve()
        page = click(world, "student1", link)
        assert page.url.startswith(world.bridge.url)
        assert NOTICE in page.text
        assert "lis_person" not in page.text
        assert world.isograd.url not in page.text
        again = click(world, "student1", link)  # closed without pressing: asked again
        assert NOTICE in again.text
        test = Browser().through(again, world.isograd.url)
        assert test.status == 200, test.text
        assert NOTICE not in click(world, "student1", link).text
        assert NOTICE in click(world, "student2", link).text
    finally:
        world.stop()
