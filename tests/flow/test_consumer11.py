"""The LTI 1.1 launch that a provider gets: a signed form that survives browsers and titles."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from lti_bridge.core.launch.variables import variables
from lti_bridge.lti import claims
from tests.flow.browser import Browser
from tests.flow.scene import QUERY, TOOL_SECRET, Scene

OAUTH = {
    "callback",
    "consumer_key",
    "nonce",
    "signature",
    "signature_method",
    "timestamp",
    "version",
}
SCRIPT = "\"><script>alert(1)</script>'&amp;"
ODD_TEXTS = (
    SCRIPT,
    "one\ntwo\r\nthree\rfour\n\n",
    "Zoë & Łukasz 🦊 قاعة \u202e",
    " + %20 %2B * ~ = ; , \t ",
    "\n",
    "e\u0301 is not é",
    "a" * 5000,
)


@pytest.mark.spec("P11L-01", "P11L-06")
def test_the_launch_is_a_form_that_needs_no_script(scene: Scene) -> None:
    page = scene.campus.launch()
    assert page.form().method == "post"
    assert page.form().action == f"{scene.tool.running.url}/plain"
    assert 'accept-charset="utf-8"' in page.text
    assert "<button" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    arrived = scene.carry(page)
    assert arrived.content_type == "application/x-www-form-urlencoded"
    assert arrived.verifies(TOOL_SECRET)
    assert not arrived.verifies(TOOL_SECRET + "x")
    form = arrived.form
    assert {name.removeprefix("oauth_") for name in form if name.startswith("oauth_")} == OAUTH
    assert form["lti_message_type"] == "basic-lti-launch-request"
    assert form["lti_version"] == "LTI-1p0"
    assert form["resource_link_id"]
    assert form["oauth_callback"] == "about:blank"
    assert form["oauth_version"] == "1.0"
    assert form["oauth_consumer_key"] == "plain-key"
    assert form["oauth_signature_method"] == "HMAC-SHA1"


@pytest.mark.spec("P11L-01", "OA1-12")
def test_a_connection_may_sign_with_sha256(scene: Scene) -> None:
    arrived = scene.open(scene.campus, custom_activity="named")
    assert arrived.form["oauth_signature_method"] == "HMAC-SHA256"
    assert arrived.verifies(TOOL_SECRET)


def test_extra_time_is_a_custom_parameter(scene: Scene) -> None:
    config = str(scene.world.bridge.config)
    learner = {"user_id": "slow-1"}
    assert "custom_extended_time" not in scene.open(scene.campus, **learner).form
    given = ("learners", "adjust", "campus11", "slow-1", "plain", "--extra-time", "33")
    ran = CliRunner().invoke(main, [*given, "--config", config], catch_exceptions=False)
    assert "custom_extended_time" in ran.output
    assert scene.open(scene.campus, **learner).form["custom_extended_time"] == "33"
    assert "custom_extended_time" not in scene.open(scene.campus).form


@pytest.mark.spec("P11L-06")
def test_every_click_is_signed_anew(scene: Scene) -> None:
    forms = [scene.open(scene.campus).form for _ in range(5)]
    staff = scene.campus.launch(roles="Instructor")
    forms += [scene.carry(Browser().submit(staff)).form for _ in range(2)]
    nonces = [form["oauth_nonce"] for form in forms]
    assert len(set(nonces)) == 7
    assert all(re.fullmatch(r"[\w-]{22}", nonce) for nonce in nonces)
    assert all(abs(time.time() - int(form["oauth_timestamp"])) < 60 for form in forms)


@pytest.mark.spec("P11L-02", "P11L-03", "OA1-07")
def test_the_query_of_the_tools_address_travels_once(scene: Scene) -> None:
    arrived = scene.open(scene.campus, custom_activity="query")
    assert arrived.verifies(TOOL_SECRET)
    query = urlsplit(arrived.url).query
    assert parse_qsl(query, keep_blank_values=True) == parse_qsl(QUERY, keep_blank_values=True)
    assert not {"tag", "empty", "word"} & set(arrived.form)
    assert arrived.form["lti_message_type"] == "basic-lti-launch-request"
    assert arrived.form["user_id"] != "123"


@pytest.mark.spec("P11L-15", "P11L-01", "SECP-08")
@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_any_text_arrives_whole_and_harmless(scene: Scene, text: str) -> None:
    names = ("context_title", "context_label", "resource_link_title", "resource_link_description")
    odd = dict.fromkeys(names, text)
    page = scene.campus.launch(**odd, resource_link_id="odd")
    assert "<script>alert" not in page.text
    assert TOOL_SECRET not in page.text
    arrived = scene.carry(page)
    assert arrived.verifies(TOOL_SECRET)
    for name in names:
        assert arrived.form[name] == re.sub(r"\r\n|\r|\n", "\r\n", text)
    staff = scene.campus.launch(**odd, resource_link_id="odd", roles="Instructor")
    assert "<script>alert" not in staff.text


@pytest.mark.spec("P11L-02", "P11L-15")
def test_custom_values_of_any_kind_arrive(scene: Scene) -> None:
    values = {f"v{number}": text for number, text in enumerate(ODD_TEXTS)}
    values |= {"lti_version": "LTI-9", "oauth_nonce": "n", "empty": ""}
    arrived = scene.open(
        scene.twin,
        custom_activity=None,
        custom_connection="query",
        resource_link_id="odd",
        **{f"custom_tool_{name}": text for name, text in values.items()},
    )
    assert arrived.verifies(TOOL_SECRET)
    for name, value in values.items():
        assert arrived.form[f"custom_{name}"] == re.sub(r"\r\n|\r|\n", "\r\n", value)
    assert arrived.form["lti_version"] == "LTI-1p0"
    assert arrived.form["oauth_nonce"] != "n"


@pytest.mark.spec("P11L-11")
def test_course_link_platform_and_presentation_go_along(scene: Scene) -> None:
    form = scene.open(
        scene.campus,
        context_label="DS",
        context_type="CourseSection",
        resource_link_title="Test one",
        resource_link_description="The first",
        launch_presentation_locale="fr-FR",
        launch_presentation_width="800",
        launch_presentation_height="600px",
        launch_presentation_document_target="iframe",
        tool_consumer_instance_guid="campus.example.edu",
    ).form
    bridge = scene.world.bridge.url
    assert form["context_title"] == "Digital Skills"
    assert form["context_label"] == "DS"
    assert form["context_type"] == "CourseSection"
    assert form["resource_link_title"] == "Test one"
    assert form["resource_link_description"] == "The first"
    assert form["launch_presentation_locale"] == "fr-FR"
    assert form["launch_presentation_width"] == "800"
    assert form["launch_presentation_document_target"] == "iframe"
    assert form["launch_presentation_return_url"].startswith(f"{bridge}/platform/return/")
    assert form["tool_consumer_instance_guid"] == bridge.removeprefix("http://")
    assert form["tool_consumer_instance_name"] == "LTI Bridge"
    assert form["tool_consumer_info_product_family_code"] == "lti-bridge"


@pytest.mark.spec("P11L-13")
def test_one_outcome_address_for_everybody(scene: Scene) -> None:
    forms = [
        scene.open(scene.campus, user_id=user, lis_result_sourcedid=cell).form
        for user, cell in (("a", "cell-a"), ("b", "cell-b"), ("c", None))
    ]
    staff = Browser().submit(scene.campus.launch(roles="Instructor"))
    forms.append(scene.carry(staff).form)
    (address,) = {form["lis_outcome_service_url"] for form in forms}
    assert address == f"{scene.world.bridge.url}/platform/outcomes"
    assert len(address) <= 1023
    sourcedids = [form.get("lis_result_sourcedid") for form in forms]
    assert sourcedids[2:] == [None, None]
    assert len(set(sourcedids[:2])) == 2


@pytest.mark.spec("GEN-12")
def test_nothing_of_our_own_uses_a_name_of_the_standard(scene: Scene) -> None:
    groups = "User Person Context CourseSection CourseOffering ResourceLink Membership Message"
    standard = {*groups.split(), "ToolPlatform", "ToolPlatformInstance", "Result", "BasicOutcome"}
    for name, _ in variables():
        assert name.partition(".")[0] in standard or re.match(r"[a-z]+(\.[a-z0-9-]+)+\.[A-Z]", name)
    spec = "https://purl.imsglobal.org/spec/lti"
    table = {claim for _, claim, _ in claims.TABLE}
    plain = {"sub", "name", "given_name", "family_name", "middle_name", "email", "picture"}
    assert all(claim.startswith(spec) for claim in table - plain)
    sent = scene.open(scene.campus, custom_activity="named", ext_own="1").form
    known = {parameter for parameter, _, _ in claims.TABLE}
    known |= {"lti_message_type", "lti_version", "roles", "launch_presentation_document_target"}
    assert not {n for n in sent if not n.startswith(("oauth_", "custom_"))} - known
