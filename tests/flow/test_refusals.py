"""Every refused launch is a page to act on; no log line knows a person or a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import urllib3

from tests.flow.browser import Browser, Page
from tests.flow.campus11 import send, sign
from tests.flow.scene import TOOL_SECRET, TWIN_SECRET, Scene, launch13, refusal
from tests.flow.world import BASE, HTTP, World, eventually, make_world

REFUSALS: dict[str, tuple[int, str, Callable[[Scene], Page]]] = {
    "unsigned": (400, "bad-request", lambda s: send(s.campus.url, s.campus.fields())),
    "forged": (401, "signature", lambda s: send(s.campus.url, forged(s))),
    "stale": (401, "signature", lambda s: s.campus.launch(oauth_timestamp="1348093590")),
    "content": (400, "message", lambda s: s.campus.launch(lti_version="x")),
    "selection": (
        400,
        "message",
        lambda s: s.campus.launch(lti_message_type="ContentItemSelection"),
    ),
    "activity": (404, "not-configured", lambda s: s.campus.launch(custom_activity="none")),
    "anonymous": (403, "anonymous", lambda s: s.campus.launch(user_id=None)),
    "no e-mail": (409, "no-personal-data", lambda s: unknown_address(s)),
    "deployment": (403, "unknown-deployment", lambda s: launch13(s, s.second, deployment="9")),
    "no state": (401, "browser-state", lambda s: send(s.campus.url, [("id_token", "a.b.c")])),
    "empty": (401, "browser-state", lambda s: send(s.campus.url, [])),
    "not UTF-8": (400, "bad-request", lambda s: raw(s, b"oauth_consumer_key=%ff%fe")),
    "NUL": (400, "bad-request", lambda s: s.campus.launch(user_id="a\0b")),
    "too many fields": (400, "bad-request", lambda s: raw(s, b"oauth_nonce=&" + b"a=&" * 1500)),
    "too large": (413, "too-large", lambda s: raw(s, b"oauth_nonce=" + b"a" * 1_100_000)),
    "GET": (405, "method-not-allowed", lambda s: Browser().get(s.campus.url)),
    "nowhere": (404, "not-found", lambda s: send(f"{s.campus.url}/no", [])),
}


def forged(scene: Scene) -> list[tuple[str, str]]:
    fields = scene.campus.fields()
    return [*fields, ("oauth_signature", sign(scene.campus.url, fields, "guess"))]


def unknown_address(scene: Scene) -> Page:
    missing = {"lis_person_contact_email_primary": None}
    return scene.campus.launch(custom_activity="best", **missing)


def raw(scene: Scene, body: bytes) -> Page:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    answer = HTTP.request("POST", scene.campus.url, body=body, headers=headers)
    return Page(scene.campus.url, answer.status, answer.headers, answer.data.decode())


@pytest.mark.spec("GEN-14")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_sentence_code_and_reference(scene: Scene, name: str) -> None:
    status, code, ask = REFUSALS[name]
    page = ask(scene)
    assert page.status == status, page.text
    shown, reference = refusal(page)
    assert shown == code
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    line = scene.log_of(reference)
    assert f"code={code} status={status}" in line
    for secret in (*secrets(), "cell-of-ann", "ann.exampleton@example.edu"):
        assert secret not in page.text


def secrets() -> tuple[str, ...]:
    return ("campus-secret", TWIN_SECRET, "strict-secret", TOOL_SECRET, "bridge-secret")


@pytest.mark.spec("GEN-14")
def test_a_script_gets_the_same_as_json(scene: Scene) -> None:
    fields = scene.campus.signed(scene.campus.fields(custom_activity="none"))
    page = send(scene.campus.url, fields, {"Accept": "application/json"})
    assert page.status == 404
    assert '"error": "not-configured"' in page.text
    reference = re.findall(r'"reference": "([0-9A-Z]{10})"', page.text)[0]
    assert "code=not-configured" in scene.log_of(reference)


@pytest.mark.spec("SECP-51", "SECP-07")
def test_no_log_line_of_a_whole_run_knows_anybody(scene: Scene) -> None:
    seen: set[str] = {*secrets(), "cell-of-ann", "ann.exampleton", "Exampleton", "Digital Skills"}
    people = {"lis_person_name_given": "Annabella\nForged line", "user_id": "user-4711"}
    for change in ({}, {"roles": "Instructor"}, {"custom_activity": "best"}):
        page = scene.campus.launch(**people, **change)
        if "Instructor" in change.values():
            seen |= {value for _, value in page.form().fields}
            page = Browser().submit(page)
        form = dict(page.form().fields)
        seen |= {form["user_id"], form["oauth_nonce"], form["oauth_signature"]}
        seen |= {form.get("lis_result_sourcedid", form["user_id"])}
        browser = Browser()
        test = browser.submit(page)
        if test.forms():
            browser.submit(test, score="0.5")
        browser.post(form["launch_presentation_return_url"], {"lti_msg": "Well done Annabella"})
    for _, _, ask in REFUSALS.values():
        ask(scene)
    launch13(scene, scene.second)
    log = scene.world.bridge.log()
    assert log.count("launch.opened") >= 3
    assert [text for text in {*seen, "Annabella", "user-4711", "guess"} if text in log] == []
    assert not [line for line in log.splitlines() if line.startswith("Forged")]


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running world that delivers grades and logs all it can."""
    folder = tmp_path_factory.mktemp("talkative")
    base = BASE.replace('log_level = "INFO"', 'log_level = "DEBUG"')
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", base=base)
    made.bridge.serve()
    yield made
    made.stop()


@pytest.mark.spec("SECP-51")
@pytest.mark.parametrize(("link", "user"), [("best11", "student3"), ("best13", "student2")])
def test_no_log_line_of_a_delivered_grade_knows_anybody(
    talkative: World, link: str, user: str
) -> None:
    world, browser = talkative, Browser()
    before = world.bridge.log().count("grade.delivered")
    browser.get(f"{world.lms.url}/as/{user}")
    page = browser.through(browser.get(f"{world.lms.url}/launch/{link}"), world.isograd.url)
    browser.submit(page, score="0.85")
    eventually(lambda: world.bridge.log().count("grade.delivered") > before, True)
    sent = HTTP.request("GET", f"{world.isograd.url}/control/state").json()["launches"][-1]
    log = world.bridge.log()
    issued = [sent["parameters"][name] for name in ("lis_result_sourcedid", "user_id")]
    people = (
        "Zoë",
        "Exämple",
        "student3",
        "student2",
        "@example",
        "bridge-secret",
        "campus-secret",
    )
    assert [text for text in (*people, *issued) if text in log] == []
    assert not re.search(r"eyJ|instanceid|lis_result|oauth_signature|Bearer [^\[]", log)


def of_page(answer: urllib3.BaseHTTPResponse) -> str:
    return re.findall(r'<dd class="copy">([0-9A-Z]{10})</dd>', answer.data.decode())[0]


def of_json(answer: urllib3.BaseHTTPResponse) -> str:
    return str(answer.json()["reference"])


def of_envelope(answer: urllib3.BaseHTTPResponse) -> str:
    found = re.findall(rb"<imsx_messageIdentifier>([^<]+)</imsx_messageIdentifier>", answer.data)
    return str(found[0].decode())


Answered = Callable[[urllib3.BaseHTTPResponse], str]
FORM = "application/x-www-form-urlencoded"
ASKED = "grant_type=client_credentials&scope=x&client_assertion=a.b.c&client_assertion_type="
ASSERTED = ASKED + "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
# What programs ask for, and where its answer has the reference.
SERVICES: dict[str, tuple[str, str, dict[str, str], str, int, Answered]] = {
    "no grant": ("POST", "/platform/token", {"Content-Type": FORM}, "a=b", 400, of_json),
    "no client": ("POST", "/platform/token", {"Content-Type": FORM}, ASSERTED, 400, of_json),
    "no token": ("GET", "/platform/course/lineitems", {}, "", 401, of_json),
    "bad token": (
        *("GET", "/platform/course/lineitems/one", {"Authorization": "Bearer a.b"}, ""),
        *(401, of_json),
    ),
    "score": ("POST", "/platform/course/lineitems/one/scores", {}, "{}", 401, of_json),
    "members": ("GET", "/platform/course/memberships", {}, "", 401, of_json),
    "results": ("GET", "/platform/course/lineitems/one/results", {}, "", 401, of_json),
    "unsigned outcome": (
        *("POST", "/platform/outcomes", {"Content-Type": "application/xml"}, "<a/>"),
        *(401, of_envelope),
    ),
    "outcome by token": (
        *("POST", "/platform/outcomes"),
        {"Content-Type": "application/xml", "Authorization": "Bearer a.b"},
        *("<a/>", 401, of_envelope),
    ),
    "large outcome": (
        *("POST", "/platform/outcomes", {"Content-Type": "application/xml"}, "x" * 70_000),
        *(400, of_envelope),
    ),
    "tool without invitation": ("POST", "/platform/register", {}, "{}", 401, of_json),
    "lms without invitation": ("GET", "/lti/register", {}, "", 403, of_page),
    "hook": ("POST", "/hooks/plain/nobody", {}, "{}", 403, of_page),
    "hook of nobody": ("POST", "/hooks/nobody/nobody", {}, "{}", 403, of_page),
    "authorize": ("GET", "/platform/authorize?client_id=nobody", {}, "", 400, of_page),
    "deep link": ("POST", "/platform/deep-link", {"Content-Type": FORM}, "JWT=a.b.c", 400, of_page),
}


@pytest.mark.spec("GEN-14")
@pytest.mark.parametrize("name", SERVICES)
def test_a_refusal_of_a_service_has_its_reference_in_log_and_answer(
    scene: Scene, name: str
) -> None:
    method, path, headers, body, status, of = SERVICES[name]
    url = scene.world.bridge.url + path
    first, second = (HTTP.request(method, url, body=body, headers=headers) for _ in range(2))
    assert (first.status, second.status) == (status, status), first.data
    assert of(first) != of(second)
    for answer in (first, second):
        assert re.fullmatch("[0-9A-Z]{10}", of(answer))
        line = scene.log_of(of(answer))
        assert " WARNING " in line
        assert "reason=" in line
