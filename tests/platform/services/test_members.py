"""The members of a course: as the LMS lists them, by the names that the tool knows them by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from lti_bridge.core.course.rosters import Member
from lti_bridge.core.launch.message import Person
from tests.flow.signing import document
from tests.platform.services.platform import (
    AGS,
    LTI,
    MEMBERS,
    OUTCOME,
    OUTCOME_CLAIM,
    OUTCOME_TYPE,
    SCORE,
    URL,
    Learner,
    Platform,
    next_page,
    query_of,
)

TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student"


class Lists:
    """What LMSs tell: one course whose members we know, nothing of the others."""

    def __init__(self) -> None:
        self.courses: dict[str, list[Member]] = {
            "course-1": [
                person("ann", "Ann", "Learner"),
                person("ben", "Ben", "Learner", active=False),
                person("eve", "Eve", "Instructor"),
                person("tom", "Tom", "Instructor", "Mentor"),
            ]
        }

    def members(
        self, registration: str, deployment_id: str, context_id: str
    ) -> list[Member] | None:
        return self.courses.get(context_id) if registration == "campus-key" else None


def person(name: str, given: str, *roles: str, active: bool = True) -> Member:
    """A member with everything that an LMS may tell."""
    details = Person(
        id=name,
        given_name=given,
        family_name="Exampleton",
        full_name=f"{given} Exampleton",
        email=f"{name}@example.edu",
        username=name,
        sourced_id=f"sis-{name}",
        image="https://lms.example.edu/face.png",
    )
    return Member(details, (*(ROLE + role for role in roles), INSTITUTION), active)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("members")
    made = Platform(folder, f"sqlite:///{folder}/bridge.sqlite3", Lists())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def ann(platform: Platform) -> Learner:
    return platform.open()


def address(learner: Learner) -> str:
    return learner.line_items.replace("lineitems", "memberships")


def get(platform: Platform, learner: Learner, query: str = "") -> TestResponse:
    return platform.quiz.call("GET", address(learner) + query, MEMBERS)


def listed(platform: Platform, learner: Learner, query: str = "") -> dict[str, Any]:
    """Members by given name."""
    answer = get(platform, learner, query)
    assert answer.status_code == 200, answer.data
    return {member["given_name"]: member for member in answer.json["members"]}


@pytest.mark.spec("P13NR-02", "P13NR-04", "P13NR-09")
def test_the_members_are_listed_within_the_privacy_rule(platform: Platform, ann: Learner) -> None:
    answer = get(platform, ann)
    assert (answer.status_code, answer.content_type) == (200, TYPE)
    assert answer.json["id"] == address(ann)
    assert answer.json["context"]["id"] == ann.claims[f"{LTI}context"]["id"]
    found = listed(platform, ann)
    assert found["Ben"] == {
        "user_id": found["Ben"]["user_id"],
        "roles": [ROLE + "Learner"],
        "status": "Inactive",
        "given_name": "Ben",
        "family_name": "Exampleton",
    }
    assert {name: one["status"] for name, one in found.items()} == {
        "Ann": "Active",
        "Ben": "Inactive",
        "Eve": "Active",
        "Tom": "Active",
    }
    for hidden in ("@example.edu", "sis-", "face.png", "Ann Exampleton"):
        assert hidden not in answer.text


@pytest.mark.spec("P13NR-10")
def test_members_have_the_ids_of_their_launches(platform: Platform, ann: Learner) -> None:
    ids = {name: one["user_id"] for name, one in listed(platform, ann).items()}
    assert ids["Ann"] == ann.user_id
    ben = platform.open(user="ben")  # who was listed before the first launch
    assert ben.user_id == ids["Ben"]
    other = platform.open("other")
    answer = platform.other.call("GET", address(other), MEMBERS)
    theirs = {one["user_id"] for one in answer.json["members"]}
    assert len(theirs) == len(set(ids.values())) == 4
    assert theirs.isdisjoint(ids.values())


@pytest.mark.spec("P13AS-17", "P13AS-18")
def test_a_listed_teacher_has_no_grade(platform: Platform, ann: Learner) -> None:
    eve = listed(platform, ann)["Eve"]["user_id"]
    before = platform.snapshot()
    assert platform.quiz.score(ann, userId=eve).status_code in (403, 404)
    assert platform.snapshot() == before


@pytest.mark.spec("P13NR-05")
@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("Learner", {"Ann", "Ben"}),
        (ROLE + "Learner", {"Ann", "Ben"}),
        ("Instructor", {"Eve", "Tom"}),
        ("Mentor", {"Tom"}),
        (ROLE + "Administrator", set()),
        ("nonsense", set()),
        ("", {"Ann", "Ben", "Eve", "Tom"}),
    ],
)
def test_members_by_role(platform: Platform, ann: Learner, role: str, names: set[str]) -> None:
    query = f"?role={role.replace('#', '%23')}"
    assert set(listed(platform, ann, query)) == names


@pytest.mark.spec("P13NR-06")
def test_members_come_in_pages(platform: Platform, ann: Learner) -> None:
    url, names, pages = f"{address(ann)}?limit=1&role=Learner", [], 0
    while url:
        answer = platform.quiz.call("GET", url, MEMBERS)
        names += [one["given_name"] for one in answer.json["members"]]
        url, pages = next_page(answer), pages + 1
        assert not url or query_of(url)["role"] == "Learner"
    assert (sorted(names), pages) == (["Ann", "Ben"], 2)
    for bad in ("0", "-1", "x"):
        assert get(platform, ann, f"?limit={bad}").status_code == 400


@pytest.mark.spec("P13NR-08")
def test_with_a_link_each_member_has_a_message(platform: Platform, ann: Learner) -> None:
    found = listed(platform, ann, f"?rlid={ann.link}")
    (message,) = found["Ann"]["message"]
    assert message == {
        f"{LTI}message_type": "LtiResourceLinkRequest",
        f"{LTI}custom": {"given": "Ann", "a": "b"},
        OUTCOME_CLAIM: {
            "lis_result_sourcedid": ann.sourced_id,
            "lis_outcome_service_url": f"{URL}/platform/outcomes",
        },
    }
    (message,) = found["Eve"]["message"]
    assert message[f"{LTI}custom"] == {"given": "Eve", "a": "b"}
    assert OUTCOME_CLAIM not in message
    body = document("replaceResult", ann.sourced_id, "1")
    answer = platform.quiz.call("POST", f"{URL}/platform/outcomes", OUTCOME, body, OUTCOME_TYPE)
    assert b"success" in answer.data


@pytest.mark.spec("P13NR-08", "P13RS-03")
def test_a_link_of_another_course_or_tool_is_denied(platform: Platform, ann: Learner) -> None:
    of_other = platform.open("other", resource_link_id="of-other")
    elsewhere = platform.open(context_id="course-2", resource_link_id="elsewhere")
    for link in (of_other.link, elsewhere.link, "nothing", "link-quiz"):
        assert get(platform, ann, f"?rlid={link}").status_code == 404


@pytest.mark.spec("P13NR-12")
def test_what_the_lms_does_not_tell_is_not_told(platform: Platform) -> None:
    unknown = platform.open(context_id="course-2", resource_link_id="unknown")
    twin = platform.open(campus=platform.twin)
    before = platform.snapshot()
    for learner in (unknown, twin):
        assert not any("namesroleservice" in name for name in learner.claims)
        answer = get(platform, learner)
        assert (answer.status_code, answer.json["error"]) == (404, "not-found")
        assert "not known" in answer.json["error_description"]
    assert platform.snapshot() == before


@pytest.mark.spec("P13NR-03")
def test_the_scope_is_needed(platform: Platform, ann: Learner) -> None:
    assert platform.quiz.call("GET", address(ann), SCORE).status_code == 403
    assert platform.lean.ask(MEMBERS).json["error"] == "invalid_scope"
    assert f"{AGS}claim/endpoint" in ann.claims


@pytest.mark.spec("AMB-14")
def test_a_learner_who_is_inactive_by_now_can_be_scored(platform: Platform, ann: Learner) -> None:
    ben = platform.open(user="ben")
    listing = listed(platform, ann)["Ben"]
    assert (listing["user_id"], listing["status"]) == (ben.user_id, "Inactive")
    assert platform.quiz.score(ben, scoreGiven=0.5).status_code == 200
    assert platform.grade("ben")[:2] == ("0.5", "1")
