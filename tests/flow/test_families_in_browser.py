"""What a teacher reads in Chromium of a grade that an LMS of each family did not take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from lti_bridge.cli import main
from tests.flow.browser import Browser
from tests.flow.test_launch_to_gradebook import USERS, open_test
from tests.flow.test_readback import grade, run
from tests.flow.world import World, eventually, make_world

pytestmark = pytest.mark.browser
STAYS = "not sent again by itself"


def started(tmp_path_factory: pytest.TempPathFactory, family: str) -> World:
    folder = tmp_path_factory.mktemp(family)
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", family=family)
    made.bridge.serve()
    return made


@pytest.fixture(scope="module")
def moodle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = started(tmp_path_factory, "moodle")
    yield made
    made.stop()


@pytest.fixture
def own_moodle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One whose list of members nobody has read yet, for it is kept for five minutes."""
    made = started(tmp_path_factory, "moodle")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = started(tmp_path_factory, "canvas")
    yield made
    made.stop()


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Page]:
    with chromium.new_context() as context:
        yield context.new_page()


def item(world: World, link: str) -> str:
    [found] = [one["item"] for one in world.gradebook()["columns"] if one["link"] == link]
    return str(found)


def report(world: World, link: str, user: str, score: str, state: str) -> None:
    """Take the test, and wait until its grade has come so far."""
    browser, before = Browser(), world.bridge.log().count(f"grade.{state}")
    browser.submit(open_test(world, browser, user, link), score=score)
    eventually(lambda: world.bridge.log().count(f"grade.{state}") > before, True)


def learners(tab: Page, world: World, link: str) -> None:
    """The page of a link's learners, as its teacher opens it."""
    tab.goto(f"{world.lms.url}/as/teacher")
    tab.goto(f"{world.lms.url}/launch/{link}")
    tab.get_by_role("button", name="Learners").click()


def row(tab: Page, name: str) -> str:
    line = tab.get_by_role("row").filter(has_text=name)
    expect(line).to_have_count(1)
    return line.inner_text()


def test_moodle_locks_a_grade(moodle: World, tab: Page) -> None:
    moodle.control(moodle.lms, "lock", item=item(moodle, "last13"), user=USERS["student1"])
    report(moodle, "last13", "student1", "0.5", "refused")
    learners(tab, moodle, "last13")
    said = row(tab, "Ann Example")
    assert "HTTP 500: the grade or its whole column is locked there" in said
    assert STAYS in said
    assert "is locked there" in run(moodle, "results", "list", "--stuck")
    said = CliRunner().invoke(main, ["doctor", "--config", str(moodle.bridge.config)])
    assert "is locked there" in said.output


def test_moodle_locks_a_grade_by_lti_11(moodle: World, tab: Page) -> None:
    moodle.control(moodle.lms, "lock", item=item(moodle, "last11"))
    report(moodle, "last11", "student1", "0.5", "refused")
    learners(tab, moodle, "last11")
    assert "outcomes: failure: the grade or its whole column is locked" in row(tab, "4")


def test_moodle_says_nothing_of_who_is_suspended_so_the_page_does(
    own_moodle: World, tab: Page
) -> None:
    own_moodle.control(own_moodle.lms, "status", user=USERS["student2"], status="Inactive")
    report(own_moodle, "best13", "student2", "0.5", "delivered")
    learners(tab, own_moodle, "best13")
    said = row(tab, "not among the members")
    assert "delivered" in said
    expect(tab.get_by_text("Their grades are sent all the same")).to_be_visible()
    own_moodle.control(own_moodle.lms, "status", user=USERS["student2"], status="Deleted")
    report(own_moodle, "best13", "student2", "0.9", "refused")
    tab.get_by_role("button", name="Look again").click()
    assert "no student of the course now" in row(tab, "not among the members")


def test_canvas_gives_its_own_reasons(canvas: World, tab: Page) -> None:
    canvas.control(canvas.lms, "status", user=USERS["student1"], status="Inactive")
    report(canvas, "last13", "student1", "0.5", "refused")
    canvas.control(canvas.lms, "item", item=item(canvas, "last11"), maximum=0)
    report(canvas, "last11", "student2", "0.5", "refused")
    learners(tab, canvas, "last13")
    assert "HTTP 422: User not found in course or is not a student" in row(tab, "4")
    learners(tab, canvas, "last11")
    assert "Assignment has no points possible" in row(tab, "5")
    canvas.control(canvas.lms, "course", concluded=True)
    report(canvas, "best13", "student3", "0.5", "refused")
    learners(tab, canvas, "best13")
    assert "HTTP 404: The specified resource does not exist" in row(tab, "Zoë")


def test_moodle_keeps_an_override_and_the_command_and_the_page_say_so(
    moodle: World, tab: Page
) -> None:
    link, user = "best11", "student3"
    report(moodle, link, user, "0.5", "delivered")
    where = {"item": item(moodle, link), "user": USERS[user]}
    moodle.control(moodle.lms, "grade", **where, points=70)
    report(moodle, link, user, "0.9", "waiting")
    waiting = grade(moodle, USERS[user], "waiting")
    said = run(moodle, "results", "resend", "--force", waiting["id"])
    assert "the LMS has taken it, and shows 0.7/1 all the same" in said
    learners(tab, moodle, link)
    assert "Ours comes when it is taken away there" in row(tab, USERS[user])
