"""What a Launch says for what the claims say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.core.launch.message import (
    Context,
    GradeTarget,
    Launch,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)
from lti_bridge.errors import MessageRefused
from lti_bridge.lms.reading import launch_from_claims
from tests.lms.platform13 import LTI, NOW, ROLE, TARGET, World
from tests.lms.platform13 import Platform as Lms

AGS = "https://purl.imsglobal.org/spec/lti-ags/"
BO = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
CAPTURED = json.loads(Path(__file__).with_name("captured_launch13.json").read_text("utf-8"))


def read(lti: Any = "1.3", **claims: Any) -> Launch:
    full = {name if ":" in name or name in PLAIN else LTI + name: v for name, v in claims.items()}
    once = Once("s", "v", NOW)
    return launch_from_claims(full, registration="r", lti=lti, once=once, received_at=NOW)


PLAIN = ("sub", "name", "given_name", "email", "locale", "picture")


def captured(**changes: Any) -> Launch:
    """The captured launch, brought to another bridge and signed with another key."""
    lms = Lms("campus", issuer=CAPTURED["iss"], client_id=CAPTURED["aud"])
    login = World(lms).login()
    claims = login.claims(**(CAPTURED | {f"{LTI}target_link_uri": TARGET} | changes))
    moments = {"nonce": login.nonce, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}
    return login.post(lms.sign(claims | moments))


def test_a_launch_captured_from_a_real_lms() -> None:
    launch = captured()
    services = "http://127.0.0.1:8600/mod/lti/services.php"
    assert launch.registration == "campus"
    assert launch.deployment_id == "2"
    assert launch.person == Person(
        id="4",
        given_name="Stu",
        family_name="Dent",
        full_name="Stu Dent",
        email="student1@example.invalid",
        username="student1",
        sourced_id="SIS-S1",
    )
    assert launch.context == Context(
        id="2",
        label="LTI101",
        title="LTI Course One",
        types=("http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection",),
        section_sourced_id="SIS-LTI101",
    )
    assert launch.resource_link == ResourceLink(
        id="2", title="Echo 1.3 aktivität", description="Intro line 1\r\n\r\nZeile 2 ü & BOLD"
    )
    assert launch.platform == Platform(
        guid="3b8e6324ee9a02374982deabf8953a75",
        name="ltilab",
        family="moodle",
        version="2024100706",
        description="Moodle LTI lab",
    )
    assert launch.presentation.target == "window"
    assert launch.presentation.locale == "en"
    assert launch.presentation.return_url.startswith("http://127.0.0.1:8600/mod/lti/return.php?")
    assert launch.grade_target == GradeTarget(
        outcome_url="http://127.0.0.1:8600/mod/lti/service.php",
        sourced_id=CAPTURED[BO]["lis_result_sourcedid"],
        line_item=f"{services}/2/lineitems/6/lineitem?type_id=2",
        line_items=f"{services}/2/lineitems?type_id=2",
        scopes=tuple(
            f"{AGS}scope/{name}"
            for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")
        ),
    )
    assert (launch.roles, launch.main_role) == ((f"{ROLE}Learner",), "learner")
    assert launch.custom["Upper Case"] == launch.custom["upper_case"] == "Yes"
    assert launch.custom["hist"] == ""
    assert not {"unsup", "unsup2", "escaped"} & set(launch.custom)
    assert len(launch.custom) == len(CAPTURED[f"{LTI}custom"]) - 3
    assert launch.extra[NRPS] == CAPTURED[NRPS]


@pytest.mark.spec("T13RL-17")
def test_a_real_lms_with_privacy_on_sends_null() -> None:
    custom = CAPTURED[f"{LTI}custom"] | {"full": None, "email": None}
    nothing = dict.fromkeys(("name", "given_name", "family_name", "email"))
    launch = captured(**{f"{LTI}custom": custom, f"{LTI}ext": {"lms": "moodle-2"}}, **nothing)
    assert launch.person == Person(id="4", sourced_id="SIS-S1")
    assert "full" not in launch.custom
    assert "email" not in launch.custom


@pytest.mark.spec("T13RL-17", "T13RL-18")
def test_custom_parameters() -> None:
    sent = {
        "text": "a",
        "empty": "",
        "null": None,
        "number": 7,
        "object": {},
        "unresolved": "$ResourceLink.submission.endDateTime",
        "vendor": "$com.example.Foo.bar",
        "price": "$5.00",
        "sentence": "$User.id is the user",
        "date": "",
    }
    assert read(custom=sent).custom == {
        "text": "a",
        "empty": "",
        "price": "$5.00",
        "sentence": "$User.id is the user",
        "date": "",
    }


@pytest.mark.spec("T13RL-14")
def test_contexts() -> None:
    course = "http://purl.imsglobal.org/vocab/lis/v2/course#"
    types = [
        "CourseSection",
        "urn:lti:context-type:ims/lis/Group",
        f"{course}CourseOffering",
        "x:y",
    ]
    assert read(context={"id": "c", "type": types}).context.types == (
        f"{course}CourseSection",
        f"{course}Group",
        f"{course}CourseOffering",
        "x:y",
    )
    for bad in ({"title": "no id"}, {"id": ""}, {"id": 7.5}, "c", {"id": "c", "type": "Group"}):
        with pytest.raises(MessageRefused):
            read(context=bad)
    assert read().context == Context()
    assert read(context={"id": 7, "label": 101}).context == Context(id="7", label="101")


@pytest.mark.spec("T13RL-15")
def test_a_platform_without_guid_is_fine() -> None:
    assert read(tool_platform={"name": "Campus"}).platform == Platform(name="Campus")
    assert read().platform == Platform()


@pytest.mark.spec("T13RL-16")
def test_only_a_mentor_has_mentees() -> None:
    mentees = ["user-1", "user-2"]
    assert read(roles=[f"{ROLE}Mentor"], role_scope_mentor=mentees).mentor_scope == tuple(mentees)
    assert read(roles=[f"{ROLE}Learner"], role_scope_mentor=mentees).mentor_scope == ()
    institution = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Mentor"
    assert read(roles=[institution], role_scope_mentor=mentees).mentor_scope == ()


@pytest.mark.parametrize(
    ("role", "standing"),
    [
        (f"{ROLE}Instructor", "staff"),
        (f"{ROLE}Administrator", "staff"),
        (f"{ROLE}ContentDeveloper", "staff"),
        ("http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant", "staff"),
        ("http://purl.imsglobal.org/vocab/lis/v2/membership/Learner#Instructor", "learner"),
        ("http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor", "guest"),
        ("http://purl.imsglobal.org/vocab/lis/v2/system/person#Administrator", "observer"),
        ("http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator", "observer"),
        ("xInstructorx", "guest"),
        (f"{ROLE}Mentor", "observer"),
        ("http://purl.imsglobal.org/vocab/lis/v2/membership/Manager#Observer", "observer"),
    ],
)
def test_what_a_role_makes_somebody(role: str, standing: str) -> None:
    assert read(roles=[role]).main_role == standing


def test_the_lms_s_pretend_student_is_marked() -> None:
    test_user = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
    launch = read(roles=[f"{ROLE}Learner", test_user])
    assert (launch.main_role, launch.test_user) == ("learner", True)
    assert not read(roles=[f"{ROLE}Learner"]).test_user


@pytest.mark.spec("T13RL-20")
def test_presentations() -> None:
    sent = {
        "document_target": "hologram",
        "width": 800,
        "height": "600px",
        "locale": "de",
        "return_url": "https://lms.example.edu/back?x=1",
        "css_url": "javascript:alert(1)",
    }
    assert read(launch_presentation=sent).presentation == Presentation(
        target="hologram",
        width=800,
        height=600,
        locale="de",
        return_url="https://lms.example.edu/back?x=1",
    )
    odd = {"width": "100%", "height": 10**9}
    assert read(launch_presentation=odd, locale="fr").presentation == Presentation(locale="fr")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example.org"])
def test_addresses_that_are_no_web_pages_are_left_out(url: str) -> None:
    launch = read(launch_presentation={"return_url": url}, picture=url, tool_platform={"url": url})
    assert launch.presentation.return_url == launch.person.image == launch.platform.url == ""


@pytest.mark.spec("T13RL-21")
def test_lis_values_are_read_and_never_needed() -> None:
    sent = {"person_sourcedid": "p", "course_offering_sourcedid": "o"}
    assert read(lis=sent).person.sourced_id == "p"
    assert read(lis=sent).context.offering_sourced_id == "o"
    assert read(lis={}).person.sourced_id == read().person.sourced_id == ""


def test_services_are_taken_as_they_are() -> None:
    endpoint = {"lineitem": "https://lms.example.edu/i?x=1", "scope": [f"{AGS}scope/score"]}
    outcome = {"lis_outcome_service_url": "https://lms.example.edu/o"}
    target = read(**{f"{AGS}claim/endpoint": endpoint, BO: outcome}).grade_target
    assert target == GradeTarget(
        outcome_url="https://lms.example.edu/o",
        line_item="https://lms.example.edu/i?x=1",
        scopes=(f"{AGS}scope/score",),
    )


IDS = [
    ("deployment_id", "{}"),
    ("sub", "{}"),
    ("context", '{{"id": "{}"}}'),
    ("resource_link", '{{"id": "{}"}}'),
    ("tool_platform", '{{"guid": "{}"}}'),
]


@pytest.mark.spec("GEN-06", "T13RL-08")
@pytest.mark.parametrize(("claim", "form"), IDS)
def test_identifiers_have_at_most_255_ascii_characters(claim: str, form: str) -> None:
    def with_id(text: str) -> Any:
        filled = form.format(text)
        return json.loads(filled) if filled.startswith("{") else filled

    read(**{claim: with_id("x" * 255)})
    for bad in ("x" * 256, "ü"):
        with pytest.raises(MessageRefused):
            read(**{claim: with_id(bad)})
    assert read(**{claim: with_id("Ab")}) != read(**{claim: with_id("aB")})


@pytest.mark.spec("T11L-14")
def test_an_lti_11_user_id_may_be_any_unicode() -> None:
    assert read("1.1", sub="ü" * 255).person.id == "ü" * 255
    with pytest.raises(MessageRefused):
        read("1.1", sub="ü" * 256)


@pytest.mark.parametrize("text", ["a\0", "\ud800"])
@pytest.mark.parametrize(
    "claims",
    [
        lambda text: {"name": text},
        lambda text: {"custom": {"a": text}},
        lambda text: {"custom": {text: "a"}},
        lambda text: {"roles": [text]},
        lambda text: {NRPS: {"service_versions": [text]}},
        lambda text: {NRPS: {"a": {text: 1}}},
        lambda text: {"target_link_uri": text},
    ],
)
def test_text_that_cannot_be_stored_is_refused(claims: Any, text: str) -> None:
    read(**claims("fine"))
    with pytest.raises(MessageRefused):
        read(**claims(text))


def test_a_claim_that_is_kept_whole_has_a_depth_that_can_be_stored() -> None:
    read(**{NRPS: json.loads('{"a":' * 15 + "1" + "}" * 15)})
    with pytest.raises(MessageRefused):
        read(**{NRPS: json.loads('{"a":' * 25 + "1" + "}" * 25)})


def test_surrounding_space_is_kept() -> None:
    assert read(sub=" 7 ", context={"id": " c "}).person.id == " 7 "
