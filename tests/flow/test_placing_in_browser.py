"""The instructor's pages in a real browser: in a frame of another site, by keyboard, no cookies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Frame, Page, TimeoutError, ViewportSize, expect

from lti_bridge.sandbox import demo, serving
from tests.flow.frames import School, partitioning, running_school

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=360, height=740)
CONFIG = """
[[connection]]
name = "geography"
kind = "demo"
base_url = "{demo}"
api_key = "sandbox-demo-key"
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    tests = serving.start(demo.make_app(demo.DemoSettings()))
    folder, config = tmp_path_factory.mktemp("placing"), CONFIG.format(demo=tests.url)
    with running_school(folder, (), lambda bridge: config) as made:
        yield made
    tests.stop()


@pytest.fixture
def strict(chromium: Browser) -> Iterator[Browser]:
    """A Chromium that blocks third-party cookies."""
    with partitioning(chromium) as browser:
        yield browser


def framed(tab: Page) -> Frame:
    """The frame in which the LMS shows the bridge, once something stands in it."""
    tab.frame_locator("iframe").locator("h1").wait_for()
    return tab.frames[1]


def press(tab: Page, name: str) -> None:
    """Go to a button by the keyboard alone, and press it."""
    for _ in range(60):
        tab.keyboard.press("Tab")
        inside = tab.frames[1] if len(tab.frames) > 1 else tab.main_frame
        said = inside.evaluate("document.activeElement.textContent.trim()")
        if said == name:
            outline = inside.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            with suppress(TimeoutError):  # a key that ends its frame may never be acknowledged
                inside.locator(":focus").press("Enter", timeout=10_000, no_wait_after=True)
            return
    raise AssertionError(f"no way to {name!r} by the keyboard")


def reach(tab: Page, name: str) -> None:
    """Go to an input by the keyboard alone; `name` is its accessible label."""
    for _ in range(60):
        tab.keyboard.press("Tab")
        labels = tab.frames[1].evaluate(
            "[...(document.activeElement.labels || [])].map((one) => one.innerText).join(' ')"
        )
        if labels.startswith(name):
            return
    raise AssertionError(f"no way to {name!r} by the keyboard")


@pytest.mark.spec("T13DL-04", "SECP-28")
def test_a_test_is_placed_from_a_frame_by_keyboard_without_cookies(
    school: School, strict: Browser
) -> None:
    with strict.new_context(viewport=PHONE) as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/teacher")
        tab.goto(f"{school.url}/add/1.3?target=iframe")
        frame = framed(tab)
        expect(frame.get_by_role("heading", name="Add a test")).to_be_visible()
        frame.get_by_role("radio", name="geography").focus()
        tab.keyboard.press("Space")
        press(tab, "Go on")
        expect(frame.get_by_role("heading", name="Set up a test")).to_be_visible()

        reach(tab, "Title")
        tab.keyboard.type("Rivers")
        press(tab, "Add to the course")
        alert = frame.get_by_role("alert")
        expect(alert).to_contain_text("Test")
        expect(frame.get_by_label("Title")).to_have_value("Rivers")
        expect(frame.get_by_label("Test by its id, instead")).to_have_attribute(
            "aria-invalid", "true"
        )

        reach(tab, "Test")
        tab.keyboard.press("ArrowDown")
        press(tab, "Show what is sent")
        expect(frame.get_by_text("What the test provider would get")).to_be_visible()
        wide = frame.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide
        press(tab, "Add to the course")
        expect(frame.get_by_role("listitem")).to_have_text("Rivers")
        press(tab, "Put it into the course")
        expect(frame.get_by_role("heading", name="Added to the course")).to_be_visible()
        tab.goto(f"{school.url}/as/student1")
        tab.goto(school.url)
        expect(tab.get_by_role("heading", name="Rivers")).to_be_visible()
        tab.get_by_role("link", name="Open Rivers by LTI 1.3").click()
        expect(tab.get_by_role("radio").first).to_be_visible()


def test_every_input_is_labelled_and_described(school: School, chromium: Browser) -> None:
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/teacher")
        tab.goto(f"{school.url}/add/1.3")
        tab.get_by_role("button", name="Go on").click()
        expect(tab.get_by_role("heading", name="Set up a test")).to_be_visible()
        bare = tab.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter("
            "(one) => !one.labels.length || !(one.getAttribute('aria-describedby') || '')"
            ".split(' ').every((id) => document.getElementById(id))).map((one) => one.name)"
        )
        assert bare == []
        assert tab.locator("script").count() == 0
