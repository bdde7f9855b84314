"""F5 and Back on the bridge's pages, in Chromium on a telephone's screen."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.flow.scene import Scene
from tests.flow.test_second_click import SELECTION

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=360, height=740)
GRADED = (
    "UPDATE attempts SET state = 'graded', is_open = 0, given = '0.5', maximum = '1', scored_at = 1"
    " WHERE learner_id IN (SELECT id FROM learners WHERE user_id = :user)"
)
TESS = {"roles": "Instructor", "user_id": "tess"}
PAGES: dict[str, tuple[dict[str, object], str]] = {
    "preview": (TESS, "A plain test"),
    "note": ({"roles": "Mentor", "user_id": "mia"}, "This link opens a test for students"),
    "picker": (
        {**TESS, "custom_activity": None, "resource_link_id": "read-again"},
        "Choose a test for this link",
    ),
    "choosing": ({**SELECTION, "user_id": "tess"}, "Add a test"),
    "asked": ({"user_id": "asked"}, "You have 50 of 100. Start attempt 2?"),
    "none left": (
        {"user_id": "none-left", "custom_activity": "once", "resource_link_id": "once-only"},
        "You have used all your attempts at this test.",
    ),
}


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport=PHONE) as context:
        yield context.new_page()


def click(tab: Page, scene: Scene, changes: dict[str, object]) -> None:
    """Let the tab post a signed form, as a page of an LMS does."""
    fields = scene.campus.signed(scene.campus.fields(**changes))  # type: ignore[arg-type]
    inputs = "".join(
        f'<input name="{html.escape(name)}" value="{html.escape(value)}">' for name, value in fields
    )
    tab.goto(f"{scene.world.lms.url}/as/teacher")
    tab.set_content(f'<form method="post" action="{scene.campus.url}">{inputs}<button>Go</button>')
    tab.get_by_role("button", name="Go").click()


@pytest.mark.parametrize("what", list(PAGES))
def test_f5_and_back_show_the_page_again(tab: Page, scene: Scene, what: str) -> None:
    changes, heading = PAGES[what]
    if what in ("asked", "none left"):
        changes["user_id"] = user = f"{what}-in-browser"
        assert scene.campus.launch(**changes).status == 200  # type: ignore[arg-type]
        scene.write(GRADED, user=user)
    click(tab, scene, changes)
    shown = tab.get_by_role("heading", name=heading)
    expect(shown).to_be_visible()
    before = scene.count("attempts"), scene.count("activities")
    for _ in range(2):
        tab.reload()
        expect(shown).to_be_visible()
    tab.goto(f"{scene.world.bridge.url}/")
    tab.go_back()
    expect(shown).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (scene.count("attempts"), scene.count("activities")) == before
