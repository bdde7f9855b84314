"""The authorization endpoint: who gets an id_token, who gets an error, and who gets nothing."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from lti_bridge.core.tool.launches import TakenLaunch
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.lti import claims
from lti_bridge.lti.keys import SigningKey
from lti_bridge.platform.authorize import Authorizing
from lti_bridge.platform.launch13 import cookie_name
from tests.platform.bridge13 import (
    PUBLIC,
    TOOL,
    Bridge13,
    another_browser,
    answer,
    request_for,
    target,
)

REGISTERED = f"{TOOL}/full/launch"
NEAR_MISSES = (
    f"{TOOL}/full/launch/",
    f"{TOOL}/full/launc",
    f"{TOOL}/full/launch/deeper",
    f"{TOOL}/full/launch?x=1",
    f"{TOOL}/full/launch?",
    f"{TOOL}/full/launch#top",
    f"{TOOL}/full/Launch",
    f"{TOOL}/full/%6Caunch",
    f"{TOOL}/full/../full/launch",
    f"{TOOL}/full/other",
    f"{TOOL}/full/other?keep=1&more=2",
    f"{TOOL}:443/full/launch",
    "https://TOOL.example.org/full/launch",
    "http://tool.example.org/full/launch",
    "https://tool.example.org@evil.example.net/full/launch",
    "https://tool.example.org.evil.example.net/full/launch",
    "https://evil.example.net/full/launch",
    "//tool.example.org/full/launch",
    f" {REGISTERED}",
    f"{REGISTERED}\n",
    f"{TOOL}/shy/launch",
    "javascript:alert(1)",
    "",
    None,
)


@pytest.mark.spec("P13AZ-01", "P13AZ-10")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_tool_gets_its_token_by_either_method(bridge: Bridge13, method: str) -> None:
    request = request_for(bridge.login())
    if method == "GET":
        page = bridge.get(f"/platform/authorize?{urlencode(request)}")
    else:
        page = bridge.post("/platform/authorize", request)
    assert target(page) == REGISTERED
    fields = answer(page)
    assert set(fields) == {"id_token", "state"}
    assert fields["state"] == "the-state"
    claims = bridge.verified(fields["id_token"], "client-of-full")
    assert claims["nonce"] == "the-nonce"


@pytest.mark.spec("P13AZ-02", "P13AZ-03", "SECP-25", "CERTP-01", "AMB-13")
@pytest.mark.parametrize("redirect_uri", NEAR_MISSES)
def test_nothing_is_sent_to_an_address_that_is_not_registered(
    bridge: Bridge13, redirect_uri: str | None
) -> None:
    login = bridge.login()
    page = bridge.authorize(login, redirect_uri=redirect_uri)
    assert page.status == 400
    assert "tool-request" in page.text
    assert not page.forms()
    assert "Location" not in page.headers
    assert "evil" not in page.text
    # and the launch is still there for the right request
    assert "id_token" in answer(bridge.authorize(login))


@pytest.mark.spec("P13AZ-02")
def test_each_registered_address_may_be_used(bridge: Bridge13) -> None:
    page = bridge.authorize(bridge.login(), redirect_uri=f"{TOOL}/full/other?keep=1")
    assert target(page) == f"{TOOL}/full/other?keep=1"
    assert "id_token" in answer(page)


@pytest.mark.spec("P13AZ-04")
@pytest.mark.parametrize("client_id", ["nobody", "", None, "client-of-full ", "CLIENT-OF-FULL"])
def test_an_unknown_client_gets_an_error_page(bridge: Bridge13, client_id: str | None) -> None:
    page = bridge.authorize(bridge.login(), client_id=client_id)
    assert page.status == 400
    assert not page.forms()


@pytest.mark.spec("P13AZ-05", "P13AZ-09")
def test_a_launch_for_one_tool_is_not_given_to_another(bridge: Bridge13) -> None:
    login = bridge.login("full")
    page = bridge.authorize(login, client_id="client-of-shy", redirect_uri=f"{TOOL}/shy/launch")
    assert target(page) == f"{TOOL}/shy/launch"
    assert answer(page)["error"] == "unauthorized_client"
    assert "id_token" not in answer(page)


@pytest.mark.spec("P13AZ-06", "P13AZ-09")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openidx"}, "invalid_scope"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_type": "id_token token"}, "unsupported_response_type"),
        ({"response_mode": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": None}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"login_hint": None}, "invalid_request"),
        ({"lti_message_hint": None}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_answered_with_its_error(
    bridge: Bridge13, changes: dict[str, str | None], error: str
) -> None:
    page = bridge.authorize(bridge.login(), **changes)
    assert target(page) == REGISTERED
    fields = answer(page)
    assert set(fields) == {"error", "error_description", "state"}
    assert fields["error"] == error
    assert fields["state"] == "the-state"


@pytest.mark.spec("P13AZ-07", "BR-04")
def test_the_login_hint_of_another_user_gives_no_token(bridge: Bridge13) -> None:
    ann, ben = bridge.login(user_id="ann"), bridge.login(user_id="ben")
    fields = answer(bridge.authorize(ann, login_hint=ben["login_hint"]))
    assert fields["error"] == "login_required"
    assert "id_token" not in fields


@pytest.mark.spec("P13AZ-08", "P13LI-06", "SECP-22")
def test_another_browser_gets_nothing_and_takes_nothing_away(bridge: Bridge13) -> None:
    login = bridge.login()
    other = another_browser(bridge)
    assert answer(other.authorize(login))["error"] == "login_required"
    name = cookie_name(login["lti_message_hint"])
    other.client.set_cookie(name, "x" * 44, domain="bridge.example.edu")
    assert answer(other.authorize(login))["error"] == "login_required"
    assert "id_token" in answer(bridge.authorize(login))


@pytest.mark.spec("BR-04")
@pytest.mark.parametrize("roles", ["Learner", "Instructor"])
def test_no_address_of_a_launch_opens_the_tool_in_another_browser(
    bridge: Bridge13, roles: str
) -> None:
    page = bridge.launch(roles=roles, user_id=roles)
    if roles == "Instructor":  # who sees a page of ours first
        page = bridge.post("/course/go-on", page.form().fields)
    request = urlencode(request_for(dict(page.form().fields)))
    other = another_browser(bridge)
    for path in ("/lti/launch", "/course/go-on"):
        assert other.get(path).status == 405
        nothing = other.post(path, {})
        assert nothing.status in (400, 401, 403)
        assert TOOL not in nothing.text
    assert answer(other.get(f"/platform/authorize?{request}"))["error"] == "login_required"
    assert "id_token" in answer(bridge.get(f"/platform/authorize?{request}"))


@pytest.mark.spec("P13AZ-08")
def test_the_cookie_of_another_launch_does_not_help(bridge: Bridge13) -> None:
    first, second = bridge.login(), bridge.login()
    held = {cookie.key: cookie.value for cookie in bridge.client._cookies.values()}
    other = another_browser(bridge)
    value = held[cookie_name(first["lti_message_hint"])]
    name = cookie_name(second["lti_message_hint"])
    other.client.set_cookie(name, value, domain="bridge.example.edu")
    assert answer(other.authorize(second))["error"] == "login_required"


@pytest.mark.spec("P13AZ-09")
def test_an_error_carries_no_state_when_none_came(bridge: Bridge13) -> None:
    fields = answer(bridge.authorize(bridge.login(), state=None, nonce=None))
    assert set(fields) == {"error", "error_description"}


@pytest.mark.spec("P13AZ-11", "SECP-07", "SECP-08")
@pytest.mark.parametrize(
    "state",
    [
        "\"'><script>alert(1)</script>&amp;&",
        "é 試 🎓 \u202e",
        "x" * 4096,
        "",
        "a+b%2B =&;",
        "\\u003c",
    ],
    ids=range(6),
)
def test_any_state_comes_back_as_it_was(bridge: Bridge13, state: str) -> None:
    page = bridge.authorize(bridge.login(), state=state)
    assert answer(page)["state"] == state
    assert "<script>alert" not in page.text


@pytest.mark.spec("P13AZ-11", "AMB-04")
def test_no_state_comes_back_when_none_came(bridge: Bridge13) -> None:
    assert set(answer(bridge.authorize(bridge.login(), state=None))) == {"id_token"}


@pytest.mark.spec("P13AZ-12", "SECP-17")
def test_a_launch_is_given_once(bridge: Bridge13) -> None:
    login = bridge.login()
    held = {cookie.key: cookie.value for cookie in bridge.client._cookies.values()}
    assert "id_token" in answer(bridge.authorize(login))
    assert answer(bridge.authorize(login))["error"] == "login_required"
    for name, value in held.items():  # even if the browser kept its cookie
        bridge.client.set_cookie(name, value, domain="bridge.example.edu")
    assert answer(bridge.authorize(login))["error"] == "login_required"


@pytest.mark.spec("P13AZ-12", "SECP-17")
def test_of_many_requests_at_once_one_gets_the_launch(bridge: Bridge13) -> None:
    login = bridge.login()
    held = [(cookie.key, cookie.value) for cookie in bridge.client._cookies.values()]
    browsers = [another_browser(bridge) for _ in range(8)]
    for browser in browsers:
        for name, value in held:
            browser.client.set_cookie(name, value, domain="bridge.example.edu")
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda browser: browser.authorize(login), browsers))
    assert sum("id_token" in answer(page) for page in pages) == 1


@pytest.mark.spec("P13AZ-12", "P13LI-06", "BR-04")
@pytest.mark.parametrize(("minutes", "given"), [(4.9, True), (5, False), (60, False)])
def test_a_launch_waits_five_minutes(minutes: float, given: bool) -> None:
    clicked = datetime(2026, 1, 1, tzinfo=UTC)
    tool = ToolRegistration("quiz", "client", "1", TOOL, TOOL, (REGISTERED,))
    launch = TakenLaunch("quiz", "who", {}, clicked + timedelta(minutes=5))
    authorizing = Authorizing(
        {"client": tool}.get,
        lambda hint, browser: launch,
        lambda: SigningKey("kid", generate_private_key(public_exponent=65537, key_size=2048)),
        lambda: clicked + timedelta(minutes=minutes),
    )
    login = {"client_id": "client", "login_hint": "who", "lti_message_hint": "hint"}
    request = request_for(login, redirect_uri=REGISTERED)
    values = {name: [value] for name, value in request.items()}
    fields = dict(authorizing.answer(values, {cookie_name("hint"): "secret"}).form.fields)
    assert ("id_token" in fields) == given
    assert fields.get("error", "") == ("" if given else "login_required")


@pytest.mark.spec("P13AZ-14", "SECP-30")
@pytest.mark.parametrize("changes", [{}, {"nonce": None}])
def test_the_answer_is_kept_by_nobody_and_goes_nowhere_else(
    bridge: Bridge13, changes: dict[str, str | None]
) -> None:
    page = bridge.authorize(bridge.login(), **changes)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    directives = page.headers["Content-Security-Policy"].split("; ")
    assert f"form-action {TOOL}" in directives
    assert "default-src 'none'" in directives


@pytest.mark.spec("SECP-30")
def test_no_address_on_a_page_holds_what_its_form_carries(bridge: Bridge13) -> None:
    bridge.launch()
    preview = bridge.launch(roles="Instructor", user_id="tess")
    assert preview.url.startswith(f"{PUBLIC}/course/page/")  # this browser keeps cookies
    login = bridge.post("/course/go-on", preview.form().fields)
    answered = bridge.authorize(dict(login.form().fields))
    token = bridge.verified(answer(answered)["id_token"], "client-of-full")
    back = bridge.get(urlsplit(token[claims.PRESENTATION]["return_url"]).path)
    learner = bridge.login()
    sourced = bridge.verified(answer(bridge.authorize(learner))["id_token"], "client-of-full")
    carried = {
        *(value for page in (preview, login, answered) for _, value in page.form().fields),
        sourced[claims.BASIC_OUTCOME]["lis_result_sourcedid"],
    } - {PUBLIC, "client-of-full", "deployment of full", f"{TOOL}/full"}
    assert len(carried) == 6  # token, two hints, id_token, state, sourcedid
    for page in (preview, login, answered, back):
        addresses = re.findall(r'(?:href|action|src|data-\w+)="([^"]*)"', page.text)
        addresses += [page.headers.get("Location", ""), token[claims.PRESENTATION]["return_url"]]
        addresses += [page.url]
        assert not [one for one in addresses if any(text in one for text in carried)]


@pytest.mark.spec("P13AZ-13", "SECP-29")
def test_each_launch_has_a_cookie_that_lives_no_longer(bridge: Bridge13) -> None:
    first = bridge.launch()
    assert {one.partition("=")[0] for one in first.headers.getlist("Set-Cookie")} == {
        "__Host-lti-browser",  # once, for all launches of this browser
        cookie_name(dict(first.form().fields)["lti_message_hint"]),
    }
    page = bridge.launch()
    login = dict(page.form().fields)
    [cookie] = page.headers.getlist("Set-Cookie")
    name, _, attributes = cookie.partition("=")
    assert name == cookie_name(login["lti_message_hint"])
    assert set(attributes.split("; ")[1:]) >= {
        "Secure",
        "HttpOnly",
        "SameSite=None",
        "Partitioned",
        "Max-Age=300",
        "Path=/lti-bridge/platform/authorize",
    }
    assert login["lti_message_hint"] not in cookie
    [gone] = bridge.authorize(login).headers.getlist("Set-Cookie")
    assert gone.startswith(f"{name}=;")
    assert {"Max-Age=0", "Partitioned", "Path=/lti-bridge/platform/authorize"} <= set(
        gone.split("; ")
    )


@pytest.mark.spec("SECP-06")
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "nonce", "login_hint"])
def test_a_parameter_given_twice_is_refused(bridge: Bridge13, name: str) -> None:
    request = request_for(bridge.login())
    twice = [*request.items(), (name, request[name])]
    page = bridge.post("/platform/authorize", twice)
    assert page.status == 400
    assert not page.forms()
    query = urlencode({name: request[name]})
    page = bridge.post(f"/platform/authorize?{query}", request)
    assert page.status == 400
    assert not page.forms()


@pytest.mark.parametrize(
    "changes", [{"state": "x" * 9000}, {"nonce": "x" * 9000}, {"state": "a\0b"}], ids=range(3)
)
def test_what_cannot_be_sent_back_is_refused(
    bridge: Bridge13, changes: dict[str, str | None]
) -> None:
    page = bridge.authorize(bridge.login(), **changes)
    assert page.status == 400
    assert not page.forms()


def test_nothing_of_a_launch_is_logged(bridge: Bridge13, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    login = bridge.login()
    fields = answer(bridge.authorize(login))
    answer(bridge.authorize(login))
    secrets = (login["lti_message_hint"], login["login_hint"], fields["id_token"], "the-nonce")
    text = "".join(str(record.__dict__) for record in caplog.records)
    assert "tool.launched" in text
    assert not [secret for secret in secrets if secret in text]
    assert PUBLIC in bridge.get("/platform/authorize").url
