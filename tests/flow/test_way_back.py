"""The page for a student who comes back from a provider."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.scene import Scene, refusal, way_back
from tests.flow.world import HTTP


def return_url(scene: Scene, **changes: str | None) -> str:
    return scene.open(scene.campus, **changes).form["launch_presentation_return_url"]


def come_back(url: str, method: str, said: dict[str, str]) -> Page:
    if method == "POST":
        return Browser().post(url, said)
    return Browser().get(f"{url}?{urlencode(said)}")


@pytest.mark.spec("P11L-12", "T11L-10", "SECP-08", "BR-19")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_messages_are_shown_escaped_and_logs_only_logged(scene: Scene, method: str) -> None:
    said = {
        "lti_msg": "<b>bold</b>",
        "lti_errormsg": "<script>alert(1)</script>",
        "lti_log": "<i>log-line</i>",
        "lti_errorlog": "error-line\n2026 ERROR forged",
    }
    lms = "https://lms.example.edu/back?a=b%26c&x#f"
    url = return_url(scene, launch_presentation_return_url=lms)
    before = len(scene.world.bridge.log())
    page = come_back(url, method, said)
    assert page.status == 200
    for text in ("<b>", "<script>", "log-line", "error-line"):
        assert text not in page.text
    assert "&lt;b&gt;bold&lt;/b&gt;" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    log = scene.world.bridge.log()[before:]
    assert "log-line" in log
    assert "error-line" in log
    assert not [line for line in log.splitlines() if line.startswith("2026 ERROR forged")]
    back = way_back(page)
    assert back["a"] == ["b&c"]
    assert back["lti_msg"] == ["<b>bold</b>"]
    assert back["lti_errormsg"] == ["<script>alert(1)</script>"]
    assert "#f" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors 'self' https://lms.example.edu")


@pytest.mark.spec("T11L-10")
def test_long_messages_are_cut(scene: Scene) -> None:
    page = come_back(return_url(scene), "POST", {"lti_errormsg": "m" * 9000})
    assert way_back(page)["lti_errormsg"] == ["m" * 254 + "…"]
    assert "m" * 255 not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("said", [{}, {"lti_msg": "Well done"}, {"lti_log": "written"}])
def test_a_plain_return_tells_the_lms_nothing(
    scene: Scene, method: str, said: dict[str, str]
) -> None:
    page = come_back(return_url(scene), method, said)
    assert way_back(page) == {"course": ["1"]}
    assert said.get("lti_msg", "") in page.text


def test_what_a_test_says_by_its_terms_is_no_error(scene: Scene) -> None:
    """An LMS that is told something may stop there: the student has read it already."""
    used_up = {"user_id": "terms", "custom_activity": "once", "resource_link_id": "terms"}
    scene.campus.launch(**used_up)
    scene.write(
        "UPDATE attempts SET state = 'graded', is_open = 0 WHERE learner_id IN"
        " (SELECT id FROM learners WHERE user_id = 'terms')"
    )
    page = scene.campus.launch(**used_up)
    assert refusal(page)[0] == "no-attempts-left"
    assert way_back(page) == {"course": ["1"]}


def test_out_of_a_frame_the_way_back_is_the_window_that_it_came_from(scene: Scene) -> None:
    """An LMS's way out of a frame shows nothing where there is none (Moodle, return.php)."""
    url = return_url(scene, launch_presentation_document_target="iframe")
    for dest, leads in (("document", False), ("iframe", True), ("", True)):
        headers = {"Sec-Fetch-Dest": dest} if dest else {}
        page = HTTP.request("GET", url, headers=headers).data.decode()
        assert ("Back to your course" in page) == leads, dest
        assert ("Your course is open in the window" in page) != leads
    opened = return_url(scene, launch_presentation_document_target="window")
    page = HTTP.request("GET", opened, headers={"Sec-Fetch-Dest": "document"}).data.decode()
    assert "Back to your course" in page


@pytest.mark.parametrize("size", [400, 3000])
def test_a_long_message_of_any_script_is_shown(scene: Scene, size: int) -> None:
    """Percent-encoded, the longer one makes an address that no server takes."""
    browser, url = Browser(), return_url(scene)
    page = browser.post(url, {"lti_msg": "試" * size, "lti_log": "験" * size})
    assert page.status == 200, page.status
    assert "試" * 80 in page.text
    assert way_back(page) == {"course": ["1"]}
    assert ("?" in page.url) == (size == 400)  # F5 reads what an address can hold


@pytest.mark.spec("P11L-12")
@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)"])
def test_without_an_address_there_is_a_page_without_a_link(scene: Scene, url: str | None) -> None:
    page = Browser().get(return_url(scene, launch_presentation_return_url=url))
    assert page.status == 200
    assert "Back to your course" not in page.text
    assert "javascript" not in page.text


@pytest.mark.parametrize("handle", ["", "no-such-handle", "a" * 3000, "%00", "..%2f..", "é"])
def test_unknown_handles_are_refused(scene: Scene, handle: str) -> None:
    page = Browser().get(f"{scene.world.bridge.url}/platform/return/{handle}?lti_msg=hello")
    assert 400 <= page.status < 500
    assert refusal(page)[0] in ("page-expired", "not-found", "bad-request")
    assert "hello" not in page.text
