"""The end of a dynamic registration, in a real browser: the LMS is told to close its frame."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Route

from lti_bridge.web.rendering import Pages

LMS = """<!doctype html><script>
  window.told = [];
  addEventListener("message", (event) => told.push([event.origin, event.data.subject]));
</script><iframe src="http://bridge.test/lti/register"></iframe>"""


@pytest.mark.spec("T13DR-06")
@pytest.mark.browser
def test_the_lms_that_shows_the_page_in_a_frame_is_told_by_both_names(chromium: Browser) -> None:
    done = Pages().registered("campus", "https://<b>lms.example.edu", active=False)

    def answer(route: Route) -> None:
        if route.request.url.startswith("http://bridge.test/lti/"):
            headers = dict(done.headers)
            route.fulfill(status=200, headers=headers, body=done.get_data(as_text=True))
        elif route.request.url == "http://lms.test/":
            route.fulfill(status=200, content_type="text/html", body=LMS)
        else:
            route.fulfill(status=204)

    context = chromium.new_context()
    page = context.new_page()
    page.route("**/*", answer)
    page.goto("http://lms.test/")
    page.wait_for_function("told.length >= 2")
    subjects = ["org.imsglobal.lti.close", "lti.close"]
    assert page.evaluate("told") == [["http://bridge.test", one] for one in subjects]
    text = page.frames[1].inner_text("main")
    assert "registrations approve campus" in text
    assert "https://<b>lms.example.edu" in text
    context.close()
    assert "frame-ancestors" not in json.dumps(dict(done.headers))
