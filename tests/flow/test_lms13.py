"""The LTI 1.3 login and launch at their addresses: methods, cookies, states, anonymity."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lti_bridge.sandbox import serving
from tests.flow.browser import Browser, Page
from tests.flow.scene import Scene, launch13, refusal

NEW = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"


def login_fields(scene: Scene) -> dict[str, str]:
    """What the LMS sends to start a login."""
    start = scene.world.control(scene.second, "launch", link="best13", user="student1")
    return dict(start["fields"])


def arrival(
    scene: Scene, browser: Browser, user: str = "student1", lms: serving.Running | None = None
) -> Page:
    """The LMS's page that posts id_token and state to the bridge; nothing posted yet."""
    party = lms or scene.second
    browser.get(f"{party.url}/as/{user}")
    start = scene.world.control(party, "launch", link="best13", user=user)
    return browser.post(start["login_url"], start["fields"])


@pytest.mark.spec("T13LI-01", "T13LI-06")
def test_a_login_starts_alike_by_get_and_by_post(scene: Scene) -> None:
    url, fields = f"{scene.world.bridge.url}/lti/login", login_fields(scene)
    browser = Browser()
    body = urlencode(fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    by_get = browser.pool.request("GET", f"{url}?{body}", redirect=False)
    by_post = browser.pool.request("POST", url, body=body, headers=headers, redirect=False)
    seen = []
    for answer in (by_get, by_post):
        assert answer.status == 302
        where = urlsplit(answer.headers["Location"])
        assert f"{where.scheme}://{where.netloc}{where.path}" == f"{scene.second.url}/lti/auth"
        sent = parse_qs(where.query)
        seen.append({name: sent[name] for name in sorted(sent) if name not in ("state", "nonce")})
    assert seen[0] == seen[1]


@pytest.mark.spec("T13ST-01", "T13ST-02", "T13LI-12", "SECP-29")
def test_the_cookie_of_a_login_is_as_narrow_as_it_can_be(scene: Scene) -> None:
    url, body = f"{scene.world.bridge.url}/lti/login", urlencode(login_fields(scene))
    answer = Browser().pool.request("GET", f"{url}?{body}", redirect=False)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    name, _, rest = cookie.partition("=")
    # a __Host- cookie has the path / by definition; no other host and no plain HTTP gets it
    assert re.fullmatch(r"__Host-lti-[A-Za-z0-9_-]{8}", name)
    attributes = {part.strip() for part in rest.split(";")[1:]}
    wanted = {"Secure", "HttpOnly", "SameSite=None", "Path=/", "Max-Age=600", "Partitioned"}
    assert {part for part in attributes if not part.startswith("Expires=")} == wanted


@pytest.mark.spec("T13ID-01")
def test_an_id_token_in_the_address_is_refused(scene: Scene) -> None:
    browser = Browser()
    form = arrival(scene, browser).form()
    got = browser.get(f"{form.action}?{urlencode(form.fields)}")
    assert got.status == 405
    posted = browser.request("POST", f"{form.action}?{urlencode(form.fields)}", "")
    assert posted.status == 400


@pytest.mark.spec("T13ID-02", "SECP-22")
def test_a_state_of_another_browser_is_refused_with_an_explanation(scene: Scene) -> None:
    form = arrival(scene, Browser()).form()
    before = scene.count("used_once")
    page = Browser().post(form.action, form.fields)
    assert page.status == 401
    assert refusal(page)[0] == "browser-state"
    assert "another browser" in page.text
    assert scene.count("used_once") == before


@pytest.mark.spec("T13ID-02")
@pytest.mark.parametrize("state", [None, "", "x", "eyJ9.abc", "a" * 9000])
def test_a_state_that_is_none_of_ours_is_refused(scene: Scene, state: str | None) -> None:
    browser = Browser()
    form = arrival(scene, browser).form()
    fields = [(name, value) for name, value in form.fields if name != "state"]
    if state is not None:
        fields.append(("state", state))
    page = browser.post(form.action, fields)
    assert page.status in (400, 401)
    assert refusal(page)[0] in ("browser-state", "message")


@pytest.mark.spec("T13ID-02", "T13LI-14", "T13ID-21")
def test_a_launch_counts_once_even_when_it_comes_twice_at_the_same_time(scene: Scene) -> None:
    browser = Browser()
    form = arrival(scene, browser).form()
    cookies = {host: dict(jar) for host, jar in browser.cookies.items()}

    def again(_: int) -> int:
        other = Browser()
        other.cookies = {host: dict(jar) for host, jar in cookies.items()}
        return other.post(form.action, form.fields).status

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(again, range(6)))
    assert statuses == [200] * 6  # one browser, which goes on with what it began
    assert Browser().post(form.action, form.fields).status == 401  # a stranger's


@pytest.mark.spec("T13ID-03")
def test_an_error_from_the_lms_is_a_failed_login_and_ends_it(scene: Scene) -> None:
    browser = Browser()
    form = arrival(scene, browser).form()
    state = dict(form.fields)["state"]
    before = scene.count("launches")
    error = [("error", "login_required"), ("error_description", "<b>x</b>"), ("state", state)]
    page = browser.post(form.action, error)
    assert page.status == 401
    assert refusal(page)[0] == "login-failed"
    assert "<b>x" not in page.text
    # the login's cookie is gone, so its id_token is worth nothing now
    assert browser.post(form.action, form.fields).status == 401
    assert scene.count("launches") == before


@pytest.mark.spec("T13LI-15")
def test_two_tabs_of_one_browser_both_arrive(scene: Scene) -> None:
    browser = Browser()
    first, second = arrival(scene, browser).form(), arrival(scene, browser).form()
    assert browser.post(second.action, second.fields).status == 200
    assert browser.post(first.action, first.fields).status == 200


@pytest.mark.spec("SECP-23")
def test_tabs_of_two_lms_and_two_people_in_one_browser_do_not_mix(scene: Scene) -> None:
    browser, arrived = Browser(), []
    claim = "https://purl.imsglobal.org/spec/lti/claim/custom"
    for party, user in ((scene.second, "student1"), (scene.world.lms, "student2")):
        scene.world.control(party, "tamper", id_token={"claims": {claim: {"activity": "plain"}}})
        arrived.append(arrival(scene, browser, user, party).form())
    assert len({name for jar in browser.cookies.values() for name in jar if "lti-" in name}) == 2
    mixed = dict(arrived[1].fields) | {"state": dict(arrived[0].fields)["state"]}
    assert browser.post(arrived[0].action, mixed).status == 401
    told = []
    for form in reversed(arrived):  # whoever came first goes on last
        page = browser.post(form.action, form.fields)
        assert page.status == 200, page.text
        told.append(scene.carry(page).form)
    for name in ("user_id", "context_id", "resource_link_id", "launch_presentation_return_url"):
        assert told[0][name] != told[1][name], name
    sql = "SELECT l.registration, l.user_id FROM launches n JOIN learners l ON l.id = n.learner_id"
    by_handle = {one["launch_presentation_return_url"].rpartition("/")[2]: one for one in told}
    found = [scene.rows(f"{sql} WHERE n.id = :id", id=handle)[0] for handle in by_handle]
    assert [tuple(row) for row in found] == [("campus13", "5"), ("second13", "4")]


@pytest.mark.spec("T13RL-12", "AMB-01")
def test_somebody_without_an_id_is_refused_and_leaves_no_record(scene: Scene) -> None:
    before = scene.count("learners")
    browser = Browser()
    browser.get(f"{scene.second.url}/as/student1")
    scene.world.control(scene.second, "tamper", id_token={"remove": ["sub"]})
    page = browser.submit(arrival(scene, browser))
    assert page.status == 403
    assert refusal(page)[0] == "anonymous"
    assert scene.count("learners") == before


@pytest.mark.spec("T13RL-23")
def test_the_newest_service_addresses_are_kept(scene: Scene) -> None:
    for number in (1, 2):
        url = f"{scene.second.url}/somewhere/{number}?x=1"
        claim = {"lineitem": url, "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]}
        page = launch13(scene, scene.second, user="student3", claims={NEW: claim})
        assert page.status == 200
    sql = "SELECT line_item FROM grades WHERE user_id = '6' AND registration = 'second13'"
    assert [row.line_item for row in scene.rows(sql)] == [url]


@pytest.mark.spec("T13RL-10", "T13LI-13", "SECP-24")
@pytest.mark.parametrize(
    "target",
    ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)", "\\\\evil", "/x"],
)
def test_a_target_elsewhere_is_refused_at_the_login(scene: Scene, target: str) -> None:
    fields = {**login_fields(scene), "target_link_uri": target}
    answer = Browser().post(f"{scene.world.bridge.url}/lti/login", fields)
    assert answer.status == 400
    assert refusal(answer)[0] == "message"


@pytest.mark.spec("T13MX-08", "T13MX-11")
def test_the_key_set_is_public_cacheable_and_holds_public_keys_only(scene: Scene) -> None:
    browser, url = Browser(), f"{scene.world.bridge.url}/lti/jwks"
    answer = browser.pool.request("GET", url)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "max-age=" in answer.headers["Cache-Control"]
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "kid", "n", "e", "alg", "use"}
        assert "=" not in key["n"] + key["e"]
    again = browser.pool.request("GET", url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304
