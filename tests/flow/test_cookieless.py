"""Launches in frames of a real browser: with partitioned cookies, and with no cookies at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from lti_bridge.sandbox import lms, serving
from tests.flow.frames import (
    EVERYWHERE,
    IN_FRAMES,
    QUESTION,
    School,
    elsewhere,
    open_framed,
    partitioning,
    refusal_of,
    running_school,
    tool,
)
from tests.flow.strangers import ANSWERS_ALL, FORM_TYPE, GUESSES, opening_page, strangers_launch
from tests.flow.world import HTTP

pytestmark = pytest.mark.browser

BEST = {"activity": "best"}
LINKS = (
    lms.LinkSpec("plain", "Without storage", "1.3", BEST),
    lms.LinkSpec("around", "Storage in the page", "1.3", BEST, storage="_parent"),
    lms.LinkSpec("beside", "Storage in a frame", "1.3", BEST, storage="lti_storage"),
)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with running_school(tmp_path_factory.mktemp("cookieless"), LINKS) as made:
        yield made


@pytest.fixture(scope="module")
def partitioned(chromium: Browser) -> Iterator[Browser]:
    with partitioning(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def refusing(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A Chromium in which the bridge keeps no cookie at all inside a page of the LMS."""
    folder = tmp_path_factory.mktemp("profile") / "user"
    with refusal_of(chromium, folder, IN_FRAMES) as context:
        yield context


@pytest.fixture
def tab(refusing: BrowserContext, school: School) -> Iterator[Page]:
    page = refusing.new_page()
    page.goto(f"{school.url}/as/student1")
    yield page
    for one in refusing.pages[1:]:
        one.close()


def bridge_requests(tab: Page, school: School) -> list[str]:
    """The growing list of what the browser asks the bridge for, without files."""
    seen: list[str] = []

    def note(request: Request) -> None:
        path = request.url.removeprefix(school.bridge)
        if path != request.url and not path.startswith("/static/"):
            seen.append(f"{request.method} {path.partition('?')[0]}")

    tab.on("request", note)
    return seen


# what the browsers of these tests refuse


def cookies_seen(context: BrowserContext) -> tuple[str, str]:
    """Which cookies of 127.0.0.1 came back within a page of localhost, and at the top."""
    inner = Flask("inner")

    @inner.get("/set")
    def give() -> Response:
        answer = redirect("/see")
        answer.headers.add("Set-Cookie", "plain=1; Path=/; Secure; SameSite=None")
        answer.headers.add(
            "Set-Cookie", "__Host-parted=1; Path=/; Secure; SameSite=None; Partitioned"
        )
        return answer  # type: ignore[return-value]

    @inner.get("/see")
    def see() -> str:
        return "got " + " ".join(sorted(request.cookies))

    shown, outer = serving.start(lambda url: inner), Flask("outer")
    outer.get("/")(lambda: f'<iframe src="{shown.url}/set"></iframe>')
    around = serving.start(lambda url: outer)
    page = context.new_page()
    page.goto(elsewhere(around.url))
    framed = page.frame_locator("iframe").get_by_text("got").inner_text()
    page.goto(f"{shown.url}/set")
    top = page.get_by_text("got").inner_text()
    page.close()
    shown.stop()
    around.stop()
    return framed, top


def test_the_browsers_of_these_tests_refuse_cookies_of_other_sites(
    partitioned: Browser, refusing: BrowserContext
) -> None:
    both = "got __Host-parted plain"
    with partitioned.new_context() as context:
        assert cookies_seen(context) == ("got __Host-parted", both)
    assert cookies_seen(refusing) == ("got", both)


# where partitioned cookies are kept


@pytest.mark.spec("T13ST-02", "SECP-29")
def test_a_partitioned_cookie_is_enough_and_costs_no_request(
    partitioned: Browser, school: School
) -> None:
    with partitioned.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student1")
        seen = bridge_requests(tab, school)
        for link in ("plain", "around"):
            open_framed(tab, school, link)
            expect(tool(tab).get_by_text(QUESTION)).to_be_visible()
        # the first frame ever is asked once more whether it keeps a cookie; no later one is
        login, launch = "POST /lti/login", "POST /lti/launch"
        assert seen == [login, login, launch, login, launch]
        seen.clear()
        tab.goto(f"{school.url}/launch/plain")
        expect(tab.get_by_text(QUESTION)).to_be_visible()
        assert seen == [login, launch]


def test_a_window_is_never_asked_whether_it_keeps_a_cookie(
    partitioned: Browser, school: School
) -> None:
    with partitioned.new_context() as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student1")
        seen = bridge_requests(tab, school)
        tab.goto(f"{school.url}/launch/plain")
        expect(tab.get_by_text(QUESTION)).to_be_visible()
        assert seen == ["POST /lti/login", "POST /lti/launch"]


# platform storage


@pytest.mark.spec("T13ST-03", "T13ST-04", "T13ST-08")
@pytest.mark.parametrize("link", ["around", "beside"])
def test_a_frame_without_cookies_uses_the_storage_of_the_lms(
    tab: Page, school: School, link: str
) -> None:
    before = school.launches()
    seen = bridge_requests(tab, school)
    open_framed(tab, school, link)
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible()
    assert school.launches() == before + 1
    login, launch = "POST /lti/login", "POST /lti/launch"
    assert seen == [login, login, launch, launch]


OLD_LMS = """
const kept = new Map(), old = "org.imsglobal.lti.";
const answers = {
  [`${old}capabilities`]: () => ({ supported_messages: [
    { subject: `${old}put_data`, frame: "_parent" },
    { subject: `${old}get_data`, frame: "_parent" } ] }),
  [`${old}put_data`]: ({ key, value }) => { kept.set(key, value); return { key, value }; },
  [`${old}get_data`]: ({ key }) => ({ key, value: kept.get(key) ?? null }),
};
addEventListener("message", ({ data, origin, source }) => {
  const { subject, message_id } = data;
  if (answers[subject]) source.postMessage(
    { subject: `${subject}.response`, message_id, ...answers[subject](data) }, origin);
});
"""


@pytest.mark.spec("T13ST-08")
def test_an_lms_that_knows_only_the_older_subjects_is_understood(tab: Page, school: School) -> None:
    """And it says that the page around keeps the data, whatever its login named."""

    def old_above(route: Route) -> None:
        body = OLD_LMS if route.request.frame == tab.main_frame else ""
        route.fulfill(body=body, content_type="text/javascript")

    tab.route("**/storage.js", old_above)
    open_framed(tab, school, "beside")
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible()


@pytest.mark.spec("T13ST-04")
def test_the_frame_that_the_login_names_is_used_where_the_page_around_is_silent(
    tab: Page, school: School
) -> None:
    def silent_above(route: Route) -> None:
        if route.request.frame == tab.main_frame:
            route.fulfill(body="", content_type="text/javascript")
        else:
            route.continue_()

    tab.route("**/storage.js", silent_above)
    open_framed(tab, school, "beside")
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible()


@pytest.mark.spec("T13ST-10")
def test_the_proof_is_gone_from_the_storage_after_one_launch(tab: Page, school: School) -> None:
    keys = "window.said = []; addEventListener('message', (e) => window.said.push(e.data))"
    tab.add_init_script(keys)
    open_framed(tab, school, "around")
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible()
    said = [one for one in tab.evaluate("said") if one["subject"] != "lti.capabilities"]
    data = [(one["subject"], one.get("value", "-")) for one in said if "key" in one]
    (first, kept), second, third = data
    assert (first, second[0], third) == ("lti.put_data", "lti.get_data", ("lti.put_data", None))
    assert len({one["key"] for one in said if "key" in one}) == 1
    ids = [one["message_id"] for one in tab.evaluate("said")]
    assert len(set(ids)) == len(ids)
    assert len(kept.split(" ")) == 3


@pytest.mark.spec("T13ST-04")
def test_in_a_new_window_the_storage_is_that_of_the_opener(
    chromium: Browser, school: School, tmp_path: Path
) -> None:
    with refusal_of(chromium, tmp_path / "user", EVERYWHERE) as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student1")
        open_framed(tab, school, "around")  # the page that keeps the data
        with context.expect_page() as opened:
            tab.evaluate("open('/launch/around')")
        expect(opened.value.get_by_text(QUESTION)).to_be_visible()


# a new window


@pytest.mark.spec("T13ST-07")
def test_a_frame_without_cookies_and_storage_opens_a_window(tab: Page, school: School) -> None:
    before = school.launches()
    open_framed(tab, school, "plain")
    frame = tool(tab)
    expect(frame.get_by_text("the test needs a window of its own")).to_be_visible()
    assert school.launches() == before
    with tab.context.expect_page() as opened:
        frame.get_by_role("button", name="Open the test").click()
    expect(opened.value.get_by_text(QUESTION)).to_be_visible()
    assert opened.value.evaluate("opener") is None
    expect(frame.get_by_text("open in another window")).to_be_visible()
    expect(frame.get_by_role("button")).to_have_count(0)
    assert school.launches() == before + 1


@pytest.mark.parametrize("link", ["plain", "around"])
def test_the_window_opens_without_javascript_too(
    chromium: Browser, school: School, tmp_path: Path, link: str
) -> None:
    folder = tmp_path / "user"
    with refusal_of(chromium, folder, IN_FRAMES, scripts=False) as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student1")
        open_framed(tab, school, link)
        frame = tool(tab)
        frame.get_by_role("button", name="Continue").click()
        with context.expect_page() as opened:
            frame.get_by_role("button", name="Open the test").click()
        window = opened.value
        window.get_by_role("button", name="Continue").click()  # the LMS's page
        window.get_by_role("button", name="Open your test").click()
        expect(window.get_by_text(QUESTION)).to_be_visible()


def test_a_browser_that_keeps_nothing_anywhere_is_told_so_and_never_led_in_a_circle(
    chromium: Browser, school: School, tmp_path: Path
) -> None:
    with refusal_of(chromium, tmp_path / "user", EVERYWHERE) as context:
        tab = context.new_page()
        tab.goto(f"{school.url}/as/student1")
        open_framed(tab, school, "plain")
        with context.expect_page() as opened:
            tool(tab).get_by_role("button", name="Open the test").click()
        window = opened.value
        seen = bridge_requests(window, school)
        expect(window.get_by_text("allow cookies for this site")).to_be_visible()
        expect(window.get_by_role("button")).to_have_count(0)
        expect(window.get_by_role("link", name="Back to your course")).to_be_visible()
        window.wait_for_timeout(500)
        assert len([one for one in seen if one == "POST /lti/login"]) <= 1


# an LMS that answers wrongly, or another page that answers for it


ANSWERS = {
    "nothing": "",
    "an error": "said({key: data.key, value: data.value, error: {code: 'x', message: 'full'}})",
    "another id": "said({message_id: 'x', key: data.key, value: data.value})",
    "another subject": "said({subject: 'lti.get_data.response', value: data.value})",
    "another value": "said({key: data.key, value: 'x'})",
    "no storage": (
        "if (data.subject === 'lti.capabilities')"
        " said({supported_messages: [{subject: 'lti.frameResize'}]})"
    ),
    "a frame that is not there": (
        "if (data.subject === 'lti.capabilities')"
        " said({supported_messages: [{subject: 'lti.put_data', frame: 'gone'}]})"
    ),
}
LISTEN = """
window.heard = [];
addEventListener("message", ({ data, source }) => {
  heard.push(data.subject);
  const said = (words) => source.postMessage(
    { subject: `${data.subject}.response`, message_id: data.message_id, ...words }, "*");
  %s
}, true);
"""


def framing_page(school: School, script: str) -> serving.Running:
    """A page of localhost, at another port than the LMS, that frames a login and listens."""
    start = school.world.control(school.lms, "launch", link="around", user="student1")
    inputs = "".join(
        f"<input name={name} value='{value}'>" for name, value in start["fields"].items()
    )
    app = Flask("framing")
    app.get("/")(
        lambda: (
            f"<script>{script}</script><iframe class=tool name=tool></iframe>"
            f"<form method=post target=tool action='{start['login_url']}'>{inputs}</form>"
            "<script>document.forms[0].submit()</script>"
        )
    )
    return serving.start(lambda url: app)


@pytest.mark.spec("T13ST-05", "T13ST-06", "SECP-31")
def test_only_the_lms_can_answer_and_only_it_is_told(tab: Page, school: School) -> None:
    echo = "said({key: data.key, value: data.value, supported_messages: null})"
    page = framing_page(school, LISTEN % echo)
    before = school.launches()
    tab.goto(elsewhere(page.url))
    button = tool(tab).get_by_role("button", name="Open the test")
    expect(button).to_be_visible()
    heard = tab.evaluate("heard")
    page.stop()
    # questions that hold nothing; the message with the proof did not reach this page
    assert set(heard) == {"lti.capabilities", "org.imsglobal.lti.capabilities"}
    assert school.launches() == before


@pytest.mark.spec("T13ST-06", "T13ST-07")
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_bad_answer_leads_to_the_button(tab: Page, school: School, answer: str) -> None:
    script = LISTEN % ANSWERS[answer]
    tab.route(
        "**/storage.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    before = school.launches()
    open_framed(tab, school, "around")
    expect(tool(tab).get_by_role("button", name="Open the test")).to_be_visible()
    asked = tab.evaluate("heard.filter((one) => one.endsWith('put_data')).length")
    assert asked == (0 if answer in ("no storage", "a frame that is not there") else 1)
    assert school.launches() == before


# a stranger's launch, opened in a victim's browser


@pytest.mark.spec("T13ID-02", "T13ST-05", "T13ST-09", "SECP-22", "SECP-31")
@pytest.mark.parametrize("way", ["with the proof", "answering for the LMS", "framing the LMS"])
def test_a_stranger_s_launch_opens_in_no_other_browser(tab: Page, school: School, way: str) -> None:
    fields, kept = strangers_launch(school)
    if way == "with the proof":
        fields["lti_bridge_kept"] = kept
    frame = "lms" if way == "framing the LMS" else "_parent"
    script = ANSWERS_ALL % {"frame": frame, "kept": kept}
    app = Flask("evil")
    app.get("/")(lambda: opening_page(school, fields, script))
    page, before = serving.start(lambda url: app), school.launches()
    tab.goto(page.url)
    with tab.context.expect_page() as opened:
        tab.get_by_role("button", name="A kitten").click()
    words = "This page was already used" if way == "framing the LMS" else "a window of its own"
    expect(opened.value.get_by_role("heading", name=words)).to_be_visible()
    assert "lti.get_data" not in tab.evaluate("heard")
    assert school.launches() == before
    page.stop()


@pytest.mark.spec("T13ST-06", "SECP-22", "SECP-31")
def test_another_site_s_answer_does_not_count_even_with_the_right_id(
    tab: Page, school: School
) -> None:
    """The page that opened ours knows the id of our question, and has what the LMS would say."""
    fields, kept = strangers_launch(school)
    app = Flask("evil")
    app.get("/")(lambda: opening_page(school, fields, GUESSES % kept))
    page, before = serving.start(lambda url: app), school.launches()

    def guessable(route: Route) -> None:
        body = "crypto.getRandomValues = (ids) => ids.fill(7);" + route.fetch().text()
        route.fulfill(body=body, content_type="text/javascript")

    tab.context.route("**/alone.js", guessable)
    tab.goto(page.url)
    with tab.context.expect_page() as opened:
        tab.get_by_role("button", name="A kitten").click()
    expect(opened.value.get_by_role("heading", name="a window of its own")).to_be_visible()
    tab.context.unroute("**/alone.js")
    assert set(tab.evaluate("heard")) == {"7-7-7-7"}
    assert school.launches() == before
    page.stop()


# tabs, people, reload, back


@pytest.mark.spec("T13LI-15", "SECP-23")
def test_two_tabs_and_two_people_each_get_their_own_test(tab: Page, school: School) -> None:
    other = tab.context.new_page()
    open_framed(tab, school, "around")
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible()
    other.goto(f"{school.url}/as/student2")
    open_framed(other, school, "around")
    expect(tool(other).get_by_text(QUESTION)).to_be_visible()
    answer = HTTP.request("GET", f"{school.world.isograd.url}/control/state").json()
    first, second = answer["launches"][-2:]
    assert first["parameters"]["user_id"] != second["parameters"]["user_id"]
    assert tool(tab).url != tool(other).url


def number_of(school: School, table: str) -> int:
    """How many rows a table of the bridge has."""
    with closing(sqlite3.connect(school.world.bridge.folder / "bridge.sqlite3")) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def let_seconds_pass(school: School) -> None:
    """What was sent is older than the ten seconds in which it is a second click."""
    with closing(sqlite3.connect(school.world.bridge.folder / "bridge.sqlite3")) as database:
        database.execute("UPDATE used_once SET used_at = used_at - 11000")
        database.commit()


@pytest.mark.spec("T13ID-02", "T13ST-10")
@pytest.mark.parametrize("link", ["plain", "around"])
def test_a_launch_that_is_sent_again_is_answered_with_a_way_back(
    tab: Page, school: School, link: str
) -> None:
    """By reload or by Back: the browser sends the form that it sent before."""
    sent: list[tuple[str, str]] = []
    tab.on(
        "request",
        lambda one: (
            one.url.endswith("/lti/launch")
            and sent.append((one.post_data or "", one.headers.get("origin", "")))
        ),
    )
    if link == "plain":
        tab.goto(f"{school.url}/launch/plain")
        expect(tab.get_by_text(QUESTION)).to_be_visible()
    else:
        open_framed(tab, school, link)
        expect(tool(tab).get_by_text(QUESTION)).to_be_visible()
    before, attempts = school.launches(), number_of(school, "attempts")
    form, origin = sent[-1]
    assert origin == (school.bridge if link == "around" else school.url)
    headers = {**FORM_TYPE, "Origin": origin}
    send = lambda: tab.context.request.post(  # noqa: E731
        f"{school.bridge}/lti/launch", data=form, headers=headers
    )
    if link == "plain":  # a cookie tells that it is the same browser: a second click goes on
        again = send()
        assert again.status == 200
        assert f'action="{school.world.isograd.url}/' in again.text()
        assert number_of(school, "attempts") == attempts
        let_seconds_pass(school)
    again = send()
    assert again.status == 401
    assert "opened-already" in again.text()
    assert f'href="{school.url}/return' in again.text()
    assert school.launches() == before
    assert number_of(school, "attempts") == attempts


@pytest.mark.spec("SECP-23")
def test_back_from_a_test_shows_no_other_test(tab: Page, school: School) -> None:
    tab.goto(f"{school.url}/launch/plain")
    expect(tab.get_by_text(QUESTION)).to_be_visible()
    before = school.launches()
    tab.go_back()
    tab.wait_for_timeout(500)
    expect(tab.get_by_text(QUESTION)).to_have_count(0)
    assert school.launches() == before
