"""Roles: every row of the table both ways, and what a set of roles means in a course."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.lti import roles

LIS = "http://purl.imsglobal.org/vocab/lis/v2/"
COURSE = LIS + "membership#"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
# Table G3 of the checklist: URI after the common prefix, kind and path of the LTI 1.1 URN.
ROWS = """
    membership#Administrator role Administrator
    membership#ContentDeveloper role ContentDeveloper
    membership#Instructor role Instructor
    membership#Learner role Learner
    membership#Mentor role Mentor
    membership#Manager role Manager
    membership#Member role Member
    membership#Officer role Officer
    membership/Administrator#Administrator role Administrator/Administrator
    membership/Administrator#Developer role Administrator/Developer
    membership/Administrator#ExternalDeveloper role Administrator/ExternalDeveloper
    membership/Administrator#ExternalSupport role Administrator/ExternalSupport
    membership/Administrator#ExternalSystemAdministrator role Administrator/ExternalSystemAdministrator
    membership/Administrator#Support role Administrator/Support
    membership/Administrator#SystemAdministrator role Administrator/SystemAdministrator
    membership/ContentDeveloper#ContentDeveloper role ContentDeveloper/ContentDeveloper
    membership/ContentDeveloper#ContentExpert role ContentDeveloper/ContentExpert
    membership/ContentDeveloper#ExternalContentExpert role ContentDeveloper/ExternalContentExpert
    membership/ContentDeveloper#Librarian role ContentDeveloper/Librarian
    membership/Instructor#ExternalInstructor role Instructor/ExternalInstructor
    membership/Instructor#Grader role TeachingAssistant/Grader
    membership/Instructor#GuestInstructor role Instructor/GuestInstructor
    membership/Instructor#Lecturer role Instructor/Lecturer
    membership/Instructor#PrimaryInstructor role Instructor/PrimaryInstructor
    membership/Instructor#SecondaryInstructor role Instructor/SecondaryInstructor
    membership/Instructor#TeachingAssistant role TeachingAssistant
    membership/Instructor#TeachingAssistantGroup role TeachingAssistant/TeachingAssistantGroup
    membership/Instructor#TeachingAssistantOffering role TeachingAssistant/TeachingAssistantOffering
    membership/Instructor#TeachingAssistantSection role TeachingAssistant/TeachingAssistantSection
    membership/Instructor#TeachingAssistantSectionAssociation role TeachingAssistant/TeachingAssistantSectionAssociation
    membership/Instructor#TeachingAssistantTemplate role TeachingAssistant/TeachingAssistantTemplate
    membership/Learner#ExternalLearner role Learner/ExternalLearner
    membership/Learner#GuestLearner role Learner/GuestLearner
    membership/Learner#Instructor role Learner/Instructor
    membership/Learner#Learner role Learner/Learner
    membership/Learner#NonCreditLearner role Learner/NonCreditLearner
    membership/Manager#AreaManager role Manager/AreaManager
    membership/Manager#CourseCoordinator role Manager/CourseCoordinator
    membership/Manager#ExternalObserver role Manager/ExternalObserver
    membership/Manager#Manager role Manager/Manager
    membership/Manager#Observer role Manager/Observer
    membership/Member#Member role Member/Member
    membership/Mentor#Advisor role Mentor/Advisor
    membership/Mentor#Auditor role Mentor/Auditor
    membership/Mentor#ExternalAdvisor role Mentor/ExternalAdvisor
    membership/Mentor#ExternalAuditor role Mentor/ExternalAuditor
    membership/Mentor#ExternalLearningFacilitator role Mentor/ExternalLearningFacilitator
    membership/Mentor#ExternalMentor role Mentor/ExternalMentor
    membership/Mentor#ExternalReviewer role Mentor/ExternalReviewer
    membership/Mentor#ExternalTutor role Mentor/ExternalTutor
    membership/Mentor#LearningFacilitator role Mentor/LearningFacilitator
    membership/Mentor#Mentor role Mentor/Mentor
    membership/Mentor#Reviewer role Mentor/Reviewer
    membership/Mentor#Tutor role Mentor/Tutor
    membership/Officer#Chair role Officer/Chair
    membership/Officer#Communications role Officer/Communications
    membership/Officer#Secretary role Officer/Secretary
    membership/Officer#Treasurer role Officer/Treasurer
    membership/Officer#Vice-Chair role Officer/Vice-Chair
    system/person#Administrator sysrole Administrator
    system/person#None sysrole None
    system/person#AccountAdmin sysrole AccountAdmin
    system/person#Creator sysrole Creator
    system/person#SysAdmin sysrole SysAdmin
    system/person#SysSupport sysrole SysSupport
    system/person#User sysrole User
    institution/person#Administrator instrole Administrator
    institution/person#Faculty instrole Faculty
    institution/person#Guest instrole Guest
    institution/person#None instrole None
    institution/person#Other instrole Other
    institution/person#Staff instrole Staff
    institution/person#Student instrole Student
    institution/person#Alumni instrole Alumni
    institution/person#Instructor instrole Instructor
    institution/person#Learner instrole Learner
    institution/person#Member instrole Member
    institution/person#Mentor instrole Mentor
    institution/person#Observer instrole Observer
    institution/person#ProspectiveStudent instrole ProspectiveStudent
"""  # noqa: E501 - one row, one line


def rows() -> list[tuple[str, str, str]]:
    """Full URI, LTI 1.1 URN, principal URI ("" for what is no sub-role)."""
    found = []
    for line in ROWS.strip().splitlines():
        uri, kind, path = line.split()
        folder, _, _ = uri.partition("#")
        principal = COURSE + folder.split("/")[1] if folder.startswith("membership/") else ""
        found.append((LIS + uri, f"urn:lti:{kind}:ims/lis/{path}", principal))
    return found


def course(*names: str) -> tuple[str, ...]:
    """`Learner`, `Instructor/Lecturer` as context URIs."""
    return tuple(
        LIS + "membership" + (f"/{name.replace('/', '#')}" if "/" in name else f"#{name}")
        for name in names
    )


@pytest.mark.spec("ROLE-01")
def test_the_table_is_complete() -> None:
    assert set(roles.TABLE) == {uri for uri, _, _ in rows()} | {TEST_USER}
    assert len(roles.TABLE) == 81


@pytest.mark.spec("BR-06", "ROLE-01", "ROLE-03", "ROLE-04", "ROLE-06")
@pytest.mark.parametrize(("uri", "urn", "principal"), rows())
def test_every_row_is_read_and_round_trips(uri: str, urn: str, principal: str) -> None:
    full = (uri, principal) if principal else (uri,)
    assert roles.from_lti11(urn) == full
    assert roles.normalize([urn]) == full
    assert roles.normalize([uri]) == (uri,)
    assert roles.from_lti11(roles.to_lti11(full)) == full
    assert roles.from_lti11(roles.to_lti11([uri])) == full


@pytest.mark.spec("BR-06", "ROLE-05", "ROLE-06", "P11L-10")
@pytest.mark.parametrize(("uri", "urn", "principal"), rows())
def test_every_row_is_sent(uri: str, urn: str, principal: str) -> None:
    sent = roles.to_lti11([uri]).split(",")
    context = "urn:lti:role:ims/lis/"
    if principal and not ("TeachingAssistant" in urn or uri.endswith("Observer")):
        assert sent == [urn, principal.removeprefix(COURSE)]
    elif uri.startswith(COURSE):
        assert sent == [urn.removeprefix(context)]
    else:
        assert sent == [urn]


@pytest.mark.spec("ROLE-02", "T11L-05")
@pytest.mark.parametrize(
    ("text", "uris"),
    [
        ("Learner", course("Learner")),
        ("instructor,learner", course("Instructor", "Learner")),
        (" Learner ,, Instructor ,", course("Learner", "Instructor")),
        ("Instructor/GuestInstructor", course("Instructor/GuestInstructor", "Instructor")),
        ("URN:LTI:ROLE:ims/lis/learner", course("Learner")),
        ("TeachingAssistant", course("Instructor/TeachingAssistant", "Instructor")),
        (
            "TeachingAssistant/TeachingAssistant",
            course("Instructor/TeachingAssistant", "Instructor"),
        ),
        ("Instructor/Grader", course("Instructor/Grader", "Instructor")),
        ("urn:lti:instrole:ims/lis/administrator", (LIS + "institution/person#Administrator",)),
        ("Learner,Learner,urn:lti:role:ims/lis/Learner", course("Learner")),
        (",".join(course("Learner")), course("Learner")),
        ("", ()),
        ("Teacher,urn:lti:role:ims/lis/Foo,Instructor/Foo,Instructo,Lecturer,Grader,Developer", ()),
    ],
)
def test_lti_11_lists_are_read(text: str, uris: tuple[str, ...]) -> None:
    assert roles.from_lti11(text) == uris


@pytest.mark.spec("ROLE-05")
def test_an_assistant_is_not_sent_as_an_instructor() -> None:
    assistant = course("Instructor/TeachingAssistant", "Instructor")
    assert roles.to_lti11(assistant) == "urn:lti:role:ims/lis/TeachingAssistant"
    assert roles.to_lti11(assistant[::-1]) == "urn:lti:role:ims/lis/TeachingAssistant"
    both = (*assistant, *course("Instructor/Lecturer"))
    assert roles.to_lti11(both).split(",")[1] == "Instructor"


@pytest.mark.spec("ROLE-07")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "system") for name in ("AccountAdmin", "Administrator", "Creator", "None")),
        *((name, "system") for name in ("SysAdmin", "SysSupport", "User")),
        *((name, "institution") for name in ("Faculty", "Guest", "Other", "Staff", "Student")),
        *((name, "institution") for name in ("Alumni", "Instructor", "Learner", "Member")),
        *((name, "institution") for name in ("Mentor", "Observer", "ProspectiveStudent")),
    ],
)
def test_deprecated_person_roles(name: str, kind: str) -> None:
    assert roles.normalize([f"{LIS}person#{name}"]) == (f"{LIS}{kind}/person#{name}",)


@pytest.mark.spec("ROLE-10")
def test_unknown_roles_stay_within_a_version_and_are_dropped_on_conversion() -> None:
    unknown = "https://vendor.example/role#Tutor"
    values = [unknown, "", " ", None, 5, ["Learner"], "Learner", f"{LIS}person#Foo"]
    normal = roles.normalize(values)
    assert normal == (unknown, *course("Learner"), f"{LIS}person#Foo")
    assert roles.to_lti11(normal) == "Learner"
    assert roles.narrow(normal) == course("Learner")
    assert roles.from_lti11(f"{unknown},Learner") == course("Learner")


MEANING = [
    ((), ""),
    (course("Learner"), "learner"),
    (course("Learner/Instructor"), "learner"),
    (course("Learner/Instructor", "Learner"), "learner"),
    (course("Instructor"), "instructor staff"),
    (course("Instructor/Lecturer"), "instructor staff"),
    (course("Instructor/TeachingAssistant"), "assistant staff"),
    (course("Instructor/TeachingAssistant", "Instructor"), "assistant staff"),
    (course("Instructor", "Instructor/Grader"), "assistant staff"),
    (
        course("Instructor/TeachingAssistant", "Instructor", "Instructor/PrimaryInstructor"),
        "instructor assistant staff",
    ),
    (course("ContentDeveloper"), "staff"),
    (course("Administrator/Support"), "staff"),
    (course("Manager"), "staff"),
    (course("Manager/Observer"), "observer"),
    (course("Manager/ExternalObserver", "Manager"), "observer"),
    (course("Manager/Observer", "Manager/CourseCoordinator", "Manager"), "observer staff"),
    (course("Mentor/Auditor"), "mentor"),
    (course("Member"), ""),
    (course("Officer/Chair"), ""),
    (course("Learner", "Instructor"), "learner instructor staff"),
    ((LIS + "institution/person#Instructor",), ""),
    ((LIS + "institution/person#Administrator", LIS + "system/person#Administrator"), ""),
    ((LIS + "institution/person#Learner", LIS + "institution/person#Mentor"), ""),
    ((LIS + "institution/person#Observer",), ""),
    ((COURSE + "Instructors", COURSE + "instructor", "Instructor"), ""),
    ((f"{LIS}membership/Instructor#Foo", f"{LIS}membership/Foo#Instructor"), ""),
    (("https://vendor.example/membership#Instructor",), ""),
    ((TEST_USER,), ""),
]


@pytest.mark.spec("ROLE-08", "ROLE-09")
@pytest.mark.parametrize(("uris", "meaning"), MEANING)
def test_meaning_comes_from_the_principal_role(uris: tuple[str, ...], meaning: str) -> None:
    is_it = {
        "learner": roles.is_learner(uris),
        "instructor": roles.is_instructor(uris),
        "assistant": roles.is_teaching_assistant(uris),
        "staff": roles.is_staff(uris),
        "mentor": roles.is_mentor(uris),
        "observer": roles.is_observer(uris),
    }
    assert {name for name, true in is_it.items() if true} == set(meaning.split())


def test_administrators_of_the_lms_are_told_by_their_person_roles() -> None:
    for name in ("institution/person#Administrator", "system/person#SysAdmin"):
        assert roles.is_administrator((LIS + name,))
        assert not roles.is_staff((LIS + name,))
    for uri in (LIS + "institution/person#Staff", *course("Administrator"), "Administrator"):
        assert not roles.is_administrator((uri,))


TA = f"{LIS}membership/Instructor#TeachingAssistant"


@pytest.mark.spec("ROLE-05", "ROLE-08", "ROLE-09", "SECP-46")
@pytest.mark.parametrize(
    ("said", "may"),
    [
        ("Instructor", True),
        ("ContentDeveloper", True),
        ("urn:lti:role:ims/lis/Administrator", True),
        ("Manager", True),
        ("urn:lti:role:ims/lis/TeachingAssistant", False),
        ("TeachingAssistant/TeachingAssistantSection", False),
        (TA, False),
        (f"{LIS}membership#TeachingAssistant", False),
        (f"{LIS}membership#TeachingAssistant {COURSE}Mentor", False),
        # somebody who is both, and an assistant of Canvas, which cannot be told from one another
        (f"{TA} {COURSE}Instructor", True),
        (f"{LIS}membership/instructor#TeachingAssistant {COURSE}Instructor", True),
        ("urn:lti:role:ims/lis/TeachingAssistant Instructor", True),
        (f"{TA} {COURSE}ContentDeveloper", True),
        (f"{COURSE}Manager {LIS}membership/Manager#Observer", False),
        (f"{LIS}institution/person#Instructor {LIS}system/person#Administrator", False),
        ("xInstructorx Instructors Lecturer", False),
        ("Learner", False),
        ("", False),
    ],
)
def test_who_may_decide_what_a_link_opens(said: str, may: bool) -> None:
    assert roles.may_configure(said.split(" ")) is may
    assert not may or roles.is_staff(roles.normalize(said.split(" ")))


# what stands in public code and documents besides the vocabularies (docs/lms.md has the sources)
AS_WRITTEN = [
    ("Student", course("Learner")),
    ("student", course("Learner")),
    ("urn:lti:role:ims/lis/Student", course("Learner")),
    (f"{COURSE}Student", course("Learner")),
    (f"{LIS}membership/Learner", course("Learner")),
    ("https://purl.imsglobal.org/vocab/lis/v2/membership#Learner", course("Learner")),
    (f"{COURSE}learner", course("Learner")),
    ("urn:lti:ims/lis/Learner", course("Learner")),
    (f"{COURSE}GuestLearner", course("Learner/GuestLearner", "Learner")),
    ("GuestLearner", course("Learner/GuestLearner", "Learner")),
    ("Learner#NonCreditLearner", course("Learner/NonCreditLearner", "Learner")),
    (f"{LIS}membership/Learner/ExternalLearner", course("Learner/ExternalLearner", "Learner")),
    (f"{COURSE}TeachingAssistant", course("Instructor/TeachingAssistant", "Instructor")),
    ("Instructor#TeachingAssistant", course("Instructor/TeachingAssistant", "Instructor")),
    (
        f"{LIS}membership/TeachingAssistant#Grader",
        course("Instructor/Grader", "Instructor"),
    ),
    (
        f"{LIS}membership/instructor#TeachingAssistant",
        course("Instructor/TeachingAssistant", "Instructor"),
    ),
    (f"{COURSE}Observer", course("Manager/Observer", "Manager")),
    ("Observer", course("Manager/Observer", "Manager")),
    (
        "http://purl.imsglobal.org/vocab/lis/v1/institution/person#Student",
        (LIS + "institution/person#Student",),
    ),
    (f"{LIS}person#student", (LIS + "institution/person#Student",)),
    (f"{LIS}institution/person/Observer", (LIS + "institution/person#Observer",)),
    ("urn:lti:instrole:ims/lis/observer", (LIS + "institution/person#Observer",)),
    ("http://purl.imsglobal.org/vocab/lti/system/person#testuser", (TEST_USER,)),
]


@pytest.mark.spec("ROLE-01", "ROLE-02", "ROLE-03")
@pytest.mark.parametrize(("text", "uris"), AS_WRITTEN)
def test_roles_are_read_as_lmss_write_them(text: str, uris: tuple[str, ...]) -> None:
    assert roles.normalize([text]) == uris


@pytest.mark.spec("ROLE-08")
@pytest.mark.parametrize("name", ["Lecturer", "Grader", "Support", "Developer", "Teacher", "Staff"])
def test_a_bare_name_that_no_vocabulary_has_makes_nobody_staff(name: str) -> None:
    assert not roles.is_staff(roles.normalize([name]))


def test_the_test_user_is_marked_but_unknown_to_lti_11() -> None:
    uris = (TEST_USER, *course("Learner"))
    assert roles.is_test_user(uris)
    assert not roles.is_test_user(course("Learner"))
    assert roles.narrow(uris) == uris
    assert roles.to_lti11(uris) == "Learner"


@pytest.mark.spec("BR-05")
def test_only_course_roles_and_the_test_user_are_passed_on() -> None:
    uris = (
        *course("Learner/GuestLearner"),
        LIS + "institution/person#Student",
        LIS + "system/person#Administrator",
        "https://vendor.example/role#Tutor",
        TEST_USER,
    )
    assert roles.narrow(uris) == (*course("Learner/GuestLearner", "Learner"), TEST_USER)


PREDICATES = (
    roles.is_learner,
    roles.is_instructor,
    roles.is_teaching_assistant,
    roles.is_staff,
    roles.is_mentor,
    roles.is_observer,
)


@pytest.mark.spec("BR-05", "BR-06")
@given(st.lists(st.sampled_from([*sorted(roles.TABLE), "https://vendor.example/x#Instructor"])))
def test_no_conversion_gives_anybody_more(uris: list[str]) -> None:
    through_11 = roles.from_lti11(roles.to_lti11(uris))
    for converted in (through_11, roles.narrow(uris), roles.normalize(uris)):
        assert [test(converted) for test in PREDICATES] == [test(uris) for test in PREDICATES]
    assert roles.from_lti11(roles.to_lti11(through_11)) == through_11


@given(st.lists(st.text()))
def test_no_text_breaks_the_readers(values: list[str]) -> None:
    assert set(roles.from_lti11(",".join(values))) <= set(roles.TABLE)
    assert roles.to_lti11(values) == ""
