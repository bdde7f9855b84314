"""What an id_token says: about the launch, about the person, and what it keeps to itself."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from lti_bridge.lti import ags, claims
from lti_bridge.lti.scopes import BASIC_OUTCOME_SCOPE
from tests.platform.bridge13 import LTI, MEMBERSHIP, PUBLIC, TOOL, Bridge13, another_browser, answer

PERSONAL = (
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "picture",
    "email",
    f"{LTI}lis",
)
STUDENT = {"user_id": "ann"}
TEACHER: dict[str, str | None] = {"user_id": "tess", "roles": "Instructor"}
RICH = {
    "lis_person_name_middle": "Q.",
    "lis_person_sourcedid": "sis:ann",
    "user_image": "https://lms.example.edu/ann.png",
    "context_label": " DS ",
    "context_type": "CourseSection",
    "resource_link_title": "Test one\n",
    "launch_presentation_locale": "fr-FR",
    "launch_presentation_document_target": "iframe",
}


def by_preview(bridge: Bridge13, activity: str, **changes: str | None) -> dict[str, Any]:
    """The claims that staff get, who see a page of the bridge first."""
    page = bridge.launch(activity, **changes)
    login = dict(bridge.post("/course/go-on", page.form().fields).form().fields)
    token = answer(bridge.authorize(login))["id_token"]
    return bridge.verified(token, login["client_id"])


def texts(value: Any) -> Iterator[str]:
    """Every text in a claim."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


@pytest.mark.spec("P13ID-01", "P13ID-02", "P13ID-03", "CERTP-03", "CERTP-09", "GEN-08")
def test_the_token_is_signed_and_for_one_tool_and_minute(bridge: Bridge13) -> None:
    login = bridge.login()
    token = answer(bridge.authorize(login, nonce="n-1"))["id_token"]
    header = jwt.get_unverified_header(token)
    keys = {key["kid"] for key in json.loads(bridge.get("/platform/jwks").text)["keys"]}
    assert header["alg"] == "RS256"
    assert header["typ"] == "JWT"
    assert header["kid"] in keys
    found = bridge.verified(token, "client-of-full")
    assert found["iss"] == PUBLIC
    assert found["aud"] == "client-of-full"
    assert found["nonce"] == "n-1"
    assert found.get("azp", "client-of-full") == "client-of-full"
    assert type(found["iat"]) is int
    assert 0 < found["exp"] - found["iat"] <= 600


@pytest.mark.spec("P13ID-04")
def test_the_subject_is_a_lasting_pseudonym_of_its_own_for_each_tool(bridge: Bridge13) -> None:
    first, again = bridge.claims("full", **STUDENT), bridge.claims("full", **STUDENT)
    other, elsewhere = bridge.claims("full", user_id="ben"), bridge.claims("shy", **STUDENT)
    assert first["sub"] == again["sub"]
    assert len({first["sub"], other["sub"], elsewhere["sub"]}) == 3
    assert "ann" not in first["sub"]
    assert first["sub"].isascii()
    assert len(first["sub"]) <= 255


@pytest.mark.spec("P13ID-05", "CERTP-02", "CERTP-03")
@pytest.mark.parametrize("activity", ["full", "shy"])
@pytest.mark.parametrize("who", ["student", "teacher"])
def test_the_four_core_payloads_are_complete(bridge: Bridge13, activity: str, who: str) -> None:
    if who == "student":
        found = bridge.claims(activity, **STUDENT)
    else:
        found = by_preview(bridge, activity, **TEACHER)
    assert found[f"{LTI}message_type"] == "LtiResourceLinkRequest"
    assert found[f"{LTI}version"] == "1.3.0"
    assert found[f"{LTI}deployment_id"] == f"deployment of {activity}"
    assert found[f"{LTI}target_link_uri"] == f"{TOOL}/{activity}"
    assert found[f"{LTI}resource_link"]["id"]
    role = "Learner" if who == "student" else "Instructor"
    assert found[f"{LTI}roles"] == [f"{MEMBERSHIP}#{role}"]


@pytest.mark.spec("P13ID-06")
def test_an_anonymous_launch_names_nobody(bridge: Bridge13) -> None:
    found = by_preview(bridge, "full", **{**TEACHER, **RICH, "user_id": None})
    assert "sub" not in found
    assert not set(PERSONAL) & set(found)
    assert found[f"{LTI}roles"] == [f"{MEMBERSHIP}#Instructor"]


@pytest.mark.spec("P13ID-06")
def test_roles_are_sent_even_when_there_are_none(bridge: Bridge13) -> None:
    assert bridge.claims("full", roles="Nonsense", lis_result_sourcedid=None)[f"{LTI}roles"] == []


@pytest.mark.spec("P13ID-07", "P13ID-08")
def test_a_sub_role_comes_with_its_principal_role(bridge: Bridge13) -> None:
    found = bridge.claims("full", roles="urn:lti:role:ims/lis/Learner/GuestLearner")
    assert set(found[f"{LTI}roles"]) == {
        f"{MEMBERSHIP}#Learner",
        f"{MEMBERSHIP}/Learner#GuestLearner",
    }
    found = by_preview(bridge, "full", user_id="tess", roles="TeachingAssistant")
    assert f"{MEMBERSHIP}#Instructor" in found[f"{LTI}roles"]
    assert not any("Learner" in role for role in found[f"{LTI}roles"])


@pytest.mark.spec("P13ID-08")
def test_roles_outside_the_course_stay_here(bridge: Bridge13) -> None:
    roles = "Learner,urn:lti:sysrole:ims/lis/SysAdmin,urn:lti:instrole:ims/lis/Faculty"
    assert bridge.claims("full", roles=roles)[f"{LTI}roles"] == [f"{MEMBERSHIP}#Learner"]


@pytest.mark.spec("P13ID-09", "CERTP-04")
@pytest.mark.parametrize("who", ["student", "teacher"])
def test_a_tool_that_may_know_nobody_is_told_of_nobody(bridge: Bridge13, who: str) -> None:
    if who == "student":
        found = bridge.claims("shy", **STUDENT, **RICH)
    else:
        found = by_preview(bridge, "shy", **TEACHER, **RICH)
    assert not set(PERSONAL) & set(found)
    assert found[f"{LTI}custom"]["who"] == ""
    assert not [text for text in texts(found) if "Ann" in text or "exampleton" in text.lower()]


@pytest.mark.spec("CERTP-02")
def test_a_tool_that_may_know_people_is_told(bridge: Bridge13) -> None:
    found = bridge.claims("full", **STUDENT, **RICH)
    assert found["name"] == "Ann Exampleton"
    assert found["given_name"] == "Ann"
    assert found["family_name"] == "Exampleton"
    assert found["middle_name"] == "Q."
    assert found["email"] == "ann.exampleton@example.edu"
    assert found["picture"] == "https://lms.example.edu/ann.png"
    assert found[f"{LTI}lis"]["person_sourcedid"] == "sis:ann"
    assert found[f"{LTI}custom"]["who"] == "Ann"


@pytest.mark.spec("P13ID-10", "CERTP-03")
def test_no_text_begins_or_ends_with_white_space(bridge: Bridge13) -> None:
    found = bridge.claims("full", **STUDENT, **RICH)
    assert found[f"{LTI}context"]["label"] == "DS"
    assert found[f"{LTI}resource_link"]["title"] == "Test one"
    assert [text for text in texts(found) if text != text.strip()] == []


@pytest.mark.spec("P13ID-11")
def test_custom_values_are_texts(bridge: Bridge13) -> None:
    found = bridge.claims("full", **STUDENT)
    assert found[f"{LTI}custom"] == {
        "who": "Ann",
        "course": found[f"{LTI}context"]["id"],
        "plain": "1",
    }
    assert all(isinstance(value, str) for value in found[f"{LTI}custom"].values())


@pytest.mark.spec("P13ID-12")
def test_a_course_has_an_id_of_its_own_and_a_kind(bridge: Bridge13) -> None:
    course = "http://purl.imsglobal.org/vocab/lis/v2/course#"
    at = {"resource_link_id": "of-two-courses"}
    first, again = (bridge.claims("full", context_id="1", **at) for _ in range(2))
    moved = bridge.claims("full", context_id="2", **at)  # who began there is still there
    other = bridge.claims("full", context_id="2", context_type="Group", user_id="ben", **at)
    assert first[f"{LTI}context"]["id"] == again[f"{LTI}context"]["id"]
    assert first[f"{LTI}context"]["id"] == moved[f"{LTI}context"]["id"]
    assert first[f"{LTI}context"]["id"] != other[f"{LTI}context"]["id"]
    assert first[f"{LTI}context"]["type"] == [f"{course}CourseSection"]
    assert other[f"{LTI}context"]["type"] == [f"{course}Group"]
    at = {"resource_link_id": "of-no-course"}
    assert f"{LTI}context" not in bridge.claims("full", context_id=None, **at)


@pytest.mark.spec("P13ID-13")
def test_nobody_is_told_whom_a_learner_looks_after(bridge: Bridge13) -> None:
    found = bridge.claims("full", role_scope_mentor="ben,tom")
    assert f"{LTI}role_scope_mentor" not in found


@pytest.mark.spec("P13ID-14")
def test_the_presentation_has_a_way_back_that_takes_messages(bridge: Bridge13) -> None:
    presentation = bridge.claims("full", **RICH)[f"{LTI}launch_presentation"]
    assert presentation["document_target"] == "iframe"
    assert presentation["locale"] == "fr-FR"
    assert presentation["return_url"].startswith(f"{PUBLIC}/platform/return/")
    words = {
        name: f"said {name}" for name in ("lti_msg", "lti_errormsg", "lti_log", "lti_errorlog")
    }
    query = "&".join(f"{name}={value}" for name, value in words.items())
    page = bridge.get(presentation["return_url"].removeprefix(PUBLIC) + f"?{query}")
    assert page.status == 200
    assert "said lti_msg" in page.text
    assert "said lti_errormsg" in page.text
    framed = bridge.claims("framed", launch_presentation_document_target="window")
    assert framed[f"{LTI}launch_presentation"]["document_target"] == "iframe"


@pytest.mark.spec("P13ID-15", "P13BO-01")
def test_each_service_has_its_claim_with_whole_addresses(bridge: Bridge13) -> None:
    found = bridge.claims("full", **STUDENT)
    endpoint = found[claims.AGS_ENDPOINT]
    assert set(endpoint["scope"]) == {
        ags.LINE_ITEM,
        ags.LINE_ITEM_READ,
        ags.RESULT_READ,
        ags.SCORE,
    }
    course = found[f"{LTI}context"]["id"]
    assert endpoint["lineitems"] == f"{PUBLIC}/platform/{course}/lineitems"
    assert endpoint["lineitem"].startswith(f"{endpoint['lineitems']}/")
    outcome = found[claims.BASIC_OUTCOME]
    assert outcome["lis_outcome_service_url"] == f"{PUBLIC}/platform/outcomes"
    assert outcome["lis_result_sourcedid"]
    assert claims.NRPS not in found


@pytest.mark.spec("P13ID-15")
def test_a_tool_is_offered_only_what_its_registration_allows(bridge: Bridge13) -> None:
    found = bridge.claims("shy", **STUDENT)
    assert not {claims.AGS_ENDPOINT, claims.BASIC_OUTCOME} & set(found)
    found = bridge.claims("framed", **STUDENT)
    assert claims.AGS_ENDPOINT not in found
    assert claims.BASIC_OUTCOME in found
    assert BASIC_OUTCOME_SCOPE.endswith("basicoutcome")


@pytest.mark.spec("P13ID-15")
def test_there_is_no_line_item_where_the_lms_wants_no_grade(bridge: Bridge13) -> None:
    found = bridge.claims("full", lis_result_sourcedid=None, resource_link_id="ungraded")
    assert "lineitem" not in found[claims.AGS_ENDPOINT]
    assert claims.BASIC_OUTCOME not in found


def test_the_line_item_of_a_link_stays_the_same(bridge: Bridge13) -> None:
    mine = bridge.claims("full", **STUDENT)[claims.AGS_ENDPOINT]["lineitem"]
    other = bridge.claims("full", user_id="ben", lis_result_sourcedid="cell-of-ben")
    third = bridge.claims("full", **STUDENT, resource_link_id="link-2")
    assert other[claims.AGS_ENDPOINT]["lineitem"] == mine
    assert third[claims.AGS_ENDPOINT]["lineitem"] != mine


@pytest.mark.spec("P13ID-16")
def test_each_placement_is_a_link_of_its_own(bridge: Bridge13) -> None:
    def link(**changes: str | None) -> str:
        found = bridge.claims("full", **{"resource_link_id": "original", **changes})
        return str(found[f"{LTI}resource_link"]["id"])

    assert link() == link()
    assert link(context_id="moved") == link()  # who began there is still there
    copies = [link(), link(resource_link_id="copy"), link(context_id="course-2", user_id="ben")]
    assert len({*copies}) == 3


@pytest.mark.spec("P13ID-17")
def test_the_platform_says_who_it_is(bridge: Bridge13) -> None:
    platform = bridge.claims("full")[f"{LTI}tool_platform"]
    assert platform["guid"] == "bridge.example.edu/lti-bridge"
    assert platform["product_family_code"] == "lti-bridge"


@pytest.mark.spec("P13ID-18")
def test_a_tool_of_former_times_is_shown_the_proof(bridge: Bridge13) -> None:
    found = bridge.claims("framed")
    said = ("179248902", "deployment of framed", PUBLIC, "client-of-framed")
    base = "&".join((*said, str(found["exp"]), found["nonce"])).encode()
    seal = base64.b64encode(hmac.digest(b"my-lti11-secret", base, "sha256")).decode()
    assert found[f"{LTI}lti1p1"] == {
        "oauth_consumer_key": "179248902",
        "oauth_consumer_key_sign": seal,
    }
    assert f"{LTI}lti1p1" not in bridge.claims("full")


@pytest.mark.spec("P13K-01", "P13K-02", "P13K-04")
def test_the_key_set_is_public_and_holds_public_keys_only(bridge: Bridge13) -> None:
    page = bridge.get("/platform/jwks")
    assert page.status == 200
    assert page.headers["Content-Type"] == "application/json"
    assert page.headers["Cache-Control"] == "public, max-age=600"
    keys = json.loads(page.text)["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "kid", "n", "e", "alg", "use"}
        assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
        assert "=" not in key["n"] + key["e"]
        assert len(key["n"]) >= 342  # 2048 bits
    tool_keys = json.loads(bridge.get("/lti/jwks").text)["keys"]
    assert not {key["kid"] for key in keys} & {key["kid"] for key in tool_keys}


@pytest.mark.spec("P13K-01")
def test_whoever_has_the_key_set_gets_it_no_second_time(bridge: Bridge13) -> None:
    first = bridge.get("/platform/jwks")
    client = another_browser(bridge).client
    headers = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/platform/jwks", base_url=PUBLIC, headers=headers)
    assert again.status_code == 304
    assert again.data == b""


def test_texts_of_blanks_alone_are_left_out(bridge: Bridge13) -> None:
    blank = {"context_label": " ", "context_title": "\t", "resource_link_description": " "}
    found = bridge.claims("full", **blank, lis_person_name_given=" ", lis_result_sourcedid="x")
    assert set(found[f"{LTI}context"]) <= {"id", "type"}
    assert "description" not in found[f"{LTI}resource_link"]
    assert "" not in found.values()
