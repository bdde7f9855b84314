"""What a real browser does with the pages: what it submits, follows and shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from flask import Response, redirect, request
from oauthlib.common import Request
from oauthlib.oauth1.rfc5849.signature import collect_parameters, verify_hmac_sha1
from playwright.sync_api import Browser, expect

from lti_bridge.core.launch.handoff import Form
from lti_bridge.errors import PageExpired
from lti_bridge.lti.oauth1 import sign_form
from lti_bridge.web.rendering import Pages
from lti_bridge.web.views import InstructorView, PreviewForm

if TYPE_CHECKING:
    from tests.web.conftest import Site

    MakeSite = Callable[[], Site]

pytestmark = pytest.mark.browser

SECRET = "the-shared-secret"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
AWKWARD = (
    ("context_title", "\"><script>alert(1)</script>'&amp;"),
    ("lis_person_name_full", "Jörg Müller-Żółć 试 🎓"),
    ("custom_plus", "a+b&c=d %2B;~*"),
    ("custom_lines", "\nfirst\r\rlast\r\n"),
    ("custom_spaces", "  \ttwo  "),
    ("custom_empty", ""),
    ("custom_twice", "1"),
    ("custom_twice", "0"),
    ("submit", "Launch"),
    ("action", "x"),
    ("custom_controls", "a\x01b\x0cc\x7f\x85\u2028"),
)


def receive(site: Site, answer: Callable[[], Response]) -> list[tuple[dict[str, str], bytes]]:
    """Let a site take POSTs at /launch; returns the growing list of (headers, body)."""
    received: list[tuple[dict[str, str], bytes]] = []

    @site.app.post("/launch")
    def launch() -> Response:
        received.append((dict(request.headers), request.get_data()))
        return answer()

    return received


def show(site: Site, make: Callable[[], Response]) -> str:
    site.app.add_url_rule("/page", "page", make)
    return f"{site.origin}/page"


def done() -> Response:
    return Response("<h1>Test</h1>", mimetype="text/html")


def sign(url: str, fields: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    signed = sign_form(url, fields, "key", SECRET, nonce="n", timestamp=int(time.time()))
    return tuple(signed)


def verify(url: str, body: bytes) -> bool:
    arrived = Request(url, "POST", body.decode(), FORM_TYPE)
    arrived.params = collect_parameters(body=arrived.decoded_body)
    arrived.signature = dict(arrived.decoded_body)["oauth_signature"]
    return verify_hmac_sha1(arrived, client_secret=SECRET)


@pytest.mark.spec("P11L-15")
@pytest.mark.parametrize("script", [True, False], ids=["script", "button"])
def test_a_signed_form_arrives_as_it_was_signed(
    chromium: Browser, pages: Pages, site: MakeSite, script: bool
) -> None:
    bridge, tool = site(), site()
    received = receive(tool, done)
    url = f"{tool.origin}/launch"
    fields = sign(url, AWKWARD)
    page = show(bridge, lambda: pages.handoff(Form(url, fields)))
    with chromium.new_context(java_script_enabled=script) as context:
        tab = context.new_page()
        tab.goto(page, wait_until="commit")
        if not script:
            expect(tab.get_by_text("Opening your test")).to_be_hidden()
            assert SECRET not in tab.content()
            tab.get_by_role("button", name="Open your test").click()
        tab.wait_for_url(url)
    [(headers, body)] = received
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Referer" not in headers
    assert parse_qsl(body.decode(), keep_blank_values=True, errors="strict") == list(fields)
    assert verify(url, body)


@pytest.mark.parametrize(
    ("onward", "arrives"), [(None, True), ((), False), (("app",), True)], ids=str
)
def test_a_tool_that_redirects_to_another_of_its_hosts(
    chromium: Browser,
    pages: Pages,
    site: MakeSite,
    onward: tuple[str, ...] | None,
    arrives: bool,
) -> None:
    bridge, tool, app = site(), site(), site()
    receive(tool, lambda: redirect(f"{app.origin}/test"))
    app.app.add_url_rule("/test", "test", done)
    targets = (app.origin,) if onward else onward
    form = Form(f"{tool.origin}/launch", ())
    page = show(bridge, lambda: pages.handoff(form, onward=targets))
    with chromium.new_context() as context:
        tab = context.new_page()
        if arrives:
            tab.goto(page, wait_until="commit")
            tab.wait_for_url(f"{app.origin}/test")
        else:
            # Should Chromium stop to apply form-action to redirects, `onward` can go.
            with tab.expect_console_message(lambda message: "form-action" in message.text):
                tab.goto(page, wait_until="commit")
            assert tab.url == page


def test_no_second_press_while_the_test_opens(
    chromium: Browser, pages: Pages, site: MakeSite
) -> None:
    bridge, tool = site(), site()
    # After an answer without a page, the browser stays where it is, as with a slow tool.
    received = receive(tool, lambda: Response(status=204))
    page = show(bridge, lambda: pages.handoff(Form(f"{tool.origin}/launch", ())))
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.clock.install()
        with tab.expect_response(f"{tool.origin}/launch"):
            tab.goto(page, wait_until="commit")
        button = tab.get_by_role("button")
        expect(tab.get_by_text("Opening your test…")).to_be_visible()
        expect(button).to_be_hidden()
        tab.clock.fast_forward(20_000)
        expect(tab.get_by_text("This takes longer than usual.")).to_be_visible()
        expect(tab.get_by_text("Opening your test…")).to_be_hidden()
        expect(button).to_be_visible()
        with tab.expect_response(f"{tool.origin}/launch"):
            button.click()
        assert len(received) == 2


def test_a_page_that_the_browser_kept_offers_no_second_launch(
    chromium: Browser, pages: Pages, site: MakeSite
) -> None:
    bridge, tool = site(), site()
    receive(tool, lambda: Response(status=204))
    page = show(bridge, lambda: pages.handoff(Form(f"{tool.origin}/launch", ())))
    with chromium.new_context() as context:
        tab = context.new_page()
        with tab.expect_response(f"{tool.origin}/launch"):
            tab.goto(page, wait_until="commit")
        tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        expect(tab.get_by_text("This page was already used.")).to_be_visible()
        expect(tab.get_by_role("button")).to_be_hidden()


def test_going_back_does_not_repeat_the_signed_form(
    chromium: Browser, pages: Pages, site: MakeSite
) -> None:
    bridge, tool = site(), site()
    received = receive(tool, done)
    url = f"{tool.origin}/launch"
    nonces = count()
    page = show(bridge, lambda: pages.handoff(Form(url, (("nonce", str(next(nonces))),))))
    # By the button: a form that submits itself leaves no entry in the history to go back to.
    with chromium.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(page)
        tab.get_by_role("button").click()
        tab.wait_for_url(url)
        tab.go_back()
        tab.get_by_role("button").click()
        tab.wait_for_url(url)
    assert [body for _, body in received] == [b"nonce=0", b"nonce=1"]


def test_only_the_lms_may_frame_a_page(chromium: Browser, pages: Pages, site: MakeSite) -> None:
    bridge, lms, other = site(), site(), site()
    error = PageExpired()
    page = show(bridge, lambda: pages.error(error, reference="R", frame_ancestors=(lms.origin,)))
    for outer, visible in ((lms, True), (other, False)):
        frame = Response(f'<iframe src="{page}"></iframe>', mimetype="text/html")
        outer.app.add_url_rule("/frame", "frame", lambda frame=frame: frame)
        with chromium.new_context() as context:
            tab = context.new_page()
            tab.goto(f"{outer.origin}/frame")
            shown = tab.frame_locator("iframe").get_by_role("heading", name=error.sentence)
            expect(shown).to_have_count(int(visible))


def test_a_preview_comes_with_its_origin(chromium: Browser, pages: Pages, site: MakeSite) -> None:
    bridge = site()
    received = receive(bridge, done)
    form = PreviewForm(f"{bridge.origin}/launch", (("csrf", "a+b"),))
    view = InstructorView("Excel", "excel-2019", "tosa", "isograd", preview=form)
    page = show(bridge, lambda: pages.instructor(view))
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.goto(page)
        tab.get_by_role("button", name="Open the test as a preview").click()
        tab.wait_for_url(form.action)
    [(headers, body)] = received
    assert headers["Origin"] == bridge.origin
    assert body == b"csrf=a%2Bb"
