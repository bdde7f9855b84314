"""The published certification launches of LTI Advantage: bad ones refused, good ones accepted."""

from __future__ import annotations

from typing import Any

import pytest

from lti_bridge.core.launch.message import Launch
from lti_bridge.errors import LaunchRefused
from tests.lms.platform13 import REMOVED, ROLE, Platform, World

PERSON = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
UNKNOWN = "http://purl.imsglobal.org/vocab/lis/v2/"
NAMES = {"name": "Ada Example", "given_name": "Ada", "family_name": "Example"}
EMAIL = {"email": "ada@example.edu"}
STUDENT, INSTRUCTOR = "40899", "39890"


def world() -> World:
    suite = Platform(
        "suite", issuer="https://ltiadvantagevalidator.imsglobal.org", client_id="imstester_3dfad6d"
    )
    return World(suite, deployment_ids=frozenset({"testdeploy"}))


def launch(sub: str, **changes: Any) -> Launch:
    login = world().login()
    return login.launch(**suite_claims(sub, **changes))


def suite_claims(sub: str, **changes: Any) -> dict[str, Any]:
    context = {"id": "8893483", "label": "c", "title": "c", "type": ["CourseSection"]}
    return {"sub": sub, "deployment_id": "testdeploy", "context": context} | changes


def refused(header: dict[str, Any] | None = None, payload: Any = None, **changes: Any) -> None:
    login = world().login()
    content = payload or login.claims(**suite_claims(STUDENT, **changes))
    with pytest.raises(LaunchRefused) as refusal:
        login.post(login.platform.sign(content, **(header or {})))
    assert refusal.value.status in (400, 401, 403)


@pytest.mark.spec("CERTT-01")
def test_no_kid() -> None:
    refused(header={"kid": REMOVED, "typ": REMOVED, "badtestonly": "12345"})


@pytest.mark.spec("CERTT-02")
def test_incorrect_kid() -> None:
    refused(header={"kid": "imstester_66067"})


@pytest.mark.spec("CERTT-03")
def test_wrong_version() -> None:
    refused(version="11.3")


@pytest.mark.spec("CERTT-04")
def test_no_version() -> None:
    refused(version=REMOVED)


@pytest.mark.spec("CERTT-05")
def test_invalid_message() -> None:
    refused(header=dict.fromkeys(("alg", "typ", "kid"), REMOVED), payload={"name": "badltilaunch"})
    refused(payload={"name": "badltilaunch"})


@pytest.mark.spec("CERTT-06")
def test_missing_claims() -> None:
    refused(message_type=REMOVED, version=REMOVED, roles=REMOVED)


@pytest.mark.spec("CERTT-07")
def test_incorrect_timestamps() -> None:
    refused(iat=11111, exp=22222)


@pytest.mark.spec("CERTT-08")
def test_no_message_type() -> None:
    refused(message_type=REMOVED)


@pytest.mark.spec("CERTT-09", "T13RL-03")
def test_no_roles() -> None:
    for roles in (REMOVED, None, f"{ROLE}Learner", {"0": f"{ROLE}Learner"}):
        refused(roles=roles)


@pytest.mark.spec("CERTT-10")
def test_no_deployment() -> None:
    refused(deployment_id=REMOVED)


@pytest.mark.spec("CERTT-11")
def test_no_resource_link() -> None:
    refused(resource_link=REMOVED)


@pytest.mark.spec("CERTT-12")
def test_no_user() -> None:
    login = world().login()
    with pytest.raises(LaunchRefused):
        login.launch(**suite_claims(""))


@pytest.mark.spec("CERTT-13")
@pytest.mark.parametrize(
    "change",
    [
        {"aud": "imstester_other"},
        {"iss": "https://lms.example.edu"},
        {"exp": 0},
        {"iat": "expired by ten minutes"},
        {"iat": "a day ahead"},
        {"nbf": "a day ahead"},
    ],
)
def test_further_bad_launches(change: dict[str, Any]) -> None:
    now = world().clock.now.timestamp()
    moments = {"expired by ten minutes": now - 661, "a day ahead": now + 86_400}
    refused(**{name: moments.get(value, value) for name, value in change.items()})


@pytest.mark.spec("CERTT-13")
def test_further_bad_tokens() -> None:
    for header in ({"alg": "none"}, {"alg": "HS256"}):
        refused(header=header)
    login = world().login()
    wrong = Platform("other").sign(login.claims(**suite_claims(STUDENT)), kid=login.platform.kid)
    with pytest.raises(LaunchRefused):
        login.post(wrong)
    login.state = ""
    with pytest.raises(LaunchRefused):
        login.launch(**suite_claims(STUDENT))


@pytest.mark.spec("CERTV-01", "CERTV-08")
@pytest.mark.parametrize(
    ("sub", "role", "standing"),
    [(INSTRUCTOR, "Instructor", "staff"), (STUDENT, "Learner", "learner")],
)
def test_valid_launches(sub: str, role: str, standing: str) -> None:
    opened = launch(sub, roles=[ROLE + role], **NAMES, **EMAIL)
    assert (opened.person.id, opened.main_role) == (sub, standing)
    assert (opened.person.full_name, opened.person.email) == ("Ada Example", "ada@example.edu")
    assert opened.context.id == "8893483"


@pytest.mark.spec("CERTV-02", "CERTV-09", "T13RL-07")
@pytest.mark.parametrize(
    ("roles", "standing"),
    [
        ([ROLE + "Instructor", PERSON + "Staff", PERSON + "Other"], "staff"),
        ([ROLE + "Learner", PERSON + "Student", PERSON + "Mentor"], "learner"),
        ([ROLE + "Learner", ROLE + "Instructor"], "staff"),
        ([ROLE + "Mentor", ROLE + "Learner"], "learner"),
    ],
)
def test_several_roles(roles: list[str], standing: str) -> None:
    opened = launch(STUDENT, roles=roles)
    assert opened.main_role == standing
    assert set(roles) <= set(opened.roles)


@pytest.mark.spec("CERTV-03", "CERTV-10", "T13RL-05")
@pytest.mark.parametrize(("role", "standing"), [("Instructor", "staff"), ("Learner", "learner")])
def test_short_roles(role: str, standing: str) -> None:
    opened = launch(STUDENT, roles=[role])
    assert (opened.roles, opened.main_role) == ((ROLE + role,), standing)


@pytest.mark.spec("CERTV-04", "CERTV-11", "T13RL-06", "AMB-02")
def test_unknown_roles() -> None:
    assert launch(INSTRUCTOR, roles=[UNKNOWN + "unknown/unknown#Helper"]).main_role == "guest"
    both = [ROLE + "Learner", UNKNOWN + "uknownrole/unknown#Unknown"]
    assert launch(STUDENT, roles=both).main_role == "learner"


@pytest.mark.spec("CERTV-05", "CERTV-12", "T13RL-04", "AMB-02")
@pytest.mark.parametrize("roles", [[], [""]])
@pytest.mark.parametrize("sub", [INSTRUCTOR, STUDENT])
def test_no_role(sub: str, roles: list[str]) -> None:
    opened = launch(sub, roles=roles)
    assert (opened.roles, opened.main_role) == ((), "guest")


@pytest.mark.spec("CERTV-06", "CERTV-07", "CERTV-13", "T13RL-13", "AMB-03")
@pytest.mark.parametrize("role", ["Instructor", "Learner"])
@pytest.mark.parametrize(
    "changes",
    [EMAIL, NAMES, {}, {"context": REMOVED}, EMAIL | {"context": REMOVED}],
    ids=["email only", "names only", "no personal data", "only the link", "email, no context"],
)
def test_with_less_and_less(role: str, changes: dict[str, Any]) -> None:
    opened = launch(STUDENT, roles=[ROLE + role], **changes)
    assert opened.person.email == changes.get("email", "")
    assert opened.person.family_name == changes.get("family_name", "")
    assert opened.context.id == ("" if "context" in changes else "8893483")
