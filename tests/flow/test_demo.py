"""`lti-bridge demo` in a real Chromium: from the course page to the gradebook page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
START_S = 60


@pytest.fixture
def course(tmp_path: Path) -> Iterator[str]:
    """The address that the demo prints."""
    said = tmp_path / "said.txt"
    with said.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "lti_bridge", "demo", "--port", "0"],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_S
    found = None
    while time.monotonic() < deadline and demo.poll() is None and not found:
        time.sleep(0.1)
        found = re.search(r"Open +(http://\S+)", said.read_text())
    assert found, said.read_text()
    yield found[1].rstrip("/")
    demo.terminate()
    demo.wait(timeout=30)


@pytest.mark.browser
@pytest.mark.parametrize("link", ["excel-13", "word-11"])
def test_a_student_takes_a_test_and_sees_the_grade(
    course: str, chromium: Browser, link: str
) -> None:
    page = chromium.new_page()
    page.goto(f"{course}/as/student1")
    page.click(f"a[href*='/launch/{link}']")
    page.wait_for_selector("input[type=radio]")
    for number, right in enumerate((1, 0, 3), 1):
        page.check(f"input[name=q{number}][value='{right}']")
    page.click("form button[type=submit], form button:not([type])")
    page.wait_for_load_state()
    page.goto(f"{course}/gradebook")
    cell = page.locator("td", has_text=re.compile(r"\d")).first
    cell.wait_for(timeout=20_000)
    assert re.search(r"[1-9]", cell.inner_text())


@pytest.mark.browser
def test_a_teacher_sees_what_students_get_and_a_preview(course: str, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{course}/as/teacher")
    page.click("a[href*='/launch/excel-13']")
    page.get_by_role("button", name=re.compile("preview", re.I)).click()
    page.wait_for_selector("input[type=radio]")
    assert "preview" in page.content().lower()
