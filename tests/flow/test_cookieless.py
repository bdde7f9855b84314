"""Launches in frames of a real browser: with partitioned cookies, and with no cookies at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request, Route, expect

from lti_bridge.sandbox import lms, serving
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.flow.world import HTTP, World, make_world

pytestmark = pytest.mark.browser

CONFIG = """
[[lms]]
name = "local13"
lti = "1.3"
issuer = "{lms}"
client_id = "bridge-client"
deployment_ids = ["1"]
authorization_url = "{lms}/lti/auth"
token_url = "{lms}/lti/token"
jwks_url = "{lms}/lti/jwks"
"""
BEST = {"activity": "best"}
LINKS = (
    lms.LinkSpec("plain", "Without storage", "1.3", BEST),
    lms.LinkSpec("around", "Storage in the page", "1.3", BEST, storage="_parent"),
    lms.LinkSpec("beside", "Storage in a frame", "1.3", BEST, storage="lti_storage"),
)
IN_FRAMES = "http://127.0.0.1:*,http://localhost:*"
"""Chromium's pattern for what 127.0.0.1 keeps within pages of localhost, however partitioned."""
EVERYWHERE = "http://127.0.0.1:*,*"
QUESTION = "Which formula adds them up?"


@dataclass
class School:
    """The bridge at 127.0.0.1, and an LMS of another site (localhost) that launches it."""

    world: World
    lms: serving.Running
    url: str

    @property
    def bridge(self) -> str:
        return self.world.bridge.url

    def launches(self) -> int:
        """How many tests were opened at the provider."""
        answer = HTTP.request("GET", f"{self.world.isograd.url}/control/state")
        return len(answer.json()["launches"])


def elsewhere(url: str) -> str:
    """The same server as another site."""
    return url.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("cookieless")
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    settings = lms.LmsSettings(bridge_url=world.bridge.url, links=LINKS, client_id="bridge-client")
    campus = serving.start(lambda url: lms.make_app(settings)(elsewhere(url)))
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(CONFIG.format(lms=elsewhere(campus.url)))
    try:
        world.bridge.serve()
        yield School(world, campus, elsewhere(campus.url))
    finally:
        world.stop()
        campus.stop()


def executable() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path
    return path


@pytest.fixture(scope="module")
def partitioned(chromium: Browser) -> Iterator[Browser]:
    """A Chromium that keeps cookies of other sites only by the page around them (CHIPS)."""
    arguments = [*CHROMIUM_ARGUMENTS, "--test-third-party-cookie-phaseout"]
    browser = chromium.browser_type.launch(executable_path=executable(), args=arguments)
    yield browser
    browser.close()


@contextmanager
def refusal_of(
    chromium: Browser, folder: Path, pattern: str, **options: Any
) -> Iterator[BrowserContext]:
    """A Chromium whose user has blocked the cookies of this pattern."""
    (folder / "Default").mkdir(parents=True)
    blocked = {"exceptions": {"cookies": {pattern: {"setting": 2}}}}
    preferences = {"profile": {"content_settings": blocked}}
    (folder / "Default" / "Preferences").write_text(json.dumps(preferences))
    context = chromium.browser_type.launch_persistent_context(
        str(folder), executable_path=executable(), args=CHROMIUM_ARGUMENTS, **options
    )
    yield context
    context.close()


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


def open_framed(tab: Page, school: School, link: str) -> None:
    tab.goto(f"{school.url}/launch/{link}?target=iframe")


def tool(tab: Page) -> Frame:
    """The frame in which the LMS shows the bridge and the test."""
    tab.locator("iframe.tool").wait_for()
    found = tab.locator("iframe.tool").element_handle().content_frame()
    assert found
    return found


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
    { subject: `${old}put_data`, frame: "_parent" }, { subject: `${old}get_data` } ] }),
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
    tab.route(
        "**/storage.js", lambda route: route.fulfill(body=OLD_LMS, content_type="text/javascript")
    )
    open_framed(tab, school, "around")
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
    expect(tool(tab).get_by_text(QUESTION)).to_be_visible(timeout=10_000)


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
    with refusal_of(chromium, folder, IN_FRAMES, java_script_enabled=False) as context:
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
    "an error": "said({error: {code: 'storage_exhaustion', message: 'full'}})",
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
    before = school.launches()
    form, origin = sent[-1]
    assert origin == (school.bridge if link == "around" else school.url)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    again = tab.context.request.post(f"{school.bridge}/lti/launch", data=form, headers=headers)
    assert again.status == 401
    assert "browser-state" in again.text()
    assert f'href="{school.url}/return' in again.text()
    assert school.launches() == before


@pytest.mark.spec("SECP-23")
def test_back_from_a_test_shows_no_other_test(tab: Page, school: School) -> None:
    tab.goto(f"{school.url}/launch/plain")
    expect(tab.get_by_text(QUESTION)).to_be_visible()
    before = school.launches()
    tab.go_back()
    tab.wait_for_timeout(500)
    expect(tab.get_by_text(QUESTION)).to_have_count(0)
    assert school.launches() == before
