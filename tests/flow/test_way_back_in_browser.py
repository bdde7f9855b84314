"""The ways back from a test in Chromium, to an LMS whose return page is Moodle's.

That page prints what a tool says and stops there; without a word it leads to the course, and out of
a frame (moodle/moodle: mod/lti/return.php).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from lti_bridge.sandbox import lms
from tests.flow.frames import (
    IN_FRAMES,
    QUESTION,
    School,
    open_framed,
    refusal_of,
    running_school,
    tool,
)
from tests.flow.world import HTTP

pytestmark = pytest.mark.browser

VERSIONS = ("1.1", "1.3")
LINKS = tuple(
    lms.LinkSpec(f"{activity}-{lti}", f"{activity} by {lti}", lti, {"activity": activity})  # type: ignore[arg-type]
    for activity in ("best", "last", "nowhere")
    for lti in VERSIONS
)
COURSE = "View the course as"
WAYS = {"frame": "student1", "new window": "student2", "existing window": "student3"}
BOTH = pytest.mark.parametrize("lti", VERSIONS)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with running_school(tmp_path_factory.mktemp("back"), LINKS, family="moodle") as made:
        yield made


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        yield context.new_page()


def opened(tab: Page, school: School, way: str, link: str, user: str) -> Frame | Page:
    """Where a student has the link now that they have opened in this way from the course."""
    tab.goto(f"{school.url}/as/{user}")
    expect(tab.get_by_text(COURSE)).to_be_visible()
    if way == "frame":
        open_framed(tab, school, link)
        return tool(tab)
    opener = tab.locator(f"a[href='/launch/{link}']")
    if way == "existing window":
        opener.click()
        return tab
    with tab.context.expect_page() as window:
        opener.evaluate("link => { open(link.href) }")
    return window.value


def handed_in(place: Frame | Page) -> str:
    """Hand the test in and come back to the bridge's page; its way back to the LMS."""
    for question in ("q1", "q2", "q3"):
        place.locator(f"input[name={question}]").first.check()
    place.get_by_role("button", name="Hand in my answers").click()
    place.get_by_role("link", name="Back to your course").click()
    return way_back(place)


def came_back(tab: Page, school: School, way: str, lti: str, said: str) -> Frame | Page:
    """A test says something as its student comes back from it."""
    place = opened(tab, school, way, f"last-{lti}", "student1")
    expect(place.get_by_text(QUESTION)).to_be_visible()
    place.goto(f"{return_url(school)}?{said}")
    return place


def return_url(school: School) -> str:
    """Where the test that was opened last is to send its student to."""
    seen = HTTP.request("GET", f"{school.world.isograd.url}/control/state").json()
    return str(seen["launches"][-1]["parameters"]["launch_presentation_return_url"])


def way_back(place: Frame | Page) -> str:
    expect(place.get_by_role("heading", name="Welcome back")).to_be_visible()
    return place.get_by_role("link", name="Back to your course").get_attribute("href") or ""


def is_in_course(page: Page, school: School) -> None:
    """The whole window shows the course, without a word of anybody's."""
    expect(page.get_by_text(COURSE)).to_be_visible()
    assert page.url == f"{school.url}/"
    assert page.locator("iframe").count() == 0
    assert page.locator(".notice").count() == 0


@BOTH
@pytest.mark.parametrize("way", WAYS)
def test_a_student_ends_in_the_course(tab: Page, school: School, way: str, lti: str) -> None:
    place = opened(tab, school, way, f"best-{lti}", WAYS[way])
    assert "lti_" not in handed_in(place)
    place.get_by_role("link", name="Back to your course").click()
    is_in_course(tab if way == "frame" else tab.context.pages[-1], school)
    assert len(tab.context.pages) == (2 if way == "new window" else 1)


@BOTH
@pytest.mark.parametrize("said", ["lti_msg=Well+done", "lti_log=all+is+well"])
@pytest.mark.parametrize("way", ["frame", "existing window"])
def test_what_a_test_says_stops_nobody(
    tab: Page, school: School, way: str, said: str, lti: str
) -> None:
    """Moodle's page would print it, and lead nowhere: the bridge has shown it."""
    place = came_back(tab, school, way, lti, said)
    assert "lti_" not in way_back(place)
    if "msg" in said:
        expect(place.get_by_text("Well done")).to_be_visible()
    place.get_by_role("link", name="Back to your course").click()
    is_in_course(tab, school)


@BOTH
@pytest.mark.parametrize("way", ["frame", "existing window"])
def test_an_error_is_told_to_the_lms(tab: Page, school: School, way: str, lti: str) -> None:
    place = came_back(tab, school, way, lti, "lti_errormsg=It+broke")
    assert "lti_errormsg=It" in way_back(place)
    place.get_by_role("link", name="Back to your course").click()
    expect(place.get_by_role("alert").get_by_text("It broke")).to_be_visible()
    assert place.url.startswith(f"{school.url}/return")
    expect(place.get_by_text(COURSE)).to_have_count(0)


@BOTH
def test_a_link_that_opens_nothing_tells_why_on_the_way_back(
    tab: Page, school: School, lti: str
) -> None:
    place = opened(tab, school, "existing window", f"nowhere-{lti}", "student1")
    place.get_by_role("link", name="Back to your course").click()
    expect(tab.get_by_role("alert")).to_be_visible()
    assert "lti_errormsg=" in tab.url


def test_a_window_out_of_a_frame_leads_nowhere_and_says_so(
    chromium: Browser, school: School, tmp_path: Path
) -> None:
    """Cookies are refused in the frame, so the test has a window; the course has the other one."""
    with refusal_of(chromium, tmp_path / "user", IN_FRAMES) as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student2")
        open_framed(tab, school, "last-1.3")
        with context.expect_page() as window:
            tool(tab).get_by_role("button").click()
        expect(window.value.get_by_text(QUESTION)).to_be_visible()
        window.value.goto(return_url(school))
        expect(window.value.get_by_text("Your course is open in the window")).to_be_visible()
        expect(window.value.get_by_role("link", name="Back to your course")).to_have_count(0)
        window.value.close()
        tab.get_by_role("link", name="Course").click()
        is_in_course(tab, school)
