"""Instructors in frames of a browser that refuses cookies: setting up, and choosing at a tool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Locator, Page, TimeoutError, expect

from lti_bridge.sandbox import lms, serving
from lti_bridge.sandbox.tools import tool11, tool13
from tests.flow.frames import (
    IN_FRAMES,
    School,
    partitioning,
    refusal_of,
    running_school,
    tool,
    tool_with,
)
from tests.flow.test_deep_link_platform import CONFIG

pytestmark = pytest.mark.browser

LINKS = tuple(
    lms.LinkSpec(f"empty-{number}", "No test yet", "1.3", {}, storage="_parent")
    for number in range(3)
)
STORED = "add/1.3?target=iframe&storage=_parent"
BY_11 = "add/1.1?target=iframe"
EACH_PICKER = pytest.mark.parametrize("picker", [STORED, BY_11])
EACH_WAY = pytest.mark.parametrize(("picker", "provider"), [(STORED, "1.1"), (BY_11, "1.3")])


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    tools: list[serving.Running] = []

    def extra(bridge: str) -> str:
        known = tool13.Tool13Settings(bridge, "tool-client", "tool-deployment")
        tools.append(serving.start(tool13.make_app(known)))
        settings = tool11.Tool11Settings("tool-key", "tool-secret")
        tools.append(serving.start(tool11.make_app(settings)))
        return CONFIG.format(tool13=tools[0].url, tool11=tools[1].url)

    with running_school(tmp_path_factory.mktemp("choosing"), LINKS, extra) as made:
        yield made
    for one in tools:
        one.stop()


@pytest.fixture(scope="module")
def refusing(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    folder = tmp_path_factory.mktemp("profile") / "user"
    with refusal_of(chromium, folder, IN_FRAMES) as context:
        yield context


@pytest.fixture
def tab(refusing: BrowserContext, school: School) -> Iterator[Page]:
    page = refusing.new_page()
    page.goto(f"{school.url}/as/teacher")
    yield page
    for one in refusing.pages[1:]:
        one.close()


def press(page: Page | Frame, name: str) -> None:
    """Press a button by the keyboard: a click may miss a frame that has just changed its page."""
    (page.page if isinstance(page, Frame) else page).bring_to_front()
    button = page.get_by_role("button", name=name)
    button.wait_for()
    with suppress(TimeoutError):  # a key that ends its frame may never be acknowledged
        button.press("Enter", timeout=10_000, no_wait_after=True)


def leave(tab: Page, school: School, start: str, provider: str) -> Frame:
    """Begin in the course, as far as the button that leads to the tool."""

    def radio(page: Frame) -> Locator:
        return page.get_by_role("radio", name=f"tool-{provider}", exact=True)

    frame = tool_with(tab, f"{school.url}/{start}", radio)
    radio(frame).check()
    press(frame, "Go on")
    press(frame, "Choose at the tool itself")
    return frame


def choose(page: Page | Frame) -> None:
    """Choose at the tool, and go back to the bridge."""
    page.get_by_label("Green tea").check()
    press(page, "Choose")
    press(page, "Go back")


def put_into_the_course(page: Page | Frame) -> None:
    expect(page.get_by_role("heading", name="Tests to add")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_text(["Green tea"])
    press(page, "Put it into the course")
    expect(page.get_by_role("heading", name="Added to the course")).to_be_visible()


@pytest.mark.spec("P13AZ-13")
@EACH_WAY
def test_a_window_leads_right_to_the_tool_and_back(
    tab: Page, school: School, picker: str, provider: str
) -> None:
    frame = leave(tab, school, picker, provider)
    expect(frame.get_by_text("needs a window of its own")).to_be_visible()
    with tab.context.expect_page() as opened:
        press(frame, "Choose in a new window")
    expect(frame.get_by_text("Choose in the other window")).to_be_visible()
    expect(frame.get_by_role("button", name="new window")).to_have_count(0)
    choose(opened.value)
    put_into_the_course(opened.value)


@EACH_PICKER
def test_what_was_chosen_in_the_window_can_be_used_in_the_frame(
    tab: Page, school: School, picker: str
) -> None:
    """For an LMS that takes an answer in its own frame only."""
    frame = leave(tab, school, picker, "1.3")
    with tab.context.expect_page() as opened:
        press(frame, "Choose in a new window")
    choose(opened.value)
    expect(opened.value.get_by_role("heading", name="Tests to add")).to_be_visible()
    press(frame, "Go on")
    frame.get_by_role("radio", name="Green tea").first.check()
    press(frame, "Use it")
    put_into_the_course(frame)


def test_the_first_launch_of_a_link_is_set_up_in_a_window(tab: Page, school: School) -> None:
    frame = leave(tab, school, "launch/empty-0?target=iframe", "1.3")
    with tab.context.expect_page() as opened:
        press(frame, "Choose in a new window")
    choose(opened.value)
    expect(opened.value.get_by_role("heading", name="Green tea")).to_be_visible()
    press(frame, "Go on")
    expect(frame.get_by_text("Choose a test for this link")).to_be_visible()
    tab.goto(f"{school.url}/launch/empty-0?target=iframe")
    expect(tool(tab).get_by_role("heading", name="Green tea")).to_be_visible()


def test_with_partitioned_cookies_all_of_it_stays_in_the_frame(
    chromium: Browser, school: School
) -> None:
    with partitioning(chromium) as browser, browser.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/teacher")
        for picker, provider in ((STORED, "1.3"), (BY_11, "1.1")):
            frame = leave(tab, school, picker, provider)
            choose(frame)
            put_into_the_course(frame)
        assert len(context.pages) == 1


def test_a_preview_of_a_tool_with_cookies_opens_a_window(tab: Page, school: School) -> None:
    frame = leave(tab, school, "launch/empty-1?target=iframe", "1.3")
    with tab.context.expect_page() as opened:
        press(frame, "Choose in a new window")
    choose(opened.value)
    tab.goto(f"{school.url}/launch/empty-1?target=iframe")
    frame = tool(tab)
    press(frame, "Open the test as a preview")
    with tab.context.expect_page() as opened:
        press(frame, "Open your test in a new window")
    expect(opened.value.get_by_role("heading", name="Tea quiz")).to_be_visible()
    expect(frame.get_by_text("open in another window")).to_be_visible()
    expect(frame.get_by_role("button")).to_have_count(0)


def test_without_cookies_and_storage_the_picker_opens_in_a_window(
    tab: Page, school: School
) -> None:
    tab.goto(f"{school.url}/add/1.3?target=iframe")
    frame = tool(tab)
    with tab.context.expect_page() as opened:
        press(frame, "in a new window")
    window = opened.value
    window.get_by_role("radio", name="tool-1.3", exact=True).check()
    press(window, "Go on")
    press(window, "Choose at the tool itself")
    choose(window)
    put_into_the_course(window)
