"""F5 and Back on the bridge's pages, in Chromium on a telephone's screen."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Frame, Page, ViewportSize, expect

from tests.flow.campus11 import Campus
from tests.flow.frames import elsewhere, partitioning
from tests.flow.people import People, running_people
from tests.flow.scene import Scene
from tests.flow.test_documented_answers import taken
from tests.flow.test_second_click import GRADED, SELECTION

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=360, height=740)
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
    "notice": ({"user_id": "noticed", "custom_activity": "told"}, "Before you start"),
    "none left": (
        {"user_id": "none-left", "custom_activity": "once", "resource_link_id": "once-only"},
        "You have used all your attempts at this test.",
    ),
}


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport=PHONE) as context:
        yield context.new_page()


def posting(campus: Campus, fields: list[tuple[str, str]], more: str = "") -> str:
    """A form with a button that posts these fields to the bridge."""
    inputs = "".join(
        f'<input name="{html.escape(name)}" value="{html.escape(value)}">' for name, value in fields
    )
    return f'<form method="post" action="{campus.url}" {more}>{inputs}<button>Go</button>'


def click(tab: Page, scene: Scene, changes: dict[str, object]) -> None:
    """Let the tab post a signed form, as a page of an LMS does."""
    fields = scene.campus.signed(scene.campus.fields(**changes))  # type: ignore[arg-type]
    tab.goto(f"{scene.world.lms.url}/as/teacher")
    tab.set_content(posting(scene.campus, fields))
    tab.get_by_role("button", name="Go").click()


@pytest.fixture(scope="module")
def partitioned(chromium: Browser) -> Iterator[Browser]:
    with partitioning(chromium) as browser:
        yield browser


def click_framed(tab: Page, scene: Scene, sandbox: str, user: str) -> Frame:
    """As `click`, into a frame of a page of another site."""
    course = elsewhere(scene.world.lms.url)
    changes = {"launch_presentation_return_url": course, "custom_activity": "thrice"}
    fields = scene.campus.signed(scene.campus.fields(user_id=user, **changes))
    tab.goto(f"{course}/as/teacher")
    frame = f'<iframe name="test" {sandbox}></iframe>'
    tab.set_content(frame + posting(scene.campus, fields, 'target="test"'))
    tab.get_by_role("button", name="Go").click()
    found = tab.locator("iframe").element_handle().content_frame()
    assert found
    return found


@pytest.mark.parametrize("cookies", ["all", "partitioned"])
@pytest.mark.parametrize("sandbox", ["", 'sandbox="allow-scripts allow-forms"'])
def test_the_question_inside_a_frame(
    chromium: Browser, partitioned: Browser, scene: Scene, sandbox: str, cookies: str
) -> None:
    user = f"framed-{cookies}-{len(sandbox)}"
    with (chromium if cookies == "all" else partitioned).new_context() as context:
        tab = context.new_page()
        expect(click_framed(tab, scene, sandbox, user).get_by_text("hello")).to_be_visible()
        for number in (2, 3):
            scene.write(GRADED, user=user)
            frame = click_framed(tab, scene, sandbox, user)
            question = frame.get_by_role("heading", name=f"Start attempt {number} of 3?")
            expect(question).to_be_visible()
            assert "/course/page/" in frame.url  # by a cookie of this browser
            frame.get_by_role("button", name=f"Start attempt {number}").click()
            expect(frame.get_by_text("hello")).to_be_visible()
            assert len(scene.attempts(user)) == number


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


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("credentials")
    with running_people(folder, f"sqlite:///{folder}/bridge.sqlite3") as made:
        yield made


def test_f5_and_back_show_the_test_id_again(tab: Page, people: People) -> None:
    """Ten minutes before an exam; and each time another ID was taken would cost one."""
    two, campus = people.pair(), people.lms["campus"]
    fields = campus.signed(
        campus.fields(
            user_id=two.ann,
            lis_person_contact_email_primary=two.mail,
            custom_activity="itep",
            launch_presentation_return_url=None,
        )
    )
    tab.goto(f"{people.bridge.url}/healthz")
    tab.set_content(posting(campus, fields))
    tab.get_by_role("button", name="Go").click()
    expect(tab.get_by_text("Test ID", exact=True)).to_be_visible()
    before = taken(people)
    test_id = tab.get_by_text(people.attempt(two.ann).reference, exact=True)
    for again in (tab.reload, tab.reload, lambda: tab.goto(f"{people.bridge.url}/"), tab.go_back):
        again()
        if not tab.url.endswith("/"):
            expect(test_id).to_be_visible()
    assert "/course/page/" in tab.url
    assert taken(people) == before
