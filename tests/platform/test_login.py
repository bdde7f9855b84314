"""The login initiation: where the browser goes, and what it carries."""

from __future__ import annotations

import re

import pytest

from tests.platform.bridge13 import PUBLIC, TOOL, Bridge13, another_browser


@pytest.mark.spec("P13LI-01", "P13LI-02", "CERTP-01")
def test_the_browser_goes_to_the_tools_login(bridge: Bridge13) -> None:
    page = bridge.launch()
    form = page.form()
    assert form.method == "post"
    fields = dict(form.fields)
    assert fields["iss"] == PUBLIC
    assert fields["client_id"] == "client-of-full"
    assert fields["lti_deployment_id"] == "deployment of full"
    assert fields["target_link_uri"] == f"{TOOL}/full"
    assert set(fields) == {
        "iss",
        "login_hint",
        "target_link_uri",
        "client_id",
        "lti_deployment_id",
        "lti_message_hint",
    }
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.spec("P13LI-08")
def test_the_query_of_the_login_address_is_kept(bridge: Bridge13) -> None:
    assert bridge.launch().form().action == f"{TOOL}/full/login?tenant=a%20b&x=1"


@pytest.mark.spec("P13LI-03", "P13LI-04")
def test_deployment_and_target_are_those_of_the_token(bridge: Bridge13) -> None:
    login = bridge.login()
    claims = bridge.claims()
    lti = "https://purl.imsglobal.org/spec/lti/claim/"
    assert claims[f"{lti}deployment_id"] == login["lti_deployment_id"]
    assert claims[f"{lti}target_link_uri"] == login["target_link_uri"]


@pytest.mark.spec("P13LI-06")
def test_the_hints_say_nothing_and_are_new_for_every_click(bridge: Bridge13) -> None:
    logins = [bridge.login(user_id="ann") for _ in range(3)]
    hints = [login[name] for login in logins for name in ("login_hint", "lti_message_hint")]
    assert len(set(hints)) == 6
    assert all(re.fullmatch(r"[\w-]{44}", hint) for hint in hints)


@pytest.mark.spec("P13LI-07")
def test_a_tool_in_a_frame_is_told_of_the_storage(bridge: Bridge13) -> None:
    assert bridge.login("framed")["lti_storage_target"] == "_parent"
    page = bridge.launch("framed")
    assert f'data-origins="{TOOL}"' in page.text
    assert "frame-src" in page.headers["Content-Security-Policy"]


@pytest.mark.spec("P13PM-09", "SECP-33")
def test_the_frame_is_allowed_what_is_configured(bridge: Bridge13) -> None:
    text = bridge.launch("framed").text
    assert 'allow="fullscreen"' in text
    [sandbox] = re.findall(r'sandbox="([^"]+)"', text)
    assert {"allow-forms", "allow-scripts", "allow-popups", "allow-same-origin"} <= set(
        sandbox.split(" ")
    )
    assert "allow-top-navigation" not in sandbox.split(" ")


def test_a_frame_is_offered_a_window_of_its_own(bridge: Bridge13) -> None:
    page = bridge.launch()
    elsewhere = page.form(1)
    assert elsewhere.action == f"{PUBLIC}/course/go-on"
    first = dict(page.form().fields)
    opened = bridge.post("/course/go-on", elsewhere.fields)
    again = dict(opened.form().fields)
    assert len(opened.forms()) == 1
    assert again["lti_message_hint"] != first["lti_message_hint"]
    assert opened.headers.getlist("Set-Cookie")


def test_a_window_has_other_cookies_than_the_frame(bridge: Bridge13) -> None:
    """The frame's page is that of one browser's cookie, which the window may not have."""
    for _ in range(2):  # the first one leaves the cookie
        page = bridge.launch(roles="Instructor", user_id="tess")
    token = dict(page.form().fields)
    window = another_browser(bridge)
    assert window.post("/course/go-on", token).status == 403
    framed = bridge.post("/course/go-on", token, dest="iframe")
    assert dict(framed.form(1).fields)["token"] != token["token"]
    opened = window.post("/course/go-on", framed.form(1).fields, dest="document")
    assert "lti_message_hint" in dict(opened.form().fields)
