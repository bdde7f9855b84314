"""A course that Moodle has imported is confirmed by its teacher, in a frame, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from lti_bridge.sandbox import demo, serving
from tests.flow import browser as plain
from tests.flow.frames import School, open_framed, partitioning, refusal_of, running_school, tool
from tests.flow.test_placing import fill
from tests.flow.test_placing_in_browser import CONFIG, PHONE
from tests.flow.world import HTTP

pytestmark = pytest.mark.browser

NOBODY = "http://nobody.invalid:*,*"  # a pattern for cookies that are never there


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    tests = serving.start(demo.make_app(demo.DemoSettings()))
    folder, config = tmp_path_factory.mktemp("copies"), CONFIG.format(demo=tests.url)
    with running_school(folder, (), lambda bridge: config, family="moodle") as made:
        yield made
    tests.stop()


def placed(school: School, *titles: str) -> None:
    """A teacher puts tests into the first course, by Deep Linking."""
    who = plain.Browser()
    who.get(f"{school.url}/as/teacher")
    page = who.submit(who.submit(who.get(f"{school.url}/add/1.3")))
    for number, title in enumerate(titles):
        page = who.submit(page, do="start") if number else page
        page = fill(who, page, way="0 geography", title=title, **{"set.test": "geography"})
    done = who.submit(who.submit(page, do="finish"))
    assert "Added to the course" in done.text, done.text


def link_of(school: School, title: str) -> str:
    """The id of the link with this title that was placed last."""
    found = HTTP.request("GET", f"{school.lms.url}/gradebook.json").json()["columns"]
    return str([one["link"] for one in found if one["title"] == title][-1])


def copied(school: School, how: str, title: str, to: str = "") -> str:
    """The LMS copies a course, or a link within it; the id of the copy of this link."""
    link = link_of(school, title)
    only = {"link": link} if how == "duplicate" else {}
    return str(school.world.control(school.lms, "copy", how=how, to=to, **only)["links"][link])


def student(school: School, link: str, user: str = "student1") -> plain.Page:
    """What a student's click ends in."""
    who = plain.Browser()
    who.get(f"{school.url}/as/{user}")
    return who.submit(who.submit(who.get(f"{school.url}/launch/{link}")))


def is_narrow(frame: Frame) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return not frame.evaluate("document.documentElement.scrollWidth > innerWidth")


def teacher(tab: Page, school: School, link: str, *, scripts: bool = True) -> Frame:
    """A teacher opens a link within the course's page, on a phone."""
    tab.set_viewport_size(PHONE)
    tab.goto(f"{school.url}/as/teacher")
    open_framed(tab, school, link)
    frame = tool(tab)
    if not scripts:
        frame.get_by_role("button", name="Continue").click()  # the login
        frame.get_by_role("button", name="Continue").click()  # and its answer
    return frame


def test_an_imported_course_is_confirmed_once_and_taken_back(
    school: School, chromium: Browser
) -> None:
    placed(school, "Rivers", "Lakes")
    lakes = copied(school, "import", "Lakes", "202")
    rivers = f"copy-{int(lakes.removeprefix('copy-')) - 1}"
    assert "not ready yet" in student(school, lakes).text
    with partitioning(chromium) as strict, strict.new_context() as context:
        tab = context.new_page()
        frame = teacher(tab, school, rivers)
        expect(frame.get_by_role("heading", name="Is this link a copy?")).to_be_visible()
        expect(frame.get_by_role("listitem")).to_have_text(["Rivers", "Lakes"])
        assert is_narrow(frame)
        frame.get_by_role("button", name="Yes, the whole course is a copy").click()
        expect(frame.get_by_role("heading", name="This course is a copy")).to_be_visible()
        expect(frame.get_by_role("listitem")).to_have_text(["Rivers"])
        assert is_narrow(frame)

        # the other link opens at a student's first click
        opened = student(school, lakes)
        assert (opened.status, "not ready yet" in opened.text) == (200, False), opened.text

        frame.get_by_role("button", name="Take that back").click()
        expect(frame.get_by_role("heading", name="Is this course no copy?")).to_be_visible()
        frame.get_by_role("button", name="Take it back").click()
        expect(frame.get_by_role("heading", name="Taken back")).to_be_visible()
    assert "not ready yet" in student(school, rivers).text
    assert student(school, lakes).status == 200  # somebody has begun


def test_the_same_without_javascript(school: School, chromium: Browser, tmp_path: Path) -> None:
    placed(school, "Mountains", "Valleys")
    valleys = copied(school, "import", "Valleys", "203")
    with refusal_of(chromium, tmp_path / "user", NOBODY, scripts=False) as context:
        frame = teacher(context.new_page(), school, valleys, scripts=False)
        expect(frame.get_by_text("Mountains")).to_be_visible()
        frame.get_by_role("button", name="Yes, the whole course is a copy").click()
        expect(frame.get_by_role("heading", name="This course is a copy")).to_be_visible()
    mountains = f"copy-{int(valleys.removeprefix('copy-')) - 1}"
    assert student(school, mountains, "student2").status == 200


def test_a_duplicate_is_given_a_test_of_its_own(school: School, chromium: Browser) -> None:
    placed(school, "Islands")
    islands, double = link_of(school, "Islands"), copied(school, "duplicate", "Islands")
    with partitioning(chromium) as strict, strict.new_context() as context:
        tab = context.new_page()
        frame = teacher(tab, school, islands)
        expect(frame.get_by_role("heading", name="Islands")).to_be_visible()
        frame = teacher(tab, school, double)
        expect(frame.get_by_role("heading", name="A shared test")).to_be_visible()
        assert is_narrow(frame)
        frame.get_by_role("button", name="Give this link a test of its own").click()
        expect(frame.get_by_role("heading", name="Change this activity")).to_be_visible()
        expect(frame.get_by_role("heading", name="A shared test")).not_to_be_visible()
        frame.get_by_role("button", name="Change it").click()
        frame.get_by_label("Title").fill("Archipelagos")
        frame.get_by_role("button", name="Save").click()
        expect(frame.get_by_role("heading", name="Saved")).to_be_visible()
        frame = teacher(tab, school, double)
        expect(frame.get_by_role("heading", name="Archipelagos")).to_be_visible()
        frame = teacher(tab, school, islands)
        expect(frame.get_by_role("heading", name="Islands")).to_be_visible()
