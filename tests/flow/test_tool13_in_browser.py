"""LTI 1.3 tools in a real browser: in frames of other sites, and browser messages."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Frame, Page, expect

from lti_bridge.sandbox import serving
from tests.flow.campus11 import Campus
from tests.flow.tools13 import Tools13, running_tools13

pytestmark = pytest.mark.browser

# What a tool does: ask its platform and wait for the answer, or for nothing.
ASK = """
([message, asText, patience]) => new Promise((resolve) => {
  const timer = setTimeout(() => resolve(null), patience);
  addEventListener("message", (event) => {
    clearTimeout(timer);
    resolve({ data: event.data, origin: event.origin });
  }, { once: true });
  parent.postMessage(asText ? JSON.stringify(message) : message, "*");
})
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools13]:
    folder = tmp_path_factory.mktemp("tools13")
    with running_tools13(folder, f"sqlite:///{folder}/bridge.sqlite3") as made:
        yield made


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        yield context.new_page()


def course(tools: Tools13, activity: str, sandbox: str = "") -> serving.Running:
    """A course page of another site (localhost) that shows the bridge in a frame."""
    campus = Campus(f"{tools.world.bridge.url}/lti/launch", "campus-key", "campus-secret-äöü&x")

    def make_app(base_url: str) -> Flask:
        app = Flask("course")

        @app.get("/")
        def page() -> str:
            back = base_url.replace("127.0.0.1", "localhost")
            changes = {"custom_activity": activity, "launch_presentation_return_url": back}
            fields = campus.signed(campus.fields(**changes))
            inputs = "".join(
                f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
                for name, value in fields
            )
            return (
                f'<iframe name="test" width=900 height=700 {sandbox}></iframe>'
                f'<form method="post" action="{campus.url}" target="test">{inputs}</form>'
                "<script>document.forms[0].submit()</script>"
            )

        return app

    return serving.start(make_app)


def show(tab: Page, running: serving.Running) -> None:
    tab.goto(running.url.replace("127.0.0.1", "localhost"))


def frame_at(tab: Page, url: str) -> Frame:
    """The frame that has come to this address."""
    for _ in range(600):
        for frame in tab.frames:
            if frame.url.startswith(url):
                frame.wait_for_load_state()
                return frame
        tab.wait_for_timeout(100)
    raise AssertionError([frame.url for frame in tab.frames])


def ask(frame: Frame, as_text: bool = False, patience_ms: int = 30_000, **message: Any) -> Any:
    """What the platform answers to a message from this frame; None when nothing comes."""
    return frame.evaluate(ASK, [message, as_text, patience_ms])


@pytest.fixture(scope="module")
def framed_course(tools: Tools13) -> Iterator[serving.Running]:
    running = course(tools, "framed")
    yield running
    running.stop()


@pytest.fixture
def tool(tab: Page, tools: Tools13, framed_course: serving.Running) -> Frame:
    """The tool in the frame of a bridge page in a frame of a course."""
    show(tab, framed_course)
    return frame_at(tab, f"{tools.framed.url}/take/")


@pytest.mark.spec("P13AZ-13")
def test_a_quiz_opens_in_a_frame_of_another_site(tab: Page, tools: Tools13) -> None:
    running = course(tools, "quiz")
    show(tab, running)
    frame = frame_at(tab, f"{tools.tool.url}/take/")
    running.stop()
    expect(frame.get_by_role("heading", name="Tea quiz")).to_be_visible()


@pytest.mark.spec("P13AZ-13", "SECP-33")
@pytest.mark.parametrize("activity", ["quiz", "framed"])
def test_where_cookies_are_refused_a_window_of_its_own_opens(
    tab: Page, tools: Tools13, activity: str
) -> None:
    allowed = "allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox"
    running = course(tools, activity, f'sandbox="{allowed}"')
    show(tab, running)
    frame = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    expect(frame.get_by_text("needs a window of its own")).to_be_visible()
    with tab.context.expect_page() as opened:
        frame.get_by_role("button", name="Open your test in a new window").click()
    window = opened.value
    tool = tools.tool if activity == "quiz" else tools.framed
    found = frame_at(window, f"{tool.url}/take/")
    running.stop()
    expect(found.get_by_role("heading", name="Tea quiz")).to_be_visible()
    assert window.evaluate("opener") is None
    assert not [one for one in tab.frames if one.url.startswith(tool.url)]


def test_without_a_script_the_button_opens_a_window(chromium: Browser, tools: Tools13) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        campus = course(tools, "quiz")
        show(tab, campus)
        tab.evaluate("document.forms[0].submit()")
        frame = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
        with context.expect_page() as opened:
            frame.get_by_role("button", name="Open your test in a new window").click()
        window = opened.value
        window.get_by_role("button", name="Open your test").click()
        window.get_by_role("button", name="Open your test").click()
        campus.stop()
        expect(window.get_by_role("heading", name="Tea quiz")).to_be_visible()


@pytest.mark.spec("P13PM-01", "P13PM-03")
def test_the_page_says_what_it_answers(tool: Frame, tools: Tools13) -> None:
    said = ask(tool, subject="lti.capabilities", message_id="1")
    assert said["origin"] == tools.world.bridge.url
    data = said["data"]
    assert data["subject"] == "lti.capabilities.response"
    assert data["message_id"] == "1"
    subjects = {one["subject"] for one in data["supported_messages"]}
    assert {"lti.capabilities", "lti.put_data", "lti.get_data", "lti.frameResize"} <= subjects


@pytest.mark.spec("P13PM-02", "P13PM-03")
def test_data_is_kept_for_the_tool(tool: Frame) -> None:
    put = ask(tool, subject="lti.put_data", message_id="a", key="state", value="s-1")["data"]
    assert put == {
        "subject": "lti.put_data.response",
        "message_id": "a",
        "key": "state",
        "value": "s-1",
    }
    got = ask(tool, subject="lti.get_data", message_id="b", key="state")["data"]
    assert got == {
        "subject": "lti.get_data.response",
        "message_id": "b",
        "key": "state",
        "value": "s-1",
    }
    ask(tool, subject="lti.put_data", message_id="c", key="state", value=None)
    assert ask(tool, subject="lti.get_data", message_id="d", key="state")["data"]["value"] is None


@pytest.mark.spec("P13PM-02")
def test_data_is_forgotten_after_an_hour(
    tab: Page, tools: Tools13, framed_course: serving.Running
) -> None:
    show(tab, framed_course)
    tool = frame_at(tab, f"{tools.framed.url}/take/")
    page = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    ask(tool, subject="lti.put_data", message_id="a", key="k", value="v")
    hour = "() => { const now = Date.now; Date.now = () => now() + 3600 * 1000; }"
    page.evaluate(hour)
    assert ask(tool, subject="lti.get_data", message_id="b", key="k")["data"]["value"] is None


@pytest.mark.spec("P13PM-04", "P13PM-07")
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"subject": "lti.put_data", "message_id": "1"}, "bad_request"),
        ({"subject": "lti.put_data", "message_id": "1", "key": "k", "value": 5}, "bad_request"),
        ({"subject": "lti.get_data", "message_id": "1", "key": 7}, "bad_request"),
        ({"subject": "lti.get_data", "key": "k"}, "bad_request"),
        ({"subject": "lti.frameResize", "message_id": "1", "height": "tall"}, "bad_request"),
        ({"subject": "lti.scrollToTop", "message_id": "1"}, "unsupported_subject"),
        ({"subject": "lti.pageRefresh", "message_id": "1"}, "unsupported_subject"),
        ({"subject": "lti.fetchWindowSize", "message_id": "1"}, "unsupported_subject"),
        ({"subject": "lti.constructor", "message_id": "1"}, "unsupported_subject"),
        (
            {"subject": "lti.put_data", "message_id": "1", "key": "k", "value": "x" * 5000},
            "storage_exhaustion",
        ),
    ],
)
def test_errors_have_a_code(tool: Frame, message: dict[str, Any], code: str) -> None:
    data = ask(tool, **message)["data"]
    assert data["subject"] == f"{message['subject']}.response"
    assert data["error"]["code"] == code
    assert data["error"]["message"]


@pytest.mark.spec("P13PM-05", "SECP-31")
def test_messages_from_elsewhere_are_ignored(tab: Page, tool: Frame, tools: Tools13) -> None:
    assert ask(tool, subject="lti.put_data", message_id="1", key="k", value="secret")
    page = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    # the course above, by the window of the bridge's page
    listen = "() => { window.heard = []; addEventListener('message', (e) => heard.push(e.data)); }"
    tab.evaluate(listen)
    tab.evaluate(
        "() => frames[0].postMessage({subject: 'lti.get_data', message_id: '1', key: 'k'}, '*')"
    )
    # the page itself, which is not its own frame
    page.evaluate(listen)
    page.evaluate("() => postMessage({subject: 'lti.capabilities', message_id: '1'}, '*')")
    page.wait_for_function("heard.length")
    tab.wait_for_timeout(300)
    assert tab.evaluate("heard") == []
    assert [one["subject"] for one in page.evaluate("heard")] == ["lti.capabilities"]
    # another window of the tool's own site
    tab.evaluate(
        "url => { const other = document.createElement('iframe'); other.src = url;"
        " document.body.append(other); }",
        f"{tools.framed.url}/jwks",
    )
    twin = frame_at(tab, f"{tools.framed.url}/jwks")
    twin.evaluate(listen)
    twin.evaluate(
        "() => parent.frames[0].postMessage("
        "{subject: 'lti.get_data', message_id: '1', key: 'k'}, '*')"
    )
    tab.wait_for_timeout(300)
    assert twin.evaluate("heard") == []
    # the tool's frame, gone to a site that is not registered
    tool.evaluate(f"location.href = '{tools.tool.url}/jwks'")
    stranger = frame_at(tab, f"{tools.tool.url}/jwks")
    assert ask(stranger, subject="lti.get_data", message_id="1", key="k", patience_ms=500) is None


@pytest.mark.spec("P13PM-06")
@pytest.mark.parametrize(
    ("height", "as_text", "pixels"),
    [
        (640, False, 640),
        (700, True, 700),
        (1, False, 150),
        (10**9, False, 10000),
        ("420", True, 420),
    ],
)
def test_the_tool_sets_its_height(
    tab: Page, tool: Frame, tools: Tools13, height: object, as_text: bool, pixels: int
) -> None:
    ask(tool, as_text, subject="lti.frameResize", height=height)
    page = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    assert page.locator("#tool").evaluate("frame => frame.style.height") == f"{pixels}px"


@pytest.mark.spec("P13PM-08")
def test_the_course_is_told_the_height_of_our_page_and_nothing_else(
    tab: Page, tool: Frame, tools: Tools13
) -> None:
    tab.evaluate("() => { window.heard = []; addEventListener('message', (e) => heard.push(e)); }")
    for height in (2000, "700; top: 0", 10**9):
        ask(tool, subject="lti.frameResize", height=height)
    ask(tool, subject="lti.put_data", message_id="1", key="k", value="secret")
    for subject in ("lti.scrollToTop", "lti.pageRefresh", "org.imsglobal.lti.close", "other"):
        tool.evaluate("subject => parent.postMessage({ subject, data: 'secret' }, '*')", subject)
    ask(tool, subject="lti.frameResize", height=500)
    tab.wait_for_function("heard.length >= 3")
    heard = tab.evaluate("heard.map(({ data, origin }) => [origin, data])")
    page = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    assert [(origin, set(data)) for origin, data in heard] == [
        (tools.world.bridge.url, {"subject", "height"})
    ] * 3
    assert {data["subject"] for _, data in heard} == {"lti.frameResize"}
    tall, tallest, now = (data["height"] for _, data in heard)
    assert 2000 <= tall < 2500
    assert 10000 <= tallest < 10500
    assert now == page.evaluate("document.documentElement.scrollHeight")


@pytest.mark.spec("P13PM-07")
def test_the_tool_closes_itself_and_leads_nowhere(tab: Page, tool: Frame, tools: Tools13) -> None:
    page = frame_at(tab, f"{tools.world.bridge.url}/lti/launch")
    tool.evaluate("parent.postMessage({subject: 'lti.close', url: 'https://evil.invalid/'}, '*')")
    expect(page.get_by_text("Your test is closed")).to_be_visible()
    expect(page.locator("iframe")).to_have_count(0)
    assert page.url == f"{tools.world.bridge.url}/lti/launch"
