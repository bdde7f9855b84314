"""The page about a course's learners, through running servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lti_bridge.core.grade.deliveries import DEPARTED
from tests.flow.browser import Browser, Page
from tests.flow.test_launch_to_gradebook import grade, open_test
from tests.flow.world import BASE, World, eventually, make_world

LINK = "best13"


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running world in which one learner is graded and another has only started."""
    folder = tmp_path_factory.mktemp("roster")
    base = BASE.replace('"bridge-secret"', '"bridge-secret"\nnotice = "Read this first."')
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", base=base)
    made.bridge.serve()
    first, second = Browser(), Browser()
    first.submit(open_test(made, first, "student1", LINK), score="0.85")
    open_test(made, second, "student2", LINK)
    eventually(lambda: bool(made.gradebook()["columns"][0]["cells"]), True)
    eventually(lambda: "grade.delivered" in made.bridge.log(), True)
    yield made
    made.stop()


def as_teacher(world: World, link: str = LINK, **extra: str) -> tuple[Browser, Page]:
    """The instructor's page of a link."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/teacher")
    start = world.control(world.lms, "launch", link=link, user="teacher", extra=extra)
    if "login_url" in start:
        return browser, browser.submit(browser.post(start["login_url"], start["fields"]))
    return browser, browser.post(start["action"], start["fields"])


def people(world: World, link: str = LINK, **extra: str) -> Page:
    """The learners as the teacher sees them."""
    browser, page = as_teacher(world, link, **extra)
    number = next(
        i for i, form in enumerate(page.forms()) if form.action.endswith("/course/people")
    )
    return browser.submit(page, number)


def lines(page: Page) -> dict[str, list[str]]:
    """Each learner's row of the table."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page.text)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in rows}


@pytest.mark.spec("T13NR-01", "T13NR-07")
def test_everybody_in_the_course_beside_attempts_and_grades(campus: World) -> None:
    page = people(campus)
    assert page.status == 200
    found = lines(page)
    assert list(found) == ["Ann Example", "Ben Example", "Zoë Exämple"]  # no teacher
    assert found["Ann Example"][:2] == ["delivered", "0.85 of 1"]
    assert found["Ben Example"] == ["started", "", ""]
    assert found["Zoë Exämple"] == ["not started", "", ""]
    assert "<dt>not started</dt><dd>1</dd>" in page.text


def test_an_override_is_shown_once_it_was_seen(campus: World) -> None:
    link, browser = "last13", Browser()
    browser.submit(open_test(campus, browser, "student1", link), score="0.85")
    eventually(lambda: lines(people(campus, link))["Ann Example"][0], "delivered")
    [column] = [c for c in campus.gradebook()["columns"] if c["link"] == link]
    campus.control(campus.lms, "grade", item=column["item"], user="4", points=42)
    browser.submit(open_test(campus, browser, "student1", link), score="0.99")
    wanted = ["overridden", "0.99 of 1", "42/100"]

    def shown() -> list[str]:
        *first, last = lines(people(campus, link))["Ann Example"]
        return [*first, last.partition("<")[0]]

    eventually(shown, wanted)
    assert "entered in the gradebook, and stays" in people(campus, link).text


def test_names_are_fetched_and_never_kept(campus: World) -> None:
    people(campus)
    folder = campus.bridge.folder
    stored = b"".join(path.read_bytes() for path in folder.glob("bridge.sqlite3*"))
    assert "Zoë".encode() not in stored  # she has never clicked
    assert b"student3@example.invalid" not in stored
    assert "Zoë" not in campus.bridge.log()


def reads_the_list(world: World, **status: str) -> None:
    """The LMS lists Ben so, and a teacher asks for the list when the bridge knows none."""
    world.control(world.lms, "status", user="5", **status)
    world.bridge.end()  # what is kept of the list goes with the process
    world.bridge.serve()
    eventually(lambda: "Zoë Exämple" in lines(people(world)), True)


@pytest.mark.spec("T13NR-04")
def test_whom_the_lms_lists_as_gone_is_graded_when_the_list_or_a_launch_says_otherwise(
    campus: World,
) -> None:
    link, browser = "own13", Browser()
    begun = open_test(campus, browser, "student2", link)
    reads_the_list(campus, status="Inactive")
    assert lines(people(campus, link)).keys() >= {"Ben Example (no longer active)"}
    browser.submit(begun, score="0.4")
    eventually(lambda: campus.bridge.log().count(DEPARTED), 1)
    assert grade(campus, "student2", link) is None
    reads_the_list(campus, status="")  # not said: active
    eventually(lambda: grade(campus, "student2", link), 0.4)

    begun = open_test(campus, browser, "student2", link)
    reads_the_list(campus, status="Deleted")
    browser.submit(begun, score="0.6")
    eventually(lambda: campus.bridge.log().count(DEPARTED), 2)
    assert grade(campus, "student2", link) == 0.4
    assert open_test(campus, browser, "student2", link).status == 200
    eventually(lambda: grade(campus, "student2", link), 0.6)
    reads_the_list(campus, status="Active")


def test_an_lms_without_a_list_shows_those_who_came(campus: World) -> None:
    browser = Browser()
    page = open_test(campus, browser, "student1", "best11")
    assert page.status == 200
    # anybody who edits a link can write a custom parameter: it is no address of the LMS
    members = f"{campus.lms.url}/lti/nrps/101/memberships"
    shown = people(campus, "best11", custom_context_memberships_v2_url=members)
    assert lines(shown) == {"4": ["started", "", ""]}
    assert "does not list" in shown.text


def test_a_slow_lms_keeps_nobody_waiting(campus: World) -> None:
    """The page answers, says so, and shows who came by id."""
    campus.control(campus.lms, "clear")
    campus.control(campus.lms, "fault", path="/lti/nrps", status=503, times=-1)
    campus.bridge.end()  # what is kept of the list goes with the process
    campus.bridge.serve()
    try:
        shown = people(campus)
    finally:
        campus.control(campus.lms, "clear")
    assert shown.status == 200
    assert "could not be read now" in shown.text
    assert set(lines(shown)) == {"4", "5"}


@pytest.mark.spec("SECP-27")
@pytest.mark.parametrize("link", ["best13", "best11"])
def test_only_the_lms_may_frame_the_pages_of_its_launches(campus: World, link: str) -> None:
    browser, page = as_teacher(campus, link)
    preview = browser.submit(page, 0)
    for one in (page, people(campus, link), preview):
        policy = one.headers["Content-Security-Policy"]
        assert f"frame-ancestors 'self' {campus.lms.url}" in policy.replace(";", " ")


@pytest.mark.parametrize("token", ["", "nobody", "x" * 5000, "ä\0'\""])
def test_without_a_token_of_staff_there_is_nothing(campus: World, token: str) -> None:
    page = Browser().post(f"{campus.bridge.url}/course/people", {"token": token})
    assert page.status == (400 if "\0" in token else 403)
    assert "Example" not in page.text
    page = Browser().post(f"{campus.bridge.url}/course/people", {})
    assert page.status == 403


def test_a_students_token_opens_no_list(campus: World) -> None:
    browser = Browser()
    start = campus.control(campus.lms, "launch", link="last11", user="student2")
    asked = browser.post(start["action"], start["fields"])
    assert "Read this first." in asked.text
    [(_, token)] = asked.form().fields
    page = browser.post(f"{campus.bridge.url}/course/people", {"token": token})
    assert page.status == 403
    assert "Example" not in page.text
    assert browser.submit(asked).status == 200  # the token itself is good
