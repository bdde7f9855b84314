"""What real LMSs write instead of what the specifications say, each a row, by both versions."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.scene import Scene, launch13, refusal, way_back
from tests.flow.test_again import page_token

LIS = "http://purl.imsglobal.org/vocab/lis/v2/"
COURSE = f"{LIS}membership#"
INSTITUTION = f"{LIS}institution/person#"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
TA = f"{LIS}membership/Instructor#TeachingAssistant"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
BO = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
ITEM = {"scope": [SCORE], "lineitem": "https://lms.example.edu/items/1"}
CONTAINER = {"scope": [SCORE], "lineitems": "https://lms.example.edu/items"}

STAFF_PAGE = "What students get from this link"
FOR_LEARNERS = "This link opens a test for students"
UNNAMED = "Your course did not say that you are one of its students"

# roles as an LMS sends them (LTI 1.1 list), what they make of somebody who has a place for a grade,
# and of somebody who has none
ROLES = [
    ("Learner", "learner", "learner"),
    ("Student", "learner", "learner"),  # Open edX until 2022
    ("Student,Learner", "learner", "learner"),  # Open edX since
    ("urn:lti:role:ims/lis/Student", "learner", "learner"),
    ("urn:lti:ims/lis/Learner", "learner", "learner"),
    (f"{LIS}membership/Learner", "learner", "learner"),
    (f"{COURSE}Student", "learner", "learner"),
    ("https://purl.imsglobal.org/vocab/lis/v2/membership#learner", "learner", "learner"),
    ("urn:lti:role:ims/lis/Learner/NonCreditLearner", "learner", "learner"),
    ("GuestLearner", "learner", "learner"),
    ("urn:lti:instrole:ims/lis/Instructor,Learner", "learner", "learner"),
    ("", "learner", "guest"),  # Blackboard without roles
    ("Étudiant", "learner", "guest"),
    ("urn:vendor:role:Participant,xInstructorx", "learner", "guest"),
    ("urn:lti:role:ims/lis/Officer/Chair", "learner", "guest"),
    ("urn:lti:instrole:ims/lis/Student", "learner", "guest"),
    ("urn:lti:instrole:ims/lis/Student,urn:lti:sysrole:ims/lis/User", "learner", "guest"),
    (f"{LIS}person#Student", "learner", "guest"),
    ("urn:lti:instrole:ims/lis/Instructor", "learner", "guest"),
    ("urn:lti:instrole:ims/lis/Observer", "observer", "observer"),  # Canvas by LTI 1.1
    ("urn:lti:instrole:ims/lis/Observer,urn:lti:role:ims/lis/Mentor", "observer", "observer"),
    ("urn:lti:instrole:ims/lis/Mentor,no:such/role", "observer", "observer"),
    ("Observer", "observer", "observer"),
    ("Mentor", "observer", "observer"),
    ("urn:lti:role:ims/lis/Manager/Observer", "observer", "observer"),
    ("urn:lti:instrole:ims/lis/Administrator", "observer", "observer"),
    ("urn:lti:sysrole:ims/lis/SysAdmin,no:such/role", "observer", "observer"),
    ("Instructor", "staff", "staff"),
    ("Learner,Instructor", "staff", "staff"),
    (f"{COURSE}TeachingAssistant,{COURSE}Mentor", "staff", "staff"),  # a tutor of Stud.IP
    (f"{LIS}membership/instructor#TeachingAssistant,{COURSE}Instructor", "staff", "staff"),
]
GRADED = [(roles, graded, True) for roles, graded, _ in ROLES]
UNGRADED = [(roles, ungraded, False) for roles, _, ungraded in ROLES]
SEEN = {"staff": STAFF_PAGE, "observer": FOR_LEARNERS}
NO_GRADE_11: dict[str, str | None] = {"lis_result_sourcedid": None, "lis_outcome_service_url": None}


def nobody() -> str:
    return f"user-{secrets.token_hex(4)}"


def by_11(scene: Scene, roles: str, place: bool, user: str, activity: str = "plain") -> Page:
    """A launch of LTI 1.1, with a place for this person's grade or without."""
    changes: dict[str, str | None] = {} if place else {**NO_GRADE_11}
    changes["lis_person_contact_email_primary"] = f"{user}@example.edu"
    link = f"{activity}-{place}"
    return scene.campus.launch(
        roles=roles, user_id=user, custom_activity=activity, resource_link_id=link, **changes
    )


def by_13(scene: Scene, roles: str, place: Any, user: str, activity: str = "plain") -> Page:
    """The same by LTI 1.3."""
    claims: dict[str, Any] = {
        "sub": user,
        "email": f"{user}@example.edu",
        f"{CLAIM}roles": [role for role in roles.split(",") if role],
        f"{CLAIM}custom": {"activity": activity},
        AGS: (ITEM if place is True else place) or None,
        BO: None,
    }
    return launch13(scene, scene.second, claims=claims)


BY = {"1.1": by_11, "1.3": by_13}


def kind_of(scene: Scene, user: str, page: Page) -> tuple[str, dict[str, str]]:
    """What a launch made of somebody, as the tool and the database see it, and what was sent."""
    for standing, words in SEEN.items():
        if words in page.text:
            assert scene.attempts(user) == []
            return standing, {}
    form = page.form()
    assert form.action == f"{scene.tool.running.url}/plain", page.text
    sent = dict(form.fields)
    assert scene.attempts(user) == [(1, "created")]
    return ("learner" if "Learner" in sent.get("roles", "") else "guest"), sent


@pytest.mark.spec("T11L-05", "ROLE-08", "ROLE-09", "AMB-02", "SECP-46", "T13RL-04", "T13RL-06")
@pytest.mark.parametrize("lti", ["1.1", "1.3"])
@pytest.mark.parametrize(("roles", "standing", "place"), GRADED + UNGRADED)
def test_the_lms_decides_who_is_graded(
    scene: Scene, lti: str, roles: str, standing: str, place: bool
) -> None:
    user = nobody()
    page = BY[lti](scene, roles, place, user)
    assert page.status == 200
    found, sent = kind_of(scene, user, page)
    assert found == standing
    assert ("lis_result_sourcedid" in sent) == (place and standing == "learner")
    if standing == "learner":
        assert "Learner" in sent["roles"]
        assert "Instructor" not in sent["roles"]


@pytest.mark.parametrize("lti", ["1.1", "1.3"])
@pytest.mark.parametrize(("roles", "standing", "place"), [*UNGRADED, ("Boss", "learner", True)])
def test_who_only_looks_buys_nothing(
    scene: Scene, lti: str, roles: str, standing: str, place: bool
) -> None:
    user = nobody()
    page = BY[lti](scene, roles, place, user, "best")
    assert page.status == 200, page.text
    assert len(scene.attempts(user)) == (standing == "learner")
    words = {**SEEN, "guest": UNNAMED}.get(standing, "/public/lti.php")
    assert words in page.text
    if standing in ("guest", "observer"):
        assert page.forms() == []


@pytest.mark.parametrize("place", [CONTAINER, {**ITEM, **CONTAINER}, {}])
def test_a_container_is_a_place_for_grades(scene: Scene, place: dict[str, Any]) -> None:
    user = nobody()
    page = by_13(scene, "no:such/role", place, user, "best")
    assert len(scene.attempts(user)) == bool(place)
    assert (UNNAMED in page.text) == (not place)


@pytest.mark.spec("T11L-04", "BR-09")
def test_a_place_for_a_grade_makes_no_learner_of_nobody_and_no_test_user(scene: Scene) -> None:
    before = scene.count("attempts")
    assert refusal(by_11(scene, "Student", True, ""))[0] == "anonymous"
    told = by_13(scene, TEST_USER, True, nobody()).form()
    assert "Learner" not in dict(told.fields).get("roles", "")
    by_13(scene, f"{TEST_USER},{COURSE}Learner", True, nobody())
    assert UNNAMED in by_11(scene, "no:such/role", True, "", "best").text
    assert scene.count("attempts") == before


@pytest.mark.parametrize(
    ("lti", "roles", "told"),
    [
        ("1.1", "Student", "kind=learner roles=Learner"),
        ("1.1", "Boss,Étudiant", "kind=learner roles=Boss,Étudiant"),
        ("1.1", "", "kind=learner roles=none"),
        ("1.3", f"{TA},{COURSE}Instructor", "kind=staff roles=Instructor#TeachingAssistant,"),
        ("1.3", f"{INSTITUTION}Observer", "kind=observer roles=institution/person#Observer"),
        ("1.3", "jane@example.edu,a=b\nforged", "kind=learner roles=(unreadable),(unreadable)"),
    ],
)
def test_the_log_says_by_which_roles_somebody_was_judged(
    scene: Scene, lti: str, roles: str, told: str
) -> None:
    before = len(scene.world.bridge.log())
    BY[lti](scene, roles, True, nobody())
    (line,) = [
        line for line in scene.world.bridge.log()[before:].splitlines() if "launch.opened" in line
    ]
    assert told in line


NO_TEST: dict[str, Any] = {"custom_activity": None, "user_id": "tess"}


@pytest.mark.spec("ROLE-05")
@pytest.mark.parametrize(
    ("roles", "may"),
    [
        (f"{TA},{COURSE}Instructor", True),  # Canvas: a teacher who is an assistant, too
        (f"{LIS}membership/instructor#TeachingAssistant,{COURSE}Instructor", True),
        ("urn:lti:role:ims/lis/TeachingAssistant,Instructor", True),
        ("urn:lti:role:ims/lis/TeachingAssistant,ContentDeveloper", True),
        ("urn:lti:role:ims/lis/TeachingAssistant", False),
        (TA, False),
        (f"{COURSE}TeachingAssistant,{COURSE}Mentor", False),
    ],
)
@pytest.mark.parametrize("lti", ["1.1", "1.3"])
def test_staff_who_may_not_choose_read_who_may(
    scene: Scene, lti: str, roles: str, may: bool
) -> None:
    if lti == "1.1":
        link = f"unchosen {roles}"
        page = scene.campus.launch(roles=roles, **NO_TEST, resource_link_id=link)
    else:
        claims = {f"{CLAIM}resource_link": {"id": f"unchosen {roles}"}, f"{CLAIM}custom": None}
        claims[f"{CLAIM}roles"] = roles.split(",")  # type: ignore[assignment]
        page = launch13(scene, scene.second, user="teacher", claims=claims)
    assert page.status == (200 if may else 404)
    if not may:
        assert refusal(page)[0] == "not-chosen"
        assert "An instructor, course designer, manager" in page.text
        assert "TeachingAssistant" in page.text
        assert "tell your teacher" not in page.text


def test_a_student_still_reads_that_the_link_is_not_ready(scene: Scene) -> None:
    page = scene.campus.launch(**NO_TEST, resource_link_id="unchosen")
    assert refusal(page)[0] == "not-configured"
    assert "Please tell your teacher" in page.text
    assert "sent these roles" not in page.text


def unanswered(scene: Scene, error: str, state: str | None = None) -> Page:
    """A login that the LMS answers with an error."""
    start = scene.world.control(scene.second, "launch", link="best13", user="student1")
    browser = Browser()
    url, fields = start["login_url"], start["fields"]
    going = browser.pool.request("POST", url, fields=fields, encode_multipart=False, redirect=False)
    sealed = re.findall(r"[?&]state=([^&]+)", going.headers["Location"])[0]
    told = {"error": error, "error_description": "<b>no</b>", "state": sealed}
    return browser.post(scene.campus.url, told if state is None else told | {"state": state})


def test_a_launch_that_is_used_up_says_so_and_knows_the_way_back(scene: Scene) -> None:
    page = unanswered(scene, "launch_no_longer_valid")
    assert (page.status, refusal(page)[0]) == (401, "launch-expired")
    assert "opened already, or it took too long" in page.text
    assert f'href="{scene.second.url}/?lti_errormsg=' in page.text
    assert "<b>no" not in page.text
    other = unanswered(scene, "access_denied")
    assert (other.status, refusal(other)[0]) == (401, "login-failed")
    assert f'href="{scene.second.url}/?lti_errormsg=' in other.text
    stranger = unanswered(scene, "launch_no_longer_valid", "e30.x")
    assert (stranger.status, refusal(stranger)[0]) == (401, "launch-expired")
    assert "Back to your course" not in stranger.text


WRONG_11: list[tuple[dict[str, str | None], str]] = [
    ({"resource_link_id": None}, "resource_link_id"),
    ({"resource_link_id": " "}, "resource_link_id"),
    ({"lti_message_type": None}, "lti_message_type"),
    ({"lti_message_type": "ToolProxyRegistrationRequest"}, "lti_message_type"),
    ({"lti_version": None}, "lti_version"),
    ({"lti_version": "LTI-2p0"}, "lti_version"),
    ({"context_id": "x" * 256}, "the context"),
    ({"user_id": "x" * 256}, "the user"),
    ({"oauth_nonce": "n" * 256}, "oauth_nonce"),
]


@pytest.mark.spec("T11L-02", "T11L-03")
@pytest.mark.parametrize(("change", "named"), WRONG_11)
def test_a_signed_message_that_lacks_something_has_a_way_back(
    scene: Scene, change: dict[str, str | None], named: str
) -> None:
    page = scene.campus.launch(**change)
    assert (page.status, refusal(page)[0]) == (400, "message")
    assert way_back(page)["lti_errormsg"] == [
        "Your course sent an incomplete or unsupported message."
    ]
    assert f"For the administrator of the LMS: {named}" in page.text
    forged = scene.campus.fields(**change)
    page = Browser().post(scene.campus.url, [*forged, ("oauth_signature", "AAAA")])
    assert (page.status, refusal(page)[0]) == (401, "signature")
    assert "lms.example.edu" not in page.text
    assert "For the administrator" not in page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://lms.example.edu/back\0", "", None])
def test_a_way_back_that_is_no_web_address_is_none(scene: Scene, url: str | None) -> None:
    page = scene.campus.launch(resource_link_id=None, launch_presentation_return_url=url)
    assert page.status == 400
    assert "Back to your course" not in page.text


WRONG_13: list[tuple[dict[str, Any], str, str]] = [
    ({f"{CLAIM}roles": f"{COURSE}Learner"}, "message", "claim/roles is not an array of texts"),
    ({f"{CLAIM}roles": {"0": f"{COURSE}Learner"}}, "message", "claim/roles is not an array"),
    ({f"{CLAIM}roles": {}}, "message", "Missing Roles Claim"),
    ({f"{CLAIM}resource_link": None}, "message", "Missing Resource Link Id"),
    ({f"{CLAIM}resource_link": []}, "message", "Missing Resource Link Id"),
    ({f"{CLAIM}version": "1.2"}, "message", "Incorrect version"),
    ({f"{CLAIM}message_type": "X"}, "message", "message_type"),
    ({f"{CLAIM}target_link_uri": "https://evil.example.org/"}, "message", "target_link_uri"),
    ({f"{CLAIM}context": {"title": "x"}}, "message", "the context has no id"),
    ({"sub": True}, "message", "sub is not a text"),
    ({"sub": None}, "anonymous", ""),
    ({"deployment": "9"}, "unknown-deployment", ""),
]


@pytest.mark.spec("T13RL-03", "T13RL-08", "T13RL-09")
@pytest.mark.parametrize(("change", "code", "named"), WRONG_13)
def test_a_signed_token_that_lacks_something_has_a_way_back(
    scene: Scene, change: dict[str, Any], code: str, named: str
) -> None:
    presentation = {f"{CLAIM}launch_presentation": {"return_url": "https://lms.example.edu/back"}}
    deployment = change.get("deployment", "1")
    claims = {**presentation, **{name: v for name, v in change.items() if name != "deployment"}}
    page = launch13(scene, scene.second, deployment=deployment, claims=claims)
    assert (400 <= page.status < 404, refusal(page)[0]) == (True, code)
    assert way_back(page)["lti_errormsg"]
    assert named in page.text


NOTHING: list[Any] = [[], {}, "", None]
OBJECTS = [
    *(f"{CLAIM}{name}" for name in ("lis", "launch_presentation", "ext", "tool_platform")),
    *(f"{CLAIM}{name}" for name in ("context", "role_scope_mentor", "lti1p1", "for_user")),
    *("ext", "name", "email", "locale", "picture", "http://www.brightspace.com", BO, AGS, NRPS),
]


@pytest.mark.spec("T13RL-17", "T13RL-20", "T13RL-21", "T13RL-15", "AMB-03")
@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_empty_is_absent(scene: Scene, name: str) -> None:
    for nothing in NOTHING:
        user = nobody()
        claims = {"sub": user, f"{CLAIM}custom": {"activity": "plain"}, name: nothing}
        page = launch13(scene, scene.second, claims=claims)
        assert page.form().action == f"{scene.tool.running.url}/plain", (nothing, page.text)
        assert scene.attempts(user) == [(1, "created")]


@pytest.mark.parametrize("nothing", NOTHING)
def test_empty_members_and_custom_parameters_are_absent_too(scene: Scene, nothing: Any) -> None:
    claims = {
        f"{CLAIM}custom": {"activity": "plain", "empty": nothing},
        f"{CLAIM}context": {"id": "c", "label": nothing, "title": nothing, "type": nothing},
        f"{CLAIM}resource_link": {"id": "r", "title": nothing, "description": nothing},
        AGS: {**ITEM, "scope": nothing, "lineitems": nothing},
    }
    page = launch13(scene, scene.second, claims=claims)
    assert page.form().action == f"{scene.tool.running.url}/plain", page.text
    claims[f"{CLAIM}custom"] = nothing
    again = launch13(scene, scene.second, claims=claims)
    assert again.form().action == f"{scene.tool.running.url}/plain", again.text


@pytest.mark.spec("GEN-06")
def test_ids_that_are_numbers_are_their_text(scene: Scene) -> None:
    number = secrets.randbelow(10**9)
    seen = []
    for make in (int, str):
        claims = {
            "sub": make(number),
            f"{CLAIM}custom": {"activity": "plain"},
            f"{CLAIM}deployment_id": make(1),
            f"{CLAIM}context": {"id": make(7), "label": make(101)},
            f"{CLAIM}resource_link": {"id": make(number)},
        }
        seen.append(dict(launch13(scene, scene.second, claims=claims).form().fields))
    ids = ("user_id", "context_id", "context_label", "resource_link_id", "lis_result_sourcedid")
    assert [seen[0][name] for name in ids] == [seen[1][name] for name in ids]
    assert scene.attempts(str(number)) == [(1, "created")]
    for wrong in (True, 7.5, 10**400):
        page = launch13(scene, scene.second, claims={"sub": wrong})
        assert (page.status, refusal(page)[0]) == (400, "message")


@pytest.mark.spec("T13RL-09")
def test_a_token_may_name_another_address_of_ours_than_the_login(scene: Scene) -> None:
    target = f"{scene.world.bridge.url}/lti/launch?resource=7"
    page = launch13(scene, scene.second, claims={f"{CLAIM}target_link_uri": target})
    assert page.form().action == f"{scene.tool.running.url}/plain"


NAMES: list[dict[str, str]] = [
    {"activity": "plain"},
    {"Activity": "plain"},  # Open edX keeps what was typed
    {"ACTIVITY": "plain", "Other": "x"},
    {"Lti-Bridge Activity": "plain"},
    {"LTI_BRIDGE_ACTIVITY": "plain", "activity": "best"},
    {"Connection": "plain", "Tool_Review": "1.2.56"},
    {"CONNECTION": "plain", "tool_Review": "1.2.56"},
]
EXCEL_ = {"Connection": "tosa", "Act_Id": "8", "TST_FRM_ID": "363", "gen-id": "3", "Redirect": "1"}


@pytest.mark.spec("T11L-07")
@pytest.mark.parametrize("lti", ["1.1", "1.3"])
@pytest.mark.parametrize("custom", [*NAMES, EXCEL_])
def test_custom_names_match_whatever_their_case(
    scene: Scene, lti: str, custom: dict[str, str]
) -> None:
    user = nobody()
    if lti == "1.1":
        named: dict[str, str | None] = {f"custom_{name}": v for name, v in custom.items()}
        named |= {"lis_person_contact_email_primary": f"{user}@example.edu"}
        named = {"custom_activity": None, **named}
        page = scene.twin.launch(user_id=user, resource_link_id=user, **named)
    else:
        claims = {"sub": user, "email": f"{user}@example.edu", f"{CLAIM}custom": custom}
        claims[f"{CLAIM}resource_link"] = {"id": user}
        page = launch13(scene, scene.second, claims=claims)
    assert page.status == 200, page.text
    sent = dict(page.form().fields)
    assert page.form().action.endswith("/public/lti.php" if custom is EXCEL_ else "/plain")
    if "tool_Review" in custom or "Tool_Review" in custom:
        assert sent["custom_review"] == "1.2.56"
    if custom is EXCEL_:
        assert sent["custom_tst_frm_id"] == "363"


def test_the_exact_name_comes_first(scene: Scene) -> None:
    both = {"custom_activity": "plain", "custom_Activity": "none"}
    assert scene.campus.launch(**both, user_id=nobody(), resource_link_id="both").status == 200


def test_a_second_click_buys_nothing_for_whom_nobody_named(scene: Scene) -> None:
    user, browser = nobody(), Browser()
    who: dict[str, str | None] = {"roles": "", "user_id": user, "custom_activity": "best"}
    who["lis_person_contact_email_primary"] = f"{user}@example.edu"
    for _ in range(2):  # the first one leaves the browser a cookie
        fields = scene.campus.fields(**who, **NO_GRADE_11)
        page = browser.post(scene.campus.url, scene.campus.signed(fields))
        assert UNNAMED in page.text
    token = page_token(browser, page)
    page = browser.post(f"{scene.world.bridge.url}/course/go-on", {"token": token})
    assert (page.status, UNNAMED in page.text) == (200, True)
    assert page.forms() == []
    assert scene.attempts(user) == []
