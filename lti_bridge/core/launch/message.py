"""A launch: one verified click, in one vocabulary whatever the protocol it came by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

Lti = Literal["1.1", "1.3", "api"]
MainRole = Literal["learner", "staff", "observer", "guest"]
PERSON_FIELDS = Literal[
    "given_name",
    "family_name",
    "middle_name",
    "full_name",
    "email",
    "username",
    "sourced_id",
    "image",
]
"""What of a person a connection may let leave: fields of `Person`."""

RESOURCE_LINK = "LtiResourceLinkRequest"
DEEP_LINKING = "LtiDeepLinkingRequest"
SUBMISSION_REVIEW = "LtiSubmissionReviewRequest"
NOTICE_SERVICE = "notice_service"  # of `Launch.extra`: where the LMS is asked for notices

LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
LEARNER_SUB_ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership/Learner#"

NOTHING: Mapping[str, str] = MappingProxyType({})
_VOCABULARY = re.compile(r"https?://purl\.imsglobal\.org/vocab/(?:lis/v[12]/(?:membership[#/])?)?")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
_FIT_FOR_LOGS = re.compile(r"[\w:/#. -]{1,80}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who clicked, as far as the LMS says. `id` is opaque; an empty string means anonymous."""

    id: str = ""
    given_name: str = ""
    family_name: str = ""
    middle_name: str = ""
    full_name: str = ""
    email: str = ""
    username: str = ""
    sourced_id: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """The course. `types` are full URIs of the context vocabulary."""

    id: str = ""
    label: str = ""
    title: str = ""
    types: tuple[str, ...] = ()
    section_sourced_id: str = ""
    offering_sourced_id: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """The course link that was clicked."""

    id: str = ""
    title: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """The LMS instance that sent the launch."""

    guid: str = ""
    name: str = ""
    family: str = ""
    version: str = ""
    description: str = ""
    url: str = ""
    contact_email: str = ""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the LMS shows the tool. `width` and `height` are pixels, 0 when unknown."""

    target: str = ""
    width: int = 0
    height: int = 0
    locale: str = ""
    return_url: str = ""
    css_url: str = ""

    @property
    def framed(self) -> bool:
        """Whether the tool is within a page of the LMS, which its return address leads out of."""
        return self.target.strip().lower() == "iframe"


@dataclass(frozen=True, slots=True)
class GradeTarget:
    """Where the LMS wants this learner's grade; every field may be empty.

    `outcome_url` and `sourced_id` are Basic Outcomes (LTI 1.1, or the claim of LTI 1.3);
    `line_item`, `line_items` and `scopes` are AGS.
    """

    outcome_url: str = ""
    sourced_id: str = ""
    line_item: str = ""
    line_items: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def offered(self) -> bool:
        """Whether a grade can be brought anywhere at all."""
        return bool((self.outcome_url and self.sourced_id) or self.line_item or self.line_items)


@dataclass(frozen=True, slots=True)
class Former:
    """Under which names an LMS knew the same click by LTI 1.1, as it proved or an admin said."""

    registration: str
    user_id: str
    context_id: str
    resource_link_id: str


@dataclass(frozen=True, slots=True)
class Once:
    """A value that may be used once: recorded in the same commit as what it allows.

    `browser` is the digest of a secret that only the browser it came by holds, empty where nothing
    tells; `message` is the digest of the very message, where another one could have the same
    value; `at` is when it came.
    """

    scope: str
    value: str
    expires_at: datetime
    browser: str = ""
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """One verified click: who, which course, which link, which roles, where the grade goes.

    `registration` is the name of the LMS's registration; every identifier is unique only
    within it. `roles` are full URIs (LTI 1.3 vocabulary) in the order received; `main_role` is what
    they amount to in this course (guest: no role that we know, and no place for a grade),
    `may_configure` whether that is enough to decide what a link opens, and `test_user` marks an
    LMS's pretend student. `custom`
    holds the link's custom parameters without prefix. `extra` holds further verified claims that
    a later step may need (deep linking settings, NRPS, the 1.1 migration claim). `once` is what
    makes this very message usable once. `former` is set when the LMS moved from LTI 1.1, `home`
    where the course had another id when the learner began at this link.
    """

    registration: str
    lti: Lti
    once: Once
    received_at: datetime
    message: str = RESOURCE_LINK
    deployment_id: str = ""
    person: Person = Person()
    context: Context = Context()
    resource_link: ResourceLink = ResourceLink()
    platform: Platform = Platform()
    presentation: Presentation = Presentation()
    grade_target: GradeTarget = GradeTarget()
    roles: tuple[str, ...] = ()
    main_role: MainRole = "guest"
    may_configure: bool = False
    test_user: bool = False
    mentor_scope: tuple[str, ...] = ()
    custom: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    extra: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    former: Former | None = None
    home: str = ""

    @property
    def roles_in_words(self) -> str:
        """By which roles the person was judged, for logs and for staff: short, and no names."""
        names = (_VOCABULARY.sub("", role, count=1) for role in self.roles[:10])
        return (
            ",".join(n if _FIT_FOR_LOGS.fullmatch(n) else "(unreadable)" for n in names) or "none"
        )

    def asked(self, name: str) -> str:
        """The link's custom parameter of this name, as LTI 1.1 writes it; empty without one.

        Some LMSs keep the case that somebody typed, others change it. The exact name comes first.
        """
        if name in self.custom:
            return self.custom[name]
        alike = (v for k, v in self.custom.items() if _NOT_IN_NAMES.sub("_", k.lower()) == name)
        return next(alike, "")

    @property
    def course_id(self) -> str:
        """The id by which its course was first known here."""
        return self.home or self.context.id

    def is_of(self, registrations: frozenset[str]) -> bool:
        """Whether one of these LMSs sent it, by its present name or the one before."""
        if self.registration in registrations:
            return True
        return self.former is not None and self.former.registration in registrations
