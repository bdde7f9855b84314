"""Substitution variables: `$Name` written as a whole custom value becomes what a launch says.

The rules are those of LTI Core 1.3 appendix B and LTI 1.1 appendix C. A variable that is
supported and allowed gives its value, one without a value or held back by the privacy rule
gives the empty string, and any other stays as it was written. `\\$Name` is the text `$Name`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from lti_bridge.core.launch.message import Launch


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the provider is to see where the launch's own values stay inside the bridge.

    `privacy` names the person fields that may leave (`message.PERSON_FIELDS`). The ids, URLs
    and `sourced_id` (of the result) are the bridge's own, as sent in the same launch;
    `mentor_scope` holds the ids of the mentored learners as the provider knows them, and
    `extra_time_percent` what the learner was given by an adjustment.
    """

    privacy: frozenset[str]
    user_id: str = ""
    resource_link_id: str = ""
    context_id: str = ""
    sourced_id: str = ""
    outcome_url: str = ""
    return_url: str = ""
    mentor_scope: tuple[str, ...] = ()
    extra_time_percent: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """Custom values as they go on the wire, and the names of the variables left as written."""

    values: dict[str, str]
    unresolved: tuple[str, ...]

    def complete(self) -> Resolved:
        """The same with nothing in the place of variables that were left as written."""
        left = {f"${name}" for name in self.unresolved}
        values = {key: "" if value in left else value for key, value in self.values.items()}
        return Resolved(values, self.unresolved)


def resolve(values: Mapping[str, str], launch: Launch, bindings: Bindings) -> Resolved:
    """Replace the variables in custom values that the author of an activity wrote.

    A value that came from the LMS is data: pass it through `literal` first, or leave it out.
    """
    resolved: dict[str, str] = {}
    unresolved: list[str] = []
    for key, value in values.items():
        name = variable_in(value)
        answer = _answer(name, launch, bindings) if name else _unescaped(value)
        resolved[key] = value if answer is None else answer
        if answer is None and name not in unresolved:
            unresolved.append(name)
    return Resolved(resolved, tuple(unresolved))


def variables() -> list[tuple[str, str]]:
    """Every supported variable as (name without `$`, meaning), for the documentation."""
    personal = [(name, meaning) for name, (_, meaning) in _PERSONAL.items()]
    plain = [(name, meaning) for name, (_, meaning) in _PLAIN.items()]
    return sorted([*personal, *plain, *_RELAYED.items()])


def unknown(values: Mapping[str, str]) -> list[str]:
    """The variables in `values` that no launch can answer, to warn the author of an activity."""
    names = dict.fromkeys(variable_in(value) for value in values.values())
    return [name for name in names if name and not _supported(name)]


def variable_in(value: str) -> str:
    """The name of the variable that `value` is, or the empty string."""
    match = _WRITTEN.fullmatch(value)
    return match["name"] if match and not match["escape"] else ""


def literal(value: str) -> str:
    """`value` written so that `resolve` gives back exactly this text."""
    return f"\\{value}" if _WRITTEN.fullmatch(value) else value


SENT = "Custom."  # $Custom.x is what the course link itself sends as its parameter x
_WRITTEN = re.compile(r"(?P<escape>\\*)\$(?P<name>[A-Za-z][A-Za-z0-9_.-]*)")


def _unescaped(value: str) -> str:
    return value[1:] if _WRITTEN.fullmatch(value) else value


def _supported(name: str) -> bool:
    return name in _PERSONAL or name in _PLAIN or name in _RELAYED or name.startswith(SENT)


def _answer(name: str, launch: Launch, bindings: Bindings) -> str | None:
    """The value, empty when there is none or it may not leave, None when not supported."""
    if name in _PERSONAL:
        field = _PERSONAL[name][0]
        return str(getattr(launch.person, field)) if field in bindings.privacy else ""
    if name in _PLAIN:
        return _PLAIN[name][0](launch, bindings)
    if name.startswith(SENT):
        return _relayed(name.removeprefix(SENT), launch.custom) or ""
    return _relayed(name, launch.custom) if name in _RELAYED else None


def _relayed(name: str, custom: Mapping[str, str]) -> str | None:
    """What the LMS put into the custom parameter of the same name; None when it put nothing.

    Case and punctuation do not count, because LTI 1.1 changes them on the way. A variable that
    the LMS sent back as written means that it has no such value (LTI Core 1.3 appendix B).
    """
    for key, value in custom.items():
        if _folded(key) == _folded(name) and not variable_in(value):
            return value
    return None


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _pixels(size: int) -> str:
    return str(size) if size else ""


_Reader = Callable[[Launch, Bindings], str]

_PERSONAL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "User.image": ("image", "address of the user's picture"),
        "User.username": ("username", "login name in the LMS"),
        "Person.sourcedId": ("sourced_id", "id of the person in the student information system"),
        "Person.name.full": ("full_name", "full name"),
        "Person.name.family": ("family_name", "family name"),
        "Person.name.given": ("given_name", "given name"),
        "Person.name.middle": ("middle_name", "middle name"),
        "Person.email.primary": ("email", "e-mail address"),
    }
)

_PLAIN: Mapping[str, tuple[_Reader, str]] = MappingProxyType(
    {
        "User.id": (lambda launch, sent: sent.user_id, "user id as the provider sees it"),
        "User.scope.mentor": (
            lambda launch, sent: ",".join(quote(user, safe="") for user in sent.mentor_scope),
            "ids of the learners a mentor looks after, URL-encoded, with commas between",
        ),
        "Context.id": (lambda launch, sent: sent.context_id, "course id as the provider sees it"),
        "Context.type": (
            lambda launch, sent: ",".join(launch.context.types),
            "kinds of the course, with commas between",
        ),
        "Context.label": (lambda launch, sent: launch.context.label, "short name of the course"),
        "Context.title": (lambda launch, sent: launch.context.title, "title of the course"),
        "Context.sourcedId": (
            lambda launch, sent: (
                launch.context.section_sourced_id or launch.context.offering_sourced_id
            ),
            "id of the course in the student information system",
        ),
        "CourseSection.sourcedId": (
            lambda launch, sent: launch.context.section_sourced_id,
            "id of the course section in the student information system",
        ),
        "CourseSection.label": (
            lambda launch, sent: launch.context.label,
            "short name of the course",
        ),
        "CourseSection.title": (lambda launch, sent: launch.context.title, "title of the course"),
        "CourseOffering.sourcedId": (
            lambda launch, sent: launch.context.offering_sourced_id,
            "id of the course offering in the student information system",
        ),
        "ResourceLink.id": (
            lambda launch, sent: sent.resource_link_id,
            "id of the course link as the provider sees it",
        ),
        "ResourceLink.title": (
            lambda launch, sent: launch.resource_link.title,
            "title of the course link",
        ),
        "ResourceLink.description": (
            lambda launch, sent: launch.resource_link.description,
            "description of the course link",
        ),
        "Membership.role": (
            lambda launch, sent: ",".join(launch.roles),
            "roles as full URIs, with commas between",
        ),
        "Message.returnUrl": (
            lambda launch, sent: sent.return_url,
            "page of the bridge for the way back",
        ),
        "Message.documentTarget": (
            lambda launch, sent: launch.presentation.target,
            "frame, iframe or window",
        ),
        "Message.height": (
            lambda launch, sent: _pixels(launch.presentation.height),
            "height of the frame in pixels",
        ),
        "Message.width": (
            lambda launch, sent: _pixels(launch.presentation.width),
            "width of the frame in pixels",
        ),
        "Message.locale": (
            lambda launch, sent: launch.presentation.locale,
            "language and region, for example fr-FR",
        ),
        "ToolPlatform.productFamilyCode": (
            lambda launch, sent: launch.platform.family,
            "product name of the LMS",
        ),
        "ToolPlatform.version": (
            lambda launch, sent: launch.platform.version,
            "version of the LMS",
        ),
        "ToolPlatformInstance.guid": (
            lambda launch, sent: launch.platform.guid,
            "unique id of the LMS installation",
        ),
        "ToolPlatformInstance.name": (
            lambda launch, sent: launch.platform.name,
            "name of the LMS installation",
        ),
        "ToolPlatformInstance.description": (
            lambda launch, sent: launch.platform.description,
            "description of the LMS installation",
        ),
        "ToolPlatformInstance.url": (
            lambda launch, sent: launch.platform.url,
            "address of the LMS installation",
        ),
        "ToolPlatformInstance.contactEmail": (
            lambda launch, sent: launch.platform.contact_email,
            "contact address of the LMS installation",
        ),
        "Result.sourcedId": (
            lambda launch, sent: sent.sourced_id,
            "handle of this learner's grade at the bridge",
        ),
        "org.lti-bridge.Learner.extraTimePercent": (
            lambda launch, sent: str(sent.extra_time_percent or ""),
            "extra time that this learner was given, in percent of the test's time",
        ),
        "BasicOutcome.url": (
            lambda launch, sent: sent.outcome_url,
            "where the bridge takes grades in Basic Outcomes",
        ),
    }
)

# The LMS alone knows these; they are answered when the course link asks for them in a custom
# parameter of the same name, for example context_id_history=$Context.id.history.
_RELAYED: Mapping[str, str] = MappingProxyType(
    {
        "Context.id.history": "earlier ids of a copied course, as the LMS says",
        "ResourceLink.id.history": "earlier ids of a copied course link, as the LMS says",
        "ResourceLink.available.startDateTime": "available from",
        "ResourceLink.available.endDateTime": "available until",
        "ResourceLink.available.user.startDateTime": "available from, for this learner",
        "ResourceLink.available.user.endDateTime": "available until, for this learner",
        "ResourceLink.submission.startDateTime": "submissions from",
        "ResourceLink.submission.endDateTime": "submissions until",
        "ResourceLink.submission.user.startDateTime": "submissions from, for this learner",
        "ResourceLink.submission.user.endDateTime": "submissions until, for this learner",
        "ResourceLink.lineitem.releaseDateTime": "grades shown from",
        "ResourceLink.lineitem.user.releaseDateTime": "grades shown from, for this learner",
        "CourseSection.timeFrame.begin": "start of the course",
        "CourseSection.timeFrame.end": "end of the course",
    }
)
