"""`lti-bridge demo`: each link of its course page until the grade is there, half in a browser."""

from __future__ import annotations

import html
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from lti_bridge import demo
from lti_bridge.providers.registry import kinds
from lti_bridge.sandbox.parties import course, parties
from tests.flow import browser as plain
from tests.flow.world import HTTP, eventually

ROOT = Path(__file__).parents[2]
START_S = 60
PHONE = ViewportSize(width=360, height=640)


def shown() -> tuple[dict[str, str], dict[str, str]]:
    """Of each link of the course: its grade, and the desk where a person says 3.

    Grades are those of who chose the second answer everywhere, or was marked with 3.
    """
    grades: dict[str, str] = {}
    desks: dict[str, str] = {}
    for path in (ROOT / "tests" / "providers").glob("*/shown.py"):
        module = import_module(f"tests.providers.{path.parent.name}.shown")
        grades.update(module.GRADES)
        desks.update(getattr(module, "DESKS", {}))
    links = [link.activity for link in course(parties())]
    return {name: grades.get(name, "") for name in links}, desks


GRADES, DESKS = shown()
# Each activity by one LTI in the browser, which takes its time, and by the other one without.
IN_BROWSER = list(zip(GRADES, cycle(("1.3", "1.1")), strict=False))
BY_HTTP = list(zip(GRADES, cycle(("1.1", "1.3")), strict=False))
# Who clicks: login name, user id, given name.
LEARNERS = {"1.3": ("student1", "4", "Ann"), "1.1": ("student2", "5", "Ben")}
HAND_IN = "Hand in my answers"


@dataclass
class Demo:
    """A running demo: its process, what it printed, and its course page."""

    process: subprocess.Popen[bytes]
    said: Path
    course: str

    def ports(self) -> list[int]:
        """The port of every party that it named."""
        return [int(port) for port in re.findall(r"http://[\d.]+:(\d+)", self.said.read_text())]

    def grades(self, link: str, person: str) -> list[str]:
        """What the gradebook has for a person (by user id) at a link."""
        columns = HTTP.request("GET", f"{self.course}/gradebook.json").json()["columns"]
        cells = [column["cells"].get(person) for column in columns if column["link"] == link]
        return [f"{cell['score']:.2f}" for cell in cells if cell and cell["score"] is not None]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo, shared by the tests of this module."""
    said = tmp_path_factory.mktemp("demo") / "said.txt"
    command = [sys.executable, "-m", "lti_bridge", "demo", "--port", "0"]
    with said.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + START_S
    found = None
    while time.monotonic() < deadline and process.poll() is None and not found:
        time.sleep(0.05)
        found = re.search(r"Open +(http://\S+)/\n(?s:.*)Ctrl-C", said.read_text())
    assert found, said.read_text()
    yield Demo(process, said, found[1])
    process.terminate()
    process.wait(timeout=60)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that has no cookies yet."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def popup(page: Page, link: str) -> Page:
    """Click a link that opens another tab."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name=link).click()
    return opened.value


def follow(page: Page, link: str) -> None:
    """Click a link, and be where it leads."""
    before = page.url
    page.get_by_role("link", name=link).click()
    page.wait_for_url(lambda url: url != before)


def open_test(page: Page, activity: str) -> Page:
    """From what a course link opened to the questions; returns the tab they are in."""
    if activity.startswith("reasoning"):
        page.get_by_role("button", name="Start the test").click()
    if activity == "english":
        password = page.locator("dd.copy").nth(1).inner_text()
        page = popup(page, "Open the test")
    if activity == "english-by-mail":
        follow(page, "Back to your course")
        page = popup(page, "Pretend mailbox")
        password = page.locator("dd").nth(2).inner_text()
        page.get_by_role("link", name="Start your test").first.click()
    if activity.startswith("english"):
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=HAND_IN).wait_for()
    return page


def title_of(activity: str) -> str:
    """The element of the questions' page by which the desk names the test."""
    return "b" if activity.startswith("english") else "h1"


def answer(tab: Page) -> None:
    """Choose the second answer of every question, and hand in."""
    for question in tab.locator("fieldset").all():
        question.get_by_role("radio").nth(1).check()
    button = tab.get_by_role("button", name=HAND_IN)
    button.click()
    expect(button).to_have_count(0)  # some show a page of theirs then, and some lead on


def go_back(page: Page, course: str) -> None:
    """Follow the ways back: from the provider, mostly to the bridge, and from there."""
    while not page.url.startswith(f"{course}/"):
        follow(page, "Back to your course")
    expect(page.get_by_text("You are back in the course")).to_be_visible()


def mark(course: Page, activity: str, learner: str, test: str) -> None:
    """Be the provider's staff, and mark that learner's test with 3."""
    desk = popup(course, DESKS[activity])
    expect(desk.get_by_text("You are now the provider's staff")).to_be_visible()
    who = desk.get_by_role("heading", name=learner)
    paper = desk.locator("form", has=who).filter(has_text=test)
    paper.get_by_role("spinbutton").fill("3")
    paper.get_by_role("button", name="Give these marks").click()
    expect(paper.get_by_role("button", name="Correct the marks")).to_be_visible()
    desk.close()


def fits(page: Page) -> bool:
    """Whether nothing has to be moved sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.browser
@pytest.mark.parametrize(("activity", "lti"), IN_BROWSER)
def test_a_student_takes_a_test_and_sees_the_grade(
    running: Demo, page: Page, activity: str, lti: str
) -> None:
    student, person, learner = LEARNERS[lti]
    page.goto(f"{running.course}/as/{student}")
    row = page.locator(".way", has=page.locator(f"a[href='/launch/{activity}-{lti}']"))
    expect(row.get_by_text("No grade yet")).to_be_visible()
    row.get_by_role("link", name=re.compile("^Open ")).first.click()
    tab = open_test(page, activity)
    test = tab.locator(title_of(activity)).inner_text()
    answer(tab)
    if activity.startswith("english"):
        tab.close()  # it had a tab of its own
        page.goto(running.course)
    else:
        go_back(page, running.course)
    if activity in DESKS:
        expect(row.get_by_text("No grade yet")).to_be_visible()
        mark(page, activity, learner, test)
    expect(row.get_by_text(f"Your grade: {GRADES[activity]} of 100")).to_be_visible()
    assert running.grades(f"{activity}-{lti}", person) == [GRADES[activity]]


def linked(page: plain.Page, text: str) -> str:
    """Where the first link with this text leads."""
    found = re.search(f'href="([^"]+)"[^>]*>{text}<', html.unescape(page.text))
    assert found, page.text
    return found[1]


def go_on(browser: plain.Browser, page: plain.Page) -> plain.Page:
    """Submit what is shown until there are questions, or no form."""
    for _ in range(plain.MAX_HOPS):
        if HAND_IN not in page.text and page.forms():
            page = browser.submit(page)
    return page


def open_plainly(browser: plain.Browser, course: plain.Page, link: str) -> plain.Page:
    """From a course link to the questions, without scripts."""
    page = go_on(browser, browser.get(f"{course.url}launch/{link}"))
    if not link.startswith("english"):
        return page
    mail = link.startswith("english-by-mail")
    if mail:
        page = browser.get(linked(course, "Pretend mailbox"))
    password = re.findall("<dd[^>]*>(.+)</dd>", page.text)[2 if mail else 1]
    login = browser.get(linked(page, "Start your test" if mail else "Open the test"))
    return browser.submit(login, password=password)


@pytest.mark.parametrize(("activity", "lti"), BY_HTTP)
def test_so_does_who_clicks_the_other_link(running: Demo, activity: str, lti: str) -> None:
    student, person, learner = LEARNERS[lti]
    browser = plain.Browser()
    course = browser.get(f"{running.course}/as/{student}")
    page = open_plainly(browser, course, f"{activity}-{lti}")
    test = re.findall(f"<{title_of(activity)}>(.+?)</", page.text)[0]
    browser.submit(page, 0, **dict.fromkeys(re.findall('name="(q[0-9]+)"', page.text), "1"))
    if activity in DESKS:
        desk = browser.get(linked(course, DESKS[activity]))
        papers = desk.text.split("<form")[1:]
        (number,) = [n for n, it in enumerate(papers) if f"<h2>{learner}" in it and test in it]
        browser.submit(desk, number, score="3")
    eventually(lambda: running.grades(f"{activity}-{lti}", person), [GRADES[activity]], 60)


@pytest.mark.browser
def test_who_opens_a_test_that_is_being_marked_is_told_so_on_a_phone(
    running: Demo, page: Page
) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{running.course}/as/student3")
    assert fits(page)
    page.click("a[href='/launch/english-1.3']")
    expect(page.get_by_role("heading", name="Your test is ready")).to_be_visible()
    assert fits(page)
    test = open_test(page, "english")
    assert fits(test)
    answer(test)
    expect(test.get_by_role("heading", name="Your test is handed in")).to_be_visible()
    assert fits(test)
    desk = popup(test, "Be the provider's staff")
    expect(desk.get_by_role("heading", name="Marking desk")).to_be_visible()
    assert fits(desk)
    go_back(page, running.course)
    page.click("a[href='/launch/english-1.3']")
    expect(page.get_by_role("heading", name="Your test is being marked")).to_be_visible()
    assert fits(page)
    go_back(page, running.course)
    assert fits(page)


@pytest.mark.browser
def test_a_test_inside_the_course_page_leads_out_of_its_frame(running: Demo, page: Page) -> None:
    page.goto(f"{running.course}/as/student3")
    page.click("a[href='/launch/bread-1.1?target=iframe']")
    frame = page.frame_locator("iframe")
    for question in ("q1", "q2", "q3"):
        frame.locator(f"input[name={question}]").first.check()
    frame.get_by_role("button", name=HAND_IN).click()
    for heading in ("Your test is handed in", "Welcome back"):
        expect(frame.get_by_role("heading", name=heading)).to_be_visible()
        frame.get_by_role("link", name="Back to your course").click()
    frame.get_by_role("link", name="To the course").click()
    expect(page.get_by_text("Your grade: 33.33 of 100")).to_be_visible()


def test_one_student_opens_every_link_by_both_versions(running: Demo) -> None:
    """The LMS's two registrations make two learners of them, of whom no provider refuses one."""
    browser = plain.Browser()
    course = browser.get(f"{running.course}/as/student3")
    links = [f"{activity}-{lti}" for activity in GRADES for lti in ("1.3", "1.1")]
    pages = {link: go_on(browser, browser.get(f"{course.url}launch/{link}")) for link in links}
    assert {link: page.text for link, page in pages.items() if page.status != 200} == {}
    opened = {link for link, page in pages.items() if HAND_IN in page.text}
    assert opened == {link for link in links if not link.startswith("english")}


@pytest.mark.browser
def test_a_teacher_sees_what_students_get_and_a_preview(running: Demo, page: Page) -> None:
    page.goto(f"{running.course}/as/teacher")
    page.click("a[href='/launch/excel-1.3']")
    page.get_by_role("button", name=re.compile("preview", re.I)).click()
    expect(page.get_by_role("button", name=HAND_IN)).to_be_visible()
    assert "preview" in page.content().lower()


def test_the_configuration_is_an_example_that_is_right(
    check: Callable[[str], tuple[int, str]],
) -> None:
    names = ("bridge", *parties())
    urls = {name: f"http://127.0.0.1:{8000 + number}" for number, name in enumerate(names)}
    text = demo.configuration(urls, "demo-data")
    status, said = check(text)
    assert status == 0, said
    assert set(re.findall(r'^kind = "(.+)"', text, re.M)) == set(kinds())
    activities = re.findall(r'^id = "(.+)"', text, re.M)
    assert sorted(activities) == sorted(GRADES), "links of a party.py and activities of a demo.toml"
    unknown = [name for name, grade in GRADES.items() if not grade]
    assert unknown == [], "write their grades into GRADES of tests/providers/<kind>/shown.py"


def test_ctrl_c_ends_everything(running: Demo) -> None:  # the last one, for it ends the demo
    ports = running.ports()
    assert len(ports) == len(set(ports)) + 1 == len(parties()) + 2  # the bridge names itself too
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=60) == 0
    said = running.said.read_text()
    assert "Stopping." in said
    assert "Traceback" not in said
    for port in set(ports):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, said
