"""The pages for admins over running servers: who gets in, what they see, and what others get."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from lti_bridge.cli import main
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import send
from tests.flow.scene import Scene, refusal
from tests.flow.world import HTTP, eventually

COOKIE = "__Host-lti-admin"
PAGES = ("", "launches", "launches/found/x", "launches/7Z2C9D3KQW")
STRANGE = "course <script>alert(1)</script>"


def run(scene: Scene, *words: str) -> str:
    """What a command says."""
    ran = CliRunner().invoke(main, [*words, "--config", str(scene.world.bridge.config)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def admin_url(scene: Scene, path: str = "") -> str:
    return f"{scene.world.bridge.url}/admin/{path}"


def signed_in(scene: Scene) -> Browser:
    """A browser in which a link was opened."""
    browser = Browser()
    page = browser.submit(browser.get(run(scene, "admin", "link").strip()))
    assert (page.status, page.url) == (200, admin_url(scene))
    return browser


def refused(scene: Scene, **more: Any) -> str:
    """The reference of a launch with a wrong signature."""
    fields = scene.campus.fields(user_id="ann-4711", context_id=STRANGE, **more)
    signed = [*scene.campus.signed(fields), ("custom_added", "on the way")]
    code, ref = refusal(send(scene.campus.url, signed))
    assert code == "signature"
    eventually(lambda: bool(scene.rows("SELECT 1 FROM hops WHERE ref = :ref", ref=ref)), True)
    return ref


def age(scene: Scene, *, entered: int, by_ms: int) -> None:
    """Let time pass for links (0) or sessions (1)."""
    change = "UPDATE admins SET until = until - ? WHERE entered = ?"
    with closing(sqlite3.connect(scene.world.bridge.folder / "bridge.sqlite3")) as database:
        database.execute(change, (by_ms, entered))
        database.commit()


def is_refused(page: Page) -> bool:
    return (page.status, refusal(page)[0]) == (403, "admins-only")


def test_a_link_is_good_once_and_looking_at_it_uses_nothing_up(scene: Scene) -> None:
    link = run(scene, "admin", "link", "--name", "Night shift").strip()
    assert link.startswith(admin_url(scene, "enter/"))
    for _ in range(2):
        assert Browser().get(link).status == 200  # as a mail program does
    browser = Browser()
    sent = browser.get(link)
    page = browser.submit(sent)
    assert "Night shift" in page.text
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert page.headers["Cache-Control"] == "no-store"
    assert is_refused(Browser().submit(sent))  # the same once more
    assert is_refused(Browser().post(admin_url(scene, "enter"), {"link": "x" * 43}))
    assert is_refused(Browser().post(admin_url(scene, "enter"), {}))
    assert browser.get(admin_url(scene)).status == 200


def test_a_cookie_is_for_our_own_pages_alone(scene: Scene) -> None:
    link = run(scene, "admin", "link").strip()
    answer = HTTP.request(
        "POST",
        admin_url(scene, "enter"),
        fields={"link": link.rpartition("/")[2]},
        encode_multipart=False,
        redirect=False,
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    stolen = cookie.partition(";")[0].partition("=")[2]
    assert is_refused(Browser().post(admin_url(scene, "enter"), {"link": stolen}))  # is no link


def test_nothing_that_lets_somebody_in_is_in_the_database_or_the_log(scene: Scene) -> None:
    link = run(scene, "admin", "link").strip().rpartition("/")[2]
    browser = Browser()
    browser.submit(browser.get(admin_url(scene, f"enter/{link}")))
    cookie = browser.cookies["127.0.0.1"][COOKIE]
    Browser().request("PUT", admin_url(scene, f"enter/{link}"))  # an error, which is logged
    kept = str(scene.rows("SELECT * FROM admins"))
    for secret in (link, cookie):
        assert secret not in kept
        assert secret not in scene.world.bridge.log()


@pytest.mark.parametrize("path", PAGES)
def test_strangers_learn_nothing(scene: Scene, path: str) -> None:
    assert is_refused(Browser().get(admin_url(scene, path)))
    browser = Browser()
    browser.cookies["127.0.0.1"] = {COOKIE: "x" * 43}
    assert is_refused(browser.get(admin_url(scene, path)))


def test_a_link_and_a_session_end(scene: Scene) -> None:
    old = run(scene, "admin", "link").strip()
    browser = signed_in(scene)
    age(scene, entered=0, by_ms=600_001)
    assert is_refused(Browser().submit(Browser().get(old)))
    assert browser.get(admin_url(scene)).status == 200
    age(scene, entered=1, by_ms=28_800_001)
    assert is_refused(browser.get(admin_url(scene)))


def test_whoever_leaves_is_out_and_so_is_whom_a_command_ends(scene: Scene) -> None:
    here, elsewhere, third = signed_in(scene), signed_in(scene), signed_in(scene)
    page = here.submit(here.get(admin_url(scene)))
    assert "You are signed out" in page.text
    assert is_refused(here.get(admin_url(scene)))
    newest = run(scene, "admin", "list").splitlines()[0].split()[0]
    run(scene, "admin", "end", newest, "--yes")
    assert is_refused(third.get(admin_url(scene)))
    assert elsewhere.get(admin_url(scene)).status == 200
    run(scene, "admin", "end", "--all", "--yes")
    assert is_refused(elsewhere.get(admin_url(scene)))
    assert run(scene, "admin", "list") == "None.\n"


@pytest.mark.parametrize("words", [["end"], ["end", "x", "--all"], ["end", "nobody", "--yes"]])
def test_what_a_command_cannot_end_is_said(scene: Scene, words: list[str]) -> None:
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, ["admin", *words, "--config", config])
    assert ran.exit_code != 0
    assert "admin list" in ran.output


def test_another_site_sends_no_form_of_an_admin(scene: Scene) -> None:
    browser = signed_in(scene)
    cookie = f"{COOKIE}={browser.cookies['127.0.0.1'][COOKIE]}"
    for path in ("leave", "launches"):
        answer = HTTP.request(
            "POST",
            admin_url(scene, path),
            redirect=False,
            headers={"Cookie": cookie, "Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status == 403
    assert browser.get(admin_url(scene)).status == 200


def opened(scene: Scene) -> str:
    """A user of whom there is one launch."""
    user = f"ann-{secrets.token_hex(4)}"
    scene.open(scene.campus, user_id=user, context_id=STRANGE)
    found = (
        "SELECT h.ref FROM hops h JOIN learners l ON l.id = h.learner_id WHERE l.user_id = :user"
    )
    eventually(lambda: len(scene.rows(found, user=user)), 1)
    return user


def test_a_click_is_found_by_its_user_whose_id_is_in_no_address(scene: Scene) -> None:
    user, browser = opened(scene), signed_in(scene)
    start = browser.get(admin_url(scene, "launches"))
    found = browser.submit(start, 1, user=user, lms="campus11")
    assert "ann" not in found.url
    assert found.text.count(f"<td>{user}</td>") == 1
    assert STRANGE not in found.text
    assert browser.get(found.url).text == found.text  # F5
    assert signed_in(scene).get(found.url).status == 404  # another one's
    assert "Nothing was found" in browser.submit(start, 1, user=user, failed="1").text
    assert "Nothing was found" in browser.submit(start, 1, user=user, lms="twin11").text


def test_a_refused_click_is_explained(scene: Scene) -> None:
    ref, browser = refused(scene), signed_in(scene)
    assert ref in browser.submit(browser.get(admin_url(scene, "launches")), 1, failed="1").text
    trace = browser.get(admin_url(scene, f"launches/{ref}"))
    assert STRANGE not in trace.text
    assert "custom_added" in trace.text
    assert "The last one failed" in trace.text
    assert "as somebody claims" in trace.text
    overview = browser.get(admin_url(scene))
    assert ref in overview.text
    for name in ("campus11", "twin11", "plain"):
        assert name in overview.text
    assert f"{scene.world.bridge.url}/lti/login" in overview.text
    assert browser.get(admin_url(scene, "launches?lms=twin11")).text.count(ref) == 0
    assert browser.get(admin_url(scene, "launches/0000000000")).status == 404


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "9" * 300, "<b>"])
def test_a_time_that_is_none_is_said(scene: Scene, since: str) -> None:
    browser = signed_in(scene)
    page = browser.submit(browser.get(admin_url(scene, "launches")), 1, since=since)
    assert page.status == 200
    assert "is no time" in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize(
    "query", ["lms=%00", "until=0001-01-01T00:00:00-23:59", "code=" + "x" * 300]
)
def test_strange_questions_break_nothing(scene: Scene, query: str) -> None:
    page = signed_in(scene).get(admin_url(scene, f"launches?{query}"))
    assert page.status in (200, 400)


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Tab]:
    with chromium.new_context(viewport={"width": 390, "height": 844}) as context:
        yield context.new_page()


@pytest.mark.browser
def test_an_admin_goes_from_the_link_to_the_reason_on_a_phone(scene: Scene, tab: Tab) -> None:
    ref = refused(scene)
    tab.goto(run(scene, "admin", "link").strip())
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", name="What is wrong now")).to_be_visible()
    tab.get_by_role("link", name="Clicks and grades").click()
    tab.get_by_label("LMS").fill("campus11")
    tab.get_by_label("only what did not go well").check()
    tab.get_by_role("button", name="Search").click()
    assert re.fullmatch(r".*/admin/launches/found/[\w-]+", tab.url)
    tab.get_by_role("link", name=ref).click()
    expect(tab.get_by_role("heading", name=ref)).to_be_visible()
    expect(tab.get_by_text("(signature)").first).to_be_visible()
    for name in ("Overview", "Clicks and grades"):
        tab.get_by_role("link", name=name).click()
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0  # what is wide scrolls in its own place
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_text("You are signed out")).to_be_visible()
    tab.go_back()
    tab.reload()
    expect(tab.get_by_text("admins-only")).to_be_visible()
