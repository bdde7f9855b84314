"""Substitution variables in the custom values of an activity."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.core.launch.identity import PERSON_FIELDS
from lti_bridge.core.launch.message import (
    Context,
    Launch,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)
from lti_bridge.core.launch.variables import (
    Bindings,
    literal,
    resolve,
    unknown,
    variable_in,
    variables,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
MENTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Mentor"
SECTION = "http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"

LAUNCH = Launch(
    registration="campus",
    lti="1.3",
    once=Once("nonce", "n1", NOON),
    received_at=NOON,
    person=Person(
        id="lms-user-4",
        given_name="Given-Ada",
        family_name="Family-Example",
        middle_name="Middle-Mary",
        full_name="Full-Name",
        email="person@example.edu",
        username="login-1",
        sourced_id="SIS-person-4",
        image="https://lms.example.edu/face.png",
    ),
    context=Context("lms-course-2", "LTI101", "Course One", (SECTION,), "SEC-1", "OFF-1"),
    resource_link=ResourceLink("lms-link-1", "Test one", "Read this first"),
    platform=Platform(
        "guid-1",
        "Campus",
        "moodle",
        "2024",
        "Campus LMS",
        "https://lms.example.edu",
        "it@example.edu",
    ),
    presentation=Presentation(
        "iframe", 800, 0, "fr-FR", "https://lms.example.edu/return?sesskey=1"
    ),
    roles=(LEARNER, MENTOR),
)
BINDINGS = Bindings(
    privacy=PERSON_FIELDS,
    user_id="pseudonym",
    resource_link_id="bridge-link",
    context_id="bridge-course",
    sourced_id="bridge-result",
    outcome_url="https://bridge.example.edu/platform/outcomes",
    return_url="https://bridge.example.edu/platform/return/1",
    mentor_scope=("p 1", "p,2"),
    extra_time_percent=25,
)
ANSWERS = {
    "User.id": "pseudonym",
    "User.image": "https://lms.example.edu/face.png",
    "User.username": "login-1",
    "User.scope.mentor": "p%201,p%2C2",
    "Person.sourcedId": "SIS-person-4",
    "Person.name.full": "Full-Name",
    "Person.name.family": "Family-Example",
    "Person.name.given": "Given-Ada",
    "Person.name.middle": "Middle-Mary",
    "Person.email.primary": "person@example.edu",
    "Context.id": "bridge-course",
    "Context.type": SECTION,
    "Context.label": "LTI101",
    "Context.title": "Course One",
    "Context.sourcedId": "SEC-1",
    "CourseSection.sourcedId": "SEC-1",
    "CourseSection.label": "LTI101",
    "CourseSection.title": "Course One",
    "CourseOffering.sourcedId": "OFF-1",
    "ResourceLink.id": "bridge-link",
    "ResourceLink.title": "Test one",
    "ResourceLink.description": "Read this first",
    "Membership.role": f"{LEARNER},{MENTOR}",
    "Message.returnUrl": "https://bridge.example.edu/platform/return/1",
    "Message.documentTarget": "iframe",
    "Message.height": "",
    "Message.width": "800",
    "Message.locale": "fr-FR",
    "ToolPlatform.productFamilyCode": "moodle",
    "ToolPlatform.version": "2024",
    "ToolPlatformInstance.guid": "guid-1",
    "ToolPlatformInstance.name": "Campus",
    "ToolPlatformInstance.description": "Campus LMS",
    "ToolPlatformInstance.url": "https://lms.example.edu",
    "ToolPlatformInstance.contactEmail": "it@example.edu",
    "Result.sourcedId": "bridge-result",
    "org.lti-bridge.Learner.extraTimePercent": "25",
    "BasicOutcome.url": "https://bridge.example.edu/platform/outcomes",
}
RELAYED = {name for name, _ in variables()} - ANSWERS.keys()


def value_of(written: str, launch: Launch = LAUNCH, bindings: Bindings = BINDINGS) -> str:
    return resolve({"x": written}, launch, bindings).values["x"]


def with_custom(**custom: str) -> Launch:
    return replace(LAUNCH, custom=custom)


@pytest.mark.spec("P11L-08")
@pytest.mark.parametrize(("name", "expected"), ANSWERS.items())
def test_a_supported_variable_gives_its_value(name: str, expected: str) -> None:
    assert resolve({"x": f"${name}"}, LAUNCH, BINDINGS).values == {"x": expected}


@pytest.mark.spec("P11L-08")
@pytest.mark.parametrize("name", ANSWERS)
def test_a_supported_variable_without_value_is_empty(name: str) -> None:
    bare = Launch("campus", "1.3", LAUNCH.once, NOON)
    resolved = resolve({"x": f"${name}"}, bare, Bindings(privacy=PERSON_FIELDS))
    assert resolved.values == {"x": ""}
    assert resolved.unresolved == ()


@pytest.mark.spec("P11L-08")
@pytest.mark.parametrize(
    "name", ["Foo.bar", "Person.gender", "user.id", "Canvas.course.id", "LineItem.url", "Foo"]
)
def test_an_unsupported_variable_stays_as_written(name: str) -> None:
    resolved = resolve({"x": f"${name}", "y": f"${name}", "z": "plain"}, LAUNCH, BINDINGS)
    assert resolved.values == {"x": f"${name}", "y": f"${name}", "z": "plain"}
    assert resolved.unresolved == (name,)


@pytest.mark.parametrize(
    "text",
    ["", "363", "$", "$5", "a $User.id", "${User.id}", "$User.id ", " $User.id", "$User.id\n"],
)
def test_only_a_whole_value_is_a_variable(text: str) -> None:
    assert value_of(text) == text


def test_a_backslash_keeps_a_variable_from_being_one() -> None:
    resolved = resolve({"x": r"\$User.id", "y": r"\$Foo.bar", "z": r"\n"}, LAUNCH, BINDINGS)
    assert resolved.values == {"x": "$User.id", "y": "$Foo.bar", "z": r"\n"}
    assert resolved.unresolved == ()


@given(st.text(max_size=6) | st.from_regex(r"\\{0,3}\$[A-Z][a-z.]{0,4}", fullmatch=True))
def test_a_literal_comes_out_as_it_went_in(text: str) -> None:
    assert value_of(literal(text)) == text
    assert variable_in(literal(text)) == ""


@pytest.mark.spec("BR-08")
def test_a_resolved_value_is_not_expanded_again() -> None:
    titled = replace(LAUNCH, resource_link=ResourceLink("1", "$Person.email.primary", ""))
    assert value_of("$ResourceLink.title", titled) == "$Person.email.primary"
    relayed = with_custom(context_id_history=r"\$User.id")
    assert value_of("$Context.id.history", relayed) == r"\$User.id"


@pytest.mark.spec("BR-08")
def test_another_tenants_launch_leaves_no_trace() -> None:
    other = Launch(
        "other-lms", "1.1", Once("nonce", "n1", NOON), NOON, person=Person(id="lms-user-4")
    )
    values = {name: f"${name}" for name, _ in variables()}
    before = resolve(values, other, Bindings(PERSON_FIELDS))
    resolve(values, LAUNCH, BINDINGS)
    assert resolve(values, other, Bindings(PERSON_FIELDS)) == before
    assert set(before.values.values()) == {""} | {f"${name}" for name in RELAYED}


@given(
    privacy=st.frozensets(st.sampled_from(sorted(PERSON_FIELDS))),
    values=st.dictionaries(
        st.text(max_size=5),
        st.sampled_from([f"${name}" for name, _ in variables()])
        | st.from_regex(r"\\?\$(Person|User)\.[a-zA-Z.]{0,12}", fullmatch=True)
        | st.sampled_from(["$User.username.full", "$Person.name", "$$User.image"]),
    ),
)
def test_what_privacy_forbids_is_nowhere_in_the_output(
    privacy: frozenset[str], values: dict[str, str]
) -> None:
    resolved = resolve(values, LAUNCH, replace(BINDINGS, privacy=privacy))
    output = repr(resolved)
    person = asdict(LAUNCH.person)
    for field in {*PERSON_FIELDS - privacy, "id"}:
        assert person[field] not in output


def test_ids_of_the_lms_stay_inside() -> None:
    values = {name: f"${name}" for name, _ in variables()}
    output = repr(resolve(values, LAUNCH, BINDINGS))
    assert not [
        word for word in ("lms-user", "lms-course", "lms-link", "sesskey") if word in output
    ]


@pytest.mark.parametrize("name", sorted(RELAYED))
def test_what_only_the_lms_knows_comes_from_the_links_custom_parameters(name: str) -> None:
    lti11_name = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    for key in (name, lti11_name):
        assert value_of(f"${name}", with_custom(**{key: "2026-01-05T12:00:00Z"})) == (
            "2026-01-05T12:00:00Z"
        )
    assert resolve({"x": f"${name}"}, LAUNCH, BINDINGS).unresolved == (name,)


@pytest.mark.spec("T13RL-18")
def test_an_empty_date_stays_empty() -> None:
    name = "ResourceLink.available.endDateTime"
    resolved = resolve(
        {"x": f"${name}"}, with_custom(resourcelink_available_enddatetime=""), BINDINGS
    )
    assert resolved.values == {"x": ""}
    assert resolved.unresolved == ()


def test_a_variable_that_the_lms_sent_back_is_no_value() -> None:
    name = "ResourceLink.available.endDateTime"
    resolved = resolve({"x": f"${name}"}, with_custom(**{name: f"${name}"}), BINDINGS)
    assert resolved.values == {"x": f"${name}"}
    assert resolved.unresolved == (name,)


def test_custom_parameters_of_the_lms_answer_nothing_else() -> None:
    forged = with_custom(user_id="4", **{"Person.name.given": "Eve", "Foo.bar": "x"})
    assert value_of("$User.id", forged) == "pseudonym"
    assert value_of("$Person.name.given", forged, replace(BINDINGS, privacy=frozenset())) == ""
    assert value_of("$Foo.bar", forged) == "$Foo.bar"


def test_the_author_is_told_which_variables_are_unknown() -> None:
    values = {"a": "$User.id", "b": "$Foo.bar", "c": "$Foo.bar", "d": r"\$Bar", "e": "text"}
    assert unknown(values) == ["Foo.bar"]
    assert unknown({name: f"${name}" for name, _ in variables()}) == []


def test_every_variable_has_a_meaning() -> None:
    assert all(name and meaning for name, meaning in variables())
    assert len(dict(variables())) == len(variables())
