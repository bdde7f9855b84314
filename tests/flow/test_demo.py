"""`lti-bridge demo` in a real Chromium: each link of its course page, until the grade is there."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from lti_bridge.providers.registry import kinds

ROOT = Path(__file__).parents[2]
START_S = 60
SOON_MS = 20_000
PHONE = ViewportSize(width=360, height=640)
# What the course shows when the second answer was chosen everywhere, or a person said 3.
GRADES = {
    "excel": "33.33",
    "excel-level": "33.33",
    "reasoning": "60.00",
    "geography": "33.33",
    "bread": "33.33",
    "reasoning-essay": "30.00",
    "english": "50.00",
    "english-by-mail": "50.00",
    "nursing": "3.00",
}
DESKS = {
    "reasoning-essay": "Mettl's desk",
    "english": "iTEP's desk",
    "english-by-mail": "iTEP's desk",
    "nursing": "Prov's desk",
}


@dataclass
class Demo:
    """A running demo: its process, what it printed, and its course page."""

    process: subprocess.Popen[bytes]
    said: Path
    course: str

    def ports(self) -> list[int]:
        """The port of every party that it named."""
        return [int(port) for port in re.findall(r"http://[\d.]+:(\d+)", self.said.read_text())]


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
    context.set_default_timeout(SOON_MS)
    yield context.new_page()
    context.close()


def popup(page: Page, link: str) -> Page:
    """Click a link that opens another tab."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name=link).click()
    return opened.value


def open_test(page: Page, activity: str) -> Page:
    """From what a course link opened to the questions; returns the tab they are in."""
    if activity.startswith("reasoning"):
        page.get_by_role("button", name="Start the test").click()
    if activity == "english":
        password = page.locator("dd.copy").nth(1).inner_text()
        return log_in(popup(page, "Open the test"), password)
    if activity == "english-by-mail":
        page.get_by_role("link", name="Back to your course").click()
        mailbox = popup(page, "Pretend mailbox")
        password = mailbox.locator("dd").nth(2).inner_text()
        mailbox.get_by_role("link", name="Start your test").first.click()
        return log_in(mailbox, password)
    return page


def log_in(tab: Page, password: str) -> Page:
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Log in").click()
    return tab


def answer(tab: Page) -> None:
    """Choose the second answer of every question, and hand in."""
    button = tab.get_by_role("button", name="Hand in my answers")
    button.wait_for()
    for question in tab.locator("fieldset").all():
        question.get_by_role("radio").nth(1).check()
    button.click()
    button.wait_for(state="detached")


def go_back(page: Page) -> None:
    """Follow the ways back until the course."""
    for _ in range(2):
        link = page.get_by_role("link", name="Back to your course")
        if link.count():
            link.click()
    expect(page.get_by_text("You are back in the course")).to_be_visible()


def fits(page: Page) -> bool:
    """Whether nothing has to be moved sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.browser
@pytest.mark.parametrize("lti", ["1.3", "1.1"])
@pytest.mark.parametrize("activity", GRADES)
def test_a_student_takes_a_test_and_sees_the_grade(
    running: Demo, page: Page, activity: str, lti: str
) -> None:
    student = "student1" if lti == "1.3" else "student2"
    page.goto(f"{running.course}/as/{student}")
    row = page.locator(".way", has=page.locator(f"a[href='/launch/{activity}-{lti}']"))
    expect(row.get_by_text("No grade yet")).to_be_visible()
    row.get_by_role("link", name=re.compile("^Open ")).first.click()
    tab = open_test(page, activity)
    answer(tab)
    if activity.startswith("english"):
        tab.close()  # it had a tab of its own
        page.goto(running.course)
    else:
        go_back(page)
    if activity in DESKS:
        expect(row.get_by_text("No grade yet")).to_be_visible()
        desk = popup(page, DESKS[activity])
        expect(desk.get_by_text("You are now the provider's staff")).to_be_visible()
        desk.get_by_role("spinbutton").first.fill("3")
        desk.get_by_role("button", name="Give these marks").click()
        expect(desk.get_by_role("button", name="Correct the marks").first).to_be_visible()
        desk.close()
    expect(row.get_by_text(f"Your grade: {GRADES[activity]} of 100")).to_be_visible(timeout=SOON_MS)
    page.goto(f"{running.course}/gradebook")
    expect(page.get_by_role("cell", name=GRADES[activity]).first).to_be_visible()


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
    assert fits(test)
    desk = popup(test, "Be the provider's staff")
    assert fits(desk)
    page.get_by_role("link", name="Back to your course").click()
    page.click("a[href='/launch/english-1.3']")
    expect(page.get_by_role("heading", name="Your test is being marked")).to_be_visible()
    assert fits(page)
    go_back(page)
    assert fits(page)


@pytest.mark.browser
def test_a_test_inside_the_course_page_leads_out_of_its_frame(running: Demo, page: Page) -> None:
    page.goto(f"{running.course}/as/student3")
    page.click("a[href='/launch/bread-1.1?target=iframe']")
    frame = page.frame_locator("iframe")
    for question in ("q1", "q2", "q3"):
        frame.locator(f"input[name={question}]").first.check()
    frame.get_by_role("button", name="Hand in my answers").click()
    for _ in range(2):
        frame.get_by_role("link", name="Back to your course").click()
    frame.get_by_role("link", name="To the course").click()
    expect(page.get_by_text("Your grade: 33.33 of 100")).to_be_visible(timeout=SOON_MS)


@pytest.mark.browser
def test_a_teacher_sees_what_students_get_and_a_preview(running: Demo, page: Page) -> None:
    page.goto(f"{running.course}/as/teacher")
    page.click("a[href='/launch/excel-1.3']")
    page.get_by_role("button", name=re.compile("preview", re.I)).click()
    page.wait_for_selector("input[type=radio]")
    assert "preview" in page.content().lower()


def test_the_configuration_is_an_example_that_is_right(
    check: Callable[[str], tuple[int, str]],
) -> None:
    text = (ROOT / "lti_bridge" / "demo.toml").read_text(encoding="utf-8")
    status, said = check(text)
    assert status == 0, said
    assert set(re.findall(r'^kind = "(.+)"', text, re.M)) == set(kinds())


def test_ctrl_c_ends_everything(running: Demo) -> None:  # the last one, for it ends the demo
    ports = running.ports()
    assert len(ports) == len(set(ports)) + 1 == 9  # the bridge names itself too
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0
    said = running.said.read_text()
    assert "Stopping." in said
    assert "Traceback" not in said
    for port in set(ports):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, said
