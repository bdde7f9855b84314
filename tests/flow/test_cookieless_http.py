"""Launches that no cookie proves, posted over HTTP: what is refused, and with which way on."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from urllib3 import BaseHTTPResponse

from tests.flow.browser import Browser
from tests.flow.scene import Scene

KEPT = "lti_bridge_kept"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
FRAMED = {"Sec-Fetch-Dest": "iframe"}
IN_FRAME = {"Sec_Fetch_Dest": "iframe"}
Fields = dict[str, str]


def post(url: str, fields: Fields, **headers: str) -> BaseHTTPResponse:
    """One request without any cookie; headers are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = urlencode(fields)
    return Browser().pool.request("POST", url, body=body, headers=FORM_TYPE | named, redirect=False)


def login(scene: Scene, mark: str = "", storage: str = "", **headers: str) -> BaseHTTPResponse:
    start = scene.world.control(scene.second, "launch", link="best13", user="student1")
    fields = start["fields"] | ({"lti_storage_target": storage} if storage else {})
    return post(start["login_url"] + mark, fields, **headers)


def data(page: str, name: str) -> str:
    found = re.search(rf'data-{name}="([^"]*)"', page)
    assert found, page
    return html.unescape(found[1])


def stored(scene: Scene) -> tuple[Fields, str]:
    """What the LMS posts after a login in a frame without cookies, and the proof it keeps."""
    page = login(scene, "?lti_bridge=tried", "_parent", Sec_Fetch_Dest="iframe").data.decode()
    browser = Browser()
    browser.get(f"{scene.second.url}/as/student1")
    form = browser.get(data(page, "onward")).form()
    return dict(form.fields), data(page, "value")


def launch(scene: Scene, fields: Fields, **headers: str) -> BaseHTTPResponse:
    return post(f"{scene.world.bridge.url}/lti/launch", fields, **headers)


def test_a_frame_is_asked_once_whether_it_keeps_a_cookie(scene: Scene) -> None:
    answer = login(scene, Sec_Fetch_Dest="iframe")
    assert answer.status == 307
    assert answer.headers["Location"] == f"{scene.world.bridge.url}/lti/login?lti_bridge=tried"
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-lti-kept=1; ")
    wanted = {"Secure", "HttpOnly", "SameSite=None", "Path=/", "Partitioned"}
    assert wanted <= {part.strip() for part in cookie.split(";")}
    kept = login(scene, Sec_Fetch_Dest="iframe", Cookie="__Host-lti-kept=1")
    assert kept.status == 302
    refused = login(scene, "?lti_bridge=tried", Sec_Fetch_Dest="iframe")
    assert refused.status == 200
    assert "lti_bridge=window" in refused.data.decode()


@pytest.mark.parametrize("mark", ["", "?lti_bridge=window"])
@pytest.mark.parametrize("dest", ["document", ""])
def test_other_logins_go_straight_to_the_lms(scene: Scene, mark: str, dest: str) -> None:
    assert login(scene, mark, **({"Sec_Fetch_Dest": dest} if dest else {})).status == 302
    assert login(scene, "?lti_bridge=window", "_parent", Sec_Fetch_Dest="iframe").status == 302


def test_a_login_by_get_is_asked_with_all_it_said(scene: Scene) -> None:
    start = scene.world.control(scene.second, "launch", link="best13", user="student1")
    query = urlencode(start["fields"])
    url = f"{start['login_url']}?{query}"
    answer = Browser().pool.request("GET", url, headers=FRAMED, redirect=False)
    assert answer.status == 307
    assert answer.headers["Location"] == f"{url}&lti_bridge=tried"


@pytest.mark.parametrize("mark", ["", "&lti_bridge=tried", "x&lti_bridge=tried"])
def test_no_address_leads_in_a_circle(scene: Scene, mark: str) -> None:
    answer = login(scene, f"?lti_bridge={mark}", Sec_Fetch_Dest="iframe")
    assert answer.status == 200
    assert "Open the test" in answer.data.decode()


@pytest.mark.parametrize("dest", ["object", "embed", "fencedframe"])
def test_whatever_shows_a_page_within_a_page_is_a_frame(scene: Scene, dest: str) -> None:
    assert login(scene, Sec_Fetch_Dest=dest).status == 307
    assert login(scene, "?lti_bridge=tried", Sec_Fetch_Dest=dest).status == 200


@pytest.mark.parametrize("mark", ["", "?lti_bridge=tried"])
def test_a_bad_login_is_refused_before_any_page(scene: Scene, mark: str) -> None:
    url = f"{scene.world.bridge.url}/lti/login{mark}"
    good = scene.world.control(scene.second, "launch", link="best13", user="student1")["fields"]
    for change in ({"iss": "https://evil.example.org"}, {"target_link_uri": "https://x.example/"}):
        assert post(url, good | change, Sec_Fetch_Dest="iframe").status == 400


@pytest.mark.parametrize("frame", ['"><script>alert(1)</script>', "__proto__", "top"])
def test_a_frame_s_name_is_only_text(scene: Scene, frame: str) -> None:
    page = login(scene, "?lti_bridge=tried", frame, Sec_Fetch_Dest="iframe").data.decode()
    assert data(page, "frame") == frame
    assert "<script>alert" not in page


@pytest.mark.spec("T13ST-09", "T13ST-07")
def test_without_cookie_and_storage_the_launch_gets_a_reason_and_a_button(scene: Scene) -> None:
    browser = Browser()
    browser.get(f"{scene.second.url}/as/student1")
    to_lms = login(scene).headers["Location"]
    fields = dict(browser.get(to_lms).form().fields)
    before = scene.count("used_once"), scene.count("launches")
    answer = launch(scene, fields)
    page = answer.data.decode()
    assert answer.status == 401
    assert "browser-state" in page
    assert "Open the test" in page
    assert 'target="_blank"' in page
    assert f'href="{scene.second.url}/return' in page
    assert (scene.count("used_once"), scene.count("launches")) == before
    (shown,) = re.findall(r'<dd class="copy">([0-9A-Z]{10})</dd>', page)
    assert "code=browser-state" in scene.log_of(shown)


@pytest.mark.spec("T13ST-09")
@pytest.mark.parametrize("told", [{"Sec_Fetch_Dest": "document"}, {}], ids=["new", "old browser"])
def test_a_window_without_cookies_gets_no_button_again(scene: Scene, told: Fields) -> None:
    browser = Browser()
    browser.get(f"{scene.second.url}/as/student1")
    to_lms = login(scene, "?lti_bridge=window", **told).headers["Location"]
    answer = launch(scene, dict(browser.get(to_lms).form().fields))
    assert answer.status == 401
    assert "Open the test" not in answer.data.decode()
    assert "allow cookies" in answer.data.decode()


def unconfirmed(scene: Scene, error: str, mark: str = "", **headers: str) -> BaseHTTPResponse:
    """The answer to an LMS that knows nobody in the frame in which this login began."""
    address = login(scene, mark, **headers)
    if address.status == 200:  # a page that goes on through the LMS's storage
        onward = data(address.data.decode(), "onward")
    else:
        onward = address.headers["Location"]
    state = parse_qs(urlsplit(onward).query)["state"][0]
    return launch(scene, {"error": error, "error_description": "<b>no</b>", "state": state})


@pytest.mark.parametrize(
    "error",
    ["login_required", "interaction_required", "consent_required", "account_selection_required"],
)
def test_an_lms_that_knows_nobody_in_a_frame_is_asked_in_a_window(scene: Scene, error: str) -> None:
    before = scene.count("launches")
    answer = unconfirmed(scene, error, "?lti_bridge=tried", storage="_parent", **IN_FRAME)
    page = answer.data.decode()
    assert answer.status == 401
    assert "login-failed" in page
    assert "<b>no" not in page
    assert 'lti_bridge=window" target="_blank"' in page
    assert f"'self' {scene.second.url}" in answer.headers["Content-Security-Policy"]
    (shown,) = re.findall(r'<dd class="copy">([0-9A-Z]{10})</dd>', page)
    assert "code=login-failed" in scene.log_of(shown)
    assert scene.count("launches") == before


@pytest.mark.parametrize(
    ("error", "mark", "told"),
    [
        ("login_required", "?lti_bridge=window", {}),
        ("login_required", "", {"Sec_Fetch_Dest": "document"}),
        ("access_denied", "?lti_bridge=tried", {}),
    ],
    ids=["in the window", "not in a frame", "another error"],
)
def test_where_no_window_helps_there_is_no_button(
    scene: Scene, error: str, mark: str, told: Fields
) -> None:
    answer = unconfirmed(scene, error, mark, **told)
    assert answer.status == 401
    assert "login-failed" in answer.data.decode()
    assert "Open the test" not in answer.data.decode()


@pytest.mark.parametrize("state", ["", "x", "e30.x"])
def test_an_error_without_a_login_of_ours_gets_no_button(scene: Scene, state: str) -> None:
    answer = launch(scene, {"error": "login_required", "state": state})
    assert answer.status == 401
    assert "Open the test" not in answer.data.decode()


@pytest.mark.spec("T13ST-03", "T13ST-10", "SECP-17")
def test_the_proof_from_the_storage_opens_one_launch_once(scene: Scene) -> None:
    own = scene.world.bridge.url
    fields, kept = stored(scene)
    asking = launch(scene, fields, Origin=scene.second.url)
    assert asking.status == 200
    assert data(asking.data.decode(), "value") == ""
    assert data(asking.data.decode(), "origin") == scene.second.url
    assert asking.headers["Referrer-Policy"] == "same-origin"
    assert f"frame-ancestors 'self' {scene.second.url}" in asking.headers["Content-Security-Policy"]
    sent = fields | {KEPT: kept}
    assert launch(scene, sent, Origin=own, Sec_Fetch_Site="same-origin").status == 200
    assert launch(scene, sent, Origin=own, Sec_Fetch_Site="same-origin").status == 401


@pytest.mark.spec("T13ST-09", "SECP-22")
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://evil.example.org", "cross-site"),
        ("null", "cross-site"),
        ("", ""),
        ("own", "cross-site"),
        ("own", "same-site"),
        ("lms", ""),
    ],
)
def test_a_proof_that_another_page_posts_is_refused(scene: Scene, origin: str, site: str) -> None:
    """Somebody's own launch with their own proof, posted in a victim's browser."""
    fields, kept = stored(scene)
    named = {"own": scene.world.bridge.url, "lms": scene.second.url}.get(origin, origin)
    headers = {"Origin": named, "Sec_Fetch_Site": site}
    before = scene.count("used_once"), scene.count("launches")
    given = {name: value for name, value in headers.items() if value}
    answer = launch(scene, fields | {KEPT: kept}, **given)
    assert answer.status == 401
    assert (scene.count("used_once"), scene.count("launches")) == before


@pytest.mark.spec("T13ST-09")
@pytest.mark.parametrize("proof", ["", "x", "another login's", "no secret", "long"])
def test_a_wrong_proof_from_a_page_of_ours_is_refused(scene: Scene, proof: str) -> None:
    (fields, kept), (_, other) = stored(scene), stored(scene)
    given = {
        "another login's": other,
        "no secret": kept.rpartition(" ")[0] + " ",
        "long": kept + "x" * 9000,
    }.get(proof, proof)
    own = scene.world.bridge.url
    answer = launch(scene, fields | {KEPT: given}, Origin=own, Sec_Fetch_Site="same-origin")
    assert answer.status == 401
    assert "data-key" not in answer.data.decode()  # the storage is not asked again
