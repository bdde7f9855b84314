"""The same signed message twice at once, and pages of the bridge that are read again."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Campus, send
from tests.flow.scene import Scene, refusal, way_back
from tests.flow.test_lms13 import arrival

GRADED = (
    "UPDATE attempts SET state = 'graded', is_open = 0, given = '0.5', maximum = '1', scored_at = 1"
    " WHERE learner_id IN (SELECT id FROM learners WHERE user_id = :user)"
)
SELECTION = {
    "lti_message_type": "ContentItemSelectionRequest",
    "roles": "Instructor",
    "resource_link_id": None,
    "content_item_return_url": "https://lms.example.edu/take",
    "accept_media_types": "application/vnd.ims.lti.v1.ltilink",
    "accept_presentation_document_targets": "iframe,window",
    "accept_multiple": "true",
}


def twice(
    campus: Campus, browser: Browser, other: Browser, between: Callable[[], None], **changes: object
) -> tuple[Page, Page]:
    """What answers the very same form, sent by a browser and then by a browser."""
    fields = campus.signed(campus.fields(**changes))  # type: ignore[arg-type]
    first = browser.post(campus.url, fields)
    between()
    return first, other.post(campus.url, fields)


def nothing() -> None:
    """Nothing happens between two clicks."""


@pytest.mark.spec("SECP-17", "OA1-19")
def test_a_double_click_goes_on_with_what_it_began(scene: Scene) -> None:
    browser, before = Browser(), scene.count("attempts")
    first, again = twice(scene.campus, browser, browser, nothing, user_id="double")
    assert (first.status, again.status) == (200, 200)
    names = ("lis_result_sourcedid", "user_id", "resource_link_id")
    one, two = (dict(page.form().fields) for page in (first, again))
    assert [one[name] for name in names] == [two[name] for name in names]
    assert scene.count("attempts") == before + 1
    # a browser that the bridge knows needs no first answer: it may have been lost
    fields = scene.campus.signed(scene.campus.fields(user_id="double"))
    known = Browser()
    known.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
    assert [one.post(scene.campus.url, fields).status for one in (browser, known)] == [200, 200]


@pytest.mark.spec("SECP-47", "SECP-17")
@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "captured"},
        {"user_id": "captured-once", "custom_activity": "once"},
        {"user_id": "captured-tess", "roles": "Instructor"},
        SELECTION,
    ],
)
def test_a_captured_form_opens_nothing_elsewhere(scene: Scene, changes: dict[str, object]) -> None:
    first, stolen = twice(scene.campus, Browser(), Browser(), nothing, **changes)
    assert first.status == 200
    assert (stolen.status, refusal(stolen)[0]) == (401, "opened-already")
    assert "look whether the test is open in another tab" in stolen.text
    assert way_back(stolen)["lti_errormsg"] == ["This click has been opened already."]


def test_after_ten_seconds_nobody_goes_on(scene: Scene) -> None:
    browser = Browser()

    def later() -> None:
        scene.write("UPDATE used_once SET used_at = used_at - 11000")

    first, again = twice(scene.campus, browser, browser, later, user_id="slow")
    assert first.status == 200
    assert (again.status, refusal(again)[0]) == (401, "opened-already")


def test_another_message_with_the_nonce_is_no_second_click(scene: Scene) -> None:
    browser, nonce = Browser(), "the-nonce-of-another-message"
    for user, status in (("nonce-one", 200), ("nonce-two", 401)):
        fields = scene.campus.signed(scene.campus.fields(user_id=user, oauth_nonce=nonce))
        page = browser.post(scene.campus.url, fields)
        assert page.status == status
    assert refusal(page)[0] == "signature"
    assert scene.attempts("nonce-two") == []


@pytest.mark.parametrize("value", ["", "x", "x" * 5000, "ä", "a" * 22])
def test_a_cookie_that_we_did_not_give_is_nobody_s(scene: Scene, value: str) -> None:
    mine, theirs = Browser(), Browser()
    theirs.cookies = {"127.0.0.1": {"__Host-lti-browser": value.encode().decode("latin-1")}}
    first, stolen = twice(scene.campus, mine, theirs, nothing, user_id=f"forged {len(value)}")
    assert first.status == 200
    assert stolen.status == 401


def test_an_id_token_that_comes_twice_goes_on(scene: Scene) -> None:
    browser = Browser()
    form = arrival(scene, browser).form()
    first, again = (browser.post(form.action, form.fields) for _ in range(2))
    assert (first.status, again.status) == (200, 200)
    assert dict(first.form().fields)["lis_result_sourcedid"] in again.text
    scene.write("UPDATE used_once SET used_at = used_at - 11000")
    late = browser.post(form.action, form.fields)
    assert (late.status, refusal(late)[0]) == (401, "opened-already")


def known(scene: Scene) -> Browser:
    """A browser that has been here before."""
    browser = Browser()
    browser.post(scene.campus.url, scene.campus.signed(scene.campus.fields(user_id="known")))
    return browser


PAGES: dict[str, dict[str, object]] = {
    "the instructor's page": {"roles": "Instructor", "user_id": "tess"},
    "a note": {"roles": "Mentor", "user_id": "mia"},
    "setting up": {"roles": "Instructor", "user_id": "tess", "custom_activity": None,
                   "resource_link_id": "no-activity-yet"},
    "choosing": SELECTION,
}  # fmt: skip


@pytest.mark.parametrize("what", list(PAGES))
def test_a_page_has_an_address_for_its_browser_alone(scene: Scene, what: str) -> None:
    browser = known(scene)
    fields = scene.campus.signed(scene.campus.fields(**PAGES[what]))  # type: ignore[arg-type]
    page = browser.post(scene.campus.url, fields)
    assert page.status == 200, page.text
    assert "/course/page/" in page.url
    tokens = {value for form in page.forms() for name, value in form.fields if name == "token"}
    assert not any(token in page.url for token in tokens)
    again = browser.get(page.url)
    assert again.status == 200
    assert again.text.count("<form") == page.text.count("<form")
    stranger = Browser().get(page.url)
    assert (stranger.status, refusal(stranger)[0]) == (403, "page-expired")
    other = known(scene).get(page.url)
    assert (other.status, refusal(other)[0]) == (403, "page-expired")


def asked(scene: Scene, user: str, browser: Browser) -> Page:
    """A page that asks before the second attempt."""
    fields = {"user_id": user, "custom_activity": "thrice"}
    for _ in range(2):
        page = browser.post(scene.campus.url, scene.campus.signed(scene.campus.fields(**fields)))
        scene.write(GRADED, user=user)
    assert page.asks
    return page


@pytest.mark.parametrize("with_cookie", [False, True])
def test_a_page_s_token_counts_in_its_browser_alone(scene: Scene, with_cookie: bool) -> None:
    browser, user = Browser(), f"captured-page-{with_cookie}"
    page = asked(scene, user, browser)
    stranger = known(scene) if with_cookie else Browser()
    tokens = [dict(page.form().fields)["token"], page.url.rpartition("/")[2] + "."]
    for token in tokens:
        for fields in ({"number": "2"}, {}):
            sent = {"token": token, **fields}
            stolen = stranger.post(f"{scene.world.bridge.url}/course/go-on", sent)
            assert (stolen.status, refusal(stolen)[0]) == (403, "page-expired")
            assert bool(way_back(stolen)) == (token == tokens[0])
    assert [number for number, _ in scene.attempts(user)] == [1]
    assert browser.submit(page).status == 200
    assert [number for number, _ in scene.attempts(user)] == [1, 2]


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        ("cross-site", "https://evil.example.org", 403),
        ("same-site", "https://other.example.edu", 403),
        ("cross-site", "null", 200),  # our own page, where an LMS sandboxes its frame
        ("same-origin", "null", 200),
    ],
)
def test_no_page_of_another_site_uses_the_token(
    scene: Scene, site: str, origin: str, status: int
) -> None:
    browser, user = Browser(), f"sent-{site}-{origin[:5]}"
    page = asked(scene, user, browser)
    cookies = browser.cookies["127.0.0.1"]
    headers = {"Sec-Fetch-Site": site, "Origin": origin, "Sec-Fetch-Dest": "document"}
    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    sent = send(f"{scene.world.bridge.url}/course/go-on", page.form().fields, headers)
    assert sent.status == status
    assert len(scene.attempts(user)) == (2 if status == 200 else 1)


@pytest.mark.parametrize("path", ["go-on", "place", "people"])
def test_a_teacher_s_page_counts_in_its_browser_alone(scene: Scene, path: str) -> None:
    browser, who = known(scene), {"roles": "Instructor", "user_id": "tess"}
    fields = scene.campus.signed(scene.campus.fields(**who))
    page = browser.post(scene.campus.url, fields)
    form = {"token": dict(page.form().fields)["token"], "do": "edit"}
    url, before = f"{scene.world.bridge.url}/course/{path}", scene.count("launches")
    stolen = known(scene).post(url, form)
    assert (stolen.status, refusal(stolen)[0], bool(way_back(stolen))) == (
        403,
        "page-expired",
        True,
    )
    assert scene.count("launches") == before + 1  # by which the other browser became known
    if path != "place":  # whose form names an activity of the configuration
        assert browser.post(url, form).status == 200


def test_where_no_cookie_is_kept_whoever_was_shown_the_page_goes_on(scene: Scene) -> None:
    user = "no-cookie-at-all"
    fields = {"user_id": user, "custom_activity": "thrice"}
    assert scene.campus.launch(**fields).status == 200
    scene.write(GRADED, user=user)
    page = scene.campus.launch(**fields)  # answered at once, as in a frame that keeps nothing
    assert page.asks
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "null", "Sec-Fetch-Dest": "iframe"}
    url = f"{scene.world.bridge.url}/course/go-on"
    assert send(url, page.form().fields, headers).status == 200
    assert [number for number, _ in scene.attempts(user)] == [1, 2]


def test_steps_of_setting_up_are_pages_too(scene: Scene) -> None:
    browser = known(scene)
    fields = scene.campus.signed(scene.campus.fields(**SELECTION))  # type: ignore[arg-type]
    page = browser.post(scene.campus.url, fields)
    token = dict(page.form().fields)["token"]
    url = f"{scene.world.bridge.url}/course/place"
    form = browser.post(url, {"token": token, "do": "form", "way": "0 plain"})
    before = scene.count("activities")
    saved = browser.submit(form, do="save", title="Read again")
    assert "/course/page/" in saved.url
    for _ in range(2):
        saved = browser.get(saved.url)
        assert "Read again" in saved.text
    assert browser.get(form.url).status == 200  # Back
    assert scene.count("activities") == before + 1


def test_the_way_back_from_a_provider_is_read_again(scene: Scene) -> None:
    arrived = scene.open(scene.campus, user_id="returns")
    browser = Browser()
    url = arrived.form["launch_presentation_return_url"]
    page = browser.post(url, {"lti_msg": "All done", "other": "x"})
    assert (page.status, page.url) == (200, f"{url}?{urlencode({'lti_msg': 'All done'})}")
    assert "All done" in browser.get(page.url).text
