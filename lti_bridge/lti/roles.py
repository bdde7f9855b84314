"""Roles: the vocabulary, its LTI 1.1 forms, and what a set of roles means in a course.

Roles inside the bridge are full URIs (LTI Core 1.3, appendix A). A role that the table does not
know gives nothing, and only context roles say anything about the course (Core 5.3.7).

LMSs write the same role in many ways (docs/lms.md has them with their sources). Case, `/` for `#`
and the version of the vocabulary are forgiven; what a role means never depends on a part of a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

_LIS = "http://purl.imsglobal.org/vocab/lis/v2/"
_CONTEXT_URN = "urn:lti:role:ims/lis/"
_STUDENT = "student"  # a learner's name in the course at Open edX and others, in no vocabulary

# Principal role -> its sub-roles.
_CONTEXT = {
    "Administrator": "Administrator Developer ExternalDeveloper ExternalSupport "
    "ExternalSystemAdministrator Support SystemAdministrator",
    "ContentDeveloper": "ContentDeveloper ContentExpert ExternalContentExpert Librarian",
    "Instructor": "ExternalInstructor Grader GuestInstructor Lecturer PrimaryInstructor "
    "SecondaryInstructor TeachingAssistant TeachingAssistantGroup TeachingAssistantOffering "
    "TeachingAssistantSection TeachingAssistantSectionAssociation TeachingAssistantTemplate",
    "Learner": "ExternalLearner GuestLearner Instructor Learner NonCreditLearner",
    "Manager": "AreaManager CourseCoordinator ExternalObserver Manager Observer",
    "Member": "Member",
    "Mentor": "Advisor Auditor ExternalAdvisor ExternalAuditor ExternalLearningFacilitator "
    "ExternalMentor ExternalReviewer ExternalTutor LearningFacilitator Mentor Reviewer Tutor",
    "Officer": "Chair Communications Secretary Treasurer Vice-Chair",
}
# Person roles, the ones that win a name of the deprecated person# first (Core A.2.1, A.2.2).
_PERSON = (
    (
        _LIS + "system/person#",
        "urn:lti:sysrole:ims/lis/",
        "AccountAdmin Administrator Creator None SysAdmin SysSupport User",
    ),
    (
        _LIS + "institution/person#",
        "urn:lti:instrole:ims/lis/",
        "Administrator Alumni Faculty Guest Instructor Learner Member Mentor None Observer Other "
        "ProspectiveStudent Staff Student",
    ),
)
# Sub-roles that mean less than the principal role they come with.
_ASSISTANT = "TeachingAssistant"
_OBSERVER = "Observer"
_LESSER = {
    ("Instructor", "Grader"): _ASSISTANT,
    ("Instructor", "TeachingAssistant"): _ASSISTANT,
    ("Instructor", "TeachingAssistantGroup"): _ASSISTANT,
    ("Instructor", "TeachingAssistantOffering"): _ASSISTANT,
    ("Instructor", "TeachingAssistantSection"): _ASSISTANT,
    ("Instructor", "TeachingAssistantSectionAssociation"): _ASSISTANT,
    ("Instructor", "TeachingAssistantTemplate"): _ASSISTANT,
    ("Manager", "ExternalObserver"): _OBSERVER,
    ("Manager", "Observer"): _OBSERVER,
}
_ADMINISTRATORS = frozenset(
    {
        *(_LIS + f"system/person#{name}" for name in ("AccountAdmin", "Administrator", "SysAdmin")),
        _LIS + "system/person#SysSupport",
        _LIS + "institution/person#Administrator",
    }
)
_STAFF = frozenset({"Administrator", "ContentDeveloper", "Instructor", "Manager", _ASSISTANT})
_ONLOOKERS = frozenset(_LIS + f"institution/person#{name}" for name in ("Mentor", "Observer"))
# Where a role begins, of lower-case text, and the path that its vocabulary has here.
_NAMESPACES = (
    (re.compile(r"https?://purl\.imsglobal\.org/vocab/lis/v[12]/membership[/#]"), "course/"),
    (re.compile(r"https?://purl\.imsglobal\.org/vocab/(?:lis/v[12]|lti)/"), ""),
    (re.compile(r"urn:lti:(?:role:)?ims/lis/"), "course/"),
    (re.compile(r"urn:lti:instrole:ims/lis/"), "institution/person/"),
    (re.compile(r"urn:lti:sysrole:ims/lis/"), "system/person/"),
)


class Role(NamedTuple):
    """A row of the table; TestUser has no LTI 1.1 form."""

    uri: str
    lti11: str  # a URN, or the short name of a principal context role
    principal: str = ""  # URI of the principal role, of a context sub-role
    held: str = ""  # what it makes somebody in the course


def _sub_role(principal: str, name: str) -> Role:
    held = _LESSER.get((principal, name), principal)
    path = f"{principal}/{name}"
    if held == _ASSISTANT:  # a principal role of its own in LTI 1.1
        path = held if name == held else f"{held}/{name}"
    uri = f"{_LIS}membership/{principal}#{name}"
    return Role(uri, _CONTEXT_URN + path, f"{_LIS}membership#{principal}", held)


def _rows() -> Iterator[Role]:
    for principal, names in _CONTEXT.items():
        yield Role(f"{_LIS}membership#{principal}", principal, held=principal)
        yield from (_sub_role(principal, name) for name in names.split())
    for prefix, urn, names in _PERSON:
        yield from (Role(prefix + name, urn + name) for name in names.split())
    yield Role(TEST_USER, "")


def _paths() -> Iterator[tuple[str, Role]]:
    """The path of every role in lower case; `course/` stands for the vocabulary of the context."""
    for role in TABLE.values():
        yield _path(role.uri)[0], role
        if role.held == _ASSISTANT:  # a principal role of its own in LTI 1.1
            name = role.uri.rpartition("#")[2].lower()
            yield f"course/teachingassistant/{name}", role
    yield f"course/{_ASSISTANT}".lower(), TABLE[_LIS + f"membership/Instructor#{_ASSISTANT}"]
    yield f"course/{_STUDENT}", TABLE[_LIS + "membership#Learner"]
    for prefix, _, names in reversed(_PERSON):  # the deprecated person# (Core A.2.1, A.2.2)
        yield from ((f"person/{name}".lower(), TABLE[prefix + name]) for name in names.split())


def _sub_role_names() -> Iterator[tuple[str, Role]]:
    """Names that one sub-role alone has, for who leaves its principal role out."""
    counted = Counter(name for names in _CONTEXT.values() for name in names.split())
    for role in TABLE.values():
        name = role.uri.rpartition("#")[2]
        if role.principal and counted[name] == 1 and name not in _CONTEXT:
            yield f"course/{name}".lower(), role


def _path(text: str) -> tuple[str, bool]:
    """The path of a role as somebody wrote it, and whether they wrote its vocabulary too."""
    lower = text.lower()
    for begin, path in _NAMESPACES:
        if match := begin.match(lower):
            return path + lower[match.end() :].replace("#", "/"), True
    return "course/" + lower.replace("#", "/"), False


TABLE: Mapping[str, Role] = MappingProxyType({role.uri: role for role in _rows()})
_PATHS: Mapping[str, Role] = MappingProxyType(dict(_paths()))
_SUB_ROLES: Mapping[str, Role] = MappingProxyType(dict(_sub_role_names()))


def from_lti11(text: str) -> tuple[str, ...]:
    """The full URIs of an LTI 1.1 `roles` value, principal roles added, unknown roles dropped."""
    return tuple(uri for uri in normalize(text.split(",")) if uri in TABLE)


def normalize(values: Iterable[object]) -> tuple[str, ...]:
    """The roles of an LTI 1.3 array as full URIs, in order and once each; unknown ones stay.

    Short names, LTI 1.1 URNs, the deprecated person# URIs and what real LMSs write instead of a
    URI are translated. Empty strings and what is no string are dropped.
    """
    found: dict[str, None] = {}
    for value in values:
        if isinstance(value, str) and (text := value.strip()):
            found |= dict.fromkeys(_uris(text))
    return tuple(found)


def to_lti11(uris: Iterable[str]) -> str:
    """The LTI 1.1 `roles` value: known roles only, without TestUser.

    A teaching assistant loses the accompanying Instructor, which a tool would take at its word.
    """
    roles = _complete(uris)
    held = _held(role.uri for role in roles)
    kept = [role for role in roles if role.principal or not role.held or role.held in held]
    return ",".join(role.lti11 for role in kept if role.lti11)


def narrow(uris: Iterable[str]) -> tuple[str, ...]:
    """What a provider may be told: the known context roles, principal ones added, and TestUser.

    Institution and system roles stay here: they say more about a person than a test needs, and
    an administrator of one LMS is nobody in the bridge that the provider knows.
    """
    roles = _complete(uris)
    return tuple(role.uri for role in roles if role.held or role.uri == TEST_USER)


def is_learner(uris: Iterable[str]) -> bool:
    """Whether the person is a learner in the course."""
    return "Learner" in _held(uris)


def is_instructor(uris: Iterable[str]) -> bool:
    """Whether the person is an instructor, and not only a teaching assistant."""
    return "Instructor" in _held(uris)


def is_teaching_assistant(uris: Iterable[str]) -> bool:
    """Whether the person is a teaching assistant or grader."""
    return _ASSISTANT in _held(uris)


def is_staff(uris: Iterable[str]) -> bool:
    """Whether the person teaches, builds or runs the course."""
    return not _STAFF.isdisjoint(_held(uris))


def may_configure(said: Iterable[str]) -> bool:
    """Whether the person may decide what a link opens: staff, but not as an assistant alone.

    `said` are the roles as they came: one who is sent as Instructor and as assistant may, and a
    principal role that only `normalize` has added to an assistant's sub-role does not count.
    """
    roles = [role for text in said if (role := _role(text.strip()))]
    held = _told(role.uri for role in roles)
    return not (_STAFF - {_ASSISTANT}).isdisjoint(held)


def is_mentor(uris: Iterable[str]) -> bool:
    """Whether the person looks after learners of the course."""
    return "Mentor" in _held(uris)


def is_observer(uris: Iterable[str]) -> bool:
    """Whether the person observes the course."""
    return _OBSERVER in _held(uris)


def looks_on(uris: Iterable[str]) -> bool:
    """Whether the institution knows the person as somebody who looks on at others."""
    return not _ONLOOKERS.isdisjoint(uris)


def is_administrator(uris: Iterable[str]) -> bool:
    """Whether the person runs the LMS or the institution, whatever they are in the course."""
    return not _ADMINISTRATORS.isdisjoint(uris)


def is_test_user(uris: Iterable[str]) -> bool:
    """Whether this is an LMS's preview account."""
    return TEST_USER in tuple(uris)


def _uris(text: str) -> tuple[str, ...]:
    if text in TABLE:
        return (text,)
    role = _role(text)
    if role is None:
        return (text,)
    return (role.uri, role.principal) if role.principal else (role.uri,)


def _role(text: str) -> Role | None:
    """The role that somebody wrote. A bare name of a sub-role makes nobody staff."""
    if role := TABLE.get(text):
        return role
    path, full = _path(text)
    if role := _PATHS.get(path):
        return role
    role = _SUB_ROLES.get(path)
    return role if role and (full or role.held not in _STAFF) else None


def _complete(uris: Iterable[str]) -> list[Role]:
    """The known roles, each sub-role followed by its principal role, once each."""
    found: dict[str, None] = {}
    for uri in uris:
        if uri in TABLE:
            found |= dict.fromkeys(part for part in (uri, TABLE[uri].principal) if part)
    return [TABLE[uri] for uri in found]


def _held(uris: Iterable[str]) -> set[str]:
    """What the person is in the course, by principal role.

    The principal role that accompanies a lesser sub-role does not count by itself: an assistant
    is sent as Instructor as well (Core A.2.3.1).
    """
    return _without_companions(uris, (_ASSISTANT, _OBSERVER))


def _told(uris: Iterable[str]) -> set[str]:
    """The same, but an Instructor beside an assistant's role counts: some are both."""
    return _without_companions(uris, (_OBSERVER,))


def _without_companions(uris: Iterable[str], lessers: tuple[str, ...]) -> set[str]:
    roles = [TABLE[uri] for uri in uris if uri in TABLE]
    held = {role.held for role in roles}
    of_sub_roles = {role.held for role in roles if role.principal}
    for (principal, _), lesser in _LESSER.items():
        if lesser in lessers and lesser in held and principal not in of_sub_roles:
            held.discard(principal)
    return held
