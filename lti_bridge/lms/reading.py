"""From verified claims to a Launch: the one place that knows what may be missing or odd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lti_bridge.core.course.links import DEEP_LINKED, NAMED
from lti_bridge.core.launch.message import (
    NOTICE_SERVICE,
    Context,
    GradeTarget,
    Launch,
    Lti,
    MainRole,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)
from lti_bridge.errors import MessageRefused
from lti_bridge.lti import claims as names
from lti_bridge.lti import notices, oidc, roles

MAX_ID = 255
MAX_DEPTH = 20

_EXTRA = (
    names.TARGET_LINK_URI,
    names.DEEP_LINKING_SETTINGS,
    names.FOR_USER,
    names.LTI1P1,
    names.NRPS,
)
# Where an LMS tells by itself what a link was copied from: member of the ext_ parameters of LTI
# 1.1, and of a claim of Brightspace.
_HISTORY = (
    ("context_id_history", "d2l_context_id_history", "Context.id.history"),
    ("resource_link_id_history", "d2l_resource_link_id_history", "ResourceLink.id.history"),
)
_BRIGHTSPACE = "http://www.brightspace.com"
_UNRESOLVED = re.compile(r"\$[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
_PIXELS = re.compile(r"[0-9]{1,5}(?:px)?")


def launch_from_claims(
    claims: Mapping[str, Any],
    *,
    registration: str,
    lti: Lti,
    once: Once,
    received_at: datetime,
    said: Sequence[str] | None = None,
    address: str = "",
) -> Launch:
    """Return what verified claims of the 1.3 shape say; absent and empty mean the same.

    `said` are the roles as they came, where the claim has them translated already. `address` is
    where the message was sent to, as the LMS has signed it. Raises
    MessageRefused for a member of the wrong type, an over-long identifier, or text that
    cannot be stored.
    """
    claims = names.present(claims)
    said = _texts(claims, names.ROLES) if said is None else said
    held = roles.normalize(said)
    person, target = _person(claims), _grade_target(claims)
    launch = Launch(
        registration=registration,
        lti=lti,
        once=once,
        received_at=received_at,
        message=_text(claims, names.MESSAGE_TYPE),
        deployment_id=_text(claims, names.DEPLOYMENT_ID),
        person=person,
        context=_context(claims),
        resource_link=_resource_link(claims),
        platform=_platform(claims),
        presentation=_presentation(claims),
        grade_target=target,
        roles=held,
        main_role=_main_role(held, graded=bool(person.id) and target.offered),
        may_configure=roles.may_configure(said),
        test_user=roles.is_test_user(held),
        mentor_scope=_texts(claims, names.ROLE_SCOPE_MENTOR) if roles.is_mentor(held) else (),
        custom=_custom(_object(claims, names.CUSTOM)),
        extra=_extra(claims),
    )
    _check_ids(launch)
    return _by_address(launch, address)


def _by_address(launch: Launch, address: str) -> Launch:
    """The launch of a link whose LMS kept nothing but the address of what was chosen (Stud.IP).

    It is signed, and no more than a name: whether it may be opened is looked up as always.
    """
    if launch.asked(DEEP_LINKED) or launch.asked(NAMED):
        return launch
    try:
        named = parse_qs(urlsplit(address).query).get(DEEP_LINKED, [""])
    except ValueError:
        return launch
    if len(named) != 1 or not named[0] or len(named[0]) > MAX_ID:
        return launch
    custom = {**launch.custom, DEEP_LINKED: _storable(named[0])}
    return replace(launch, custom=MappingProxyType(custom))


def _person(claims: Mapping[str, Any]) -> Person:
    ext = _object(claims, names.EXT_13) or _object(claims, names.EXT)
    return Person(
        id=_text(claims, "sub"),
        given_name=_text(claims, "given_name"),
        family_name=_text(claims, "family_name"),
        middle_name=_text(claims, "middle_name"),
        full_name=_text(claims, "name"),
        email=_text(claims, "email"),
        username=_text(ext, "user_username"),
        sourced_id=_text(_object(claims, names.LIS), "person_sourcedid"),
        image=_web_address(claims, "picture"),
    )


def _context(claims: Mapping[str, Any]) -> Context:
    context, lis = _object(claims, names.CONTEXT), _object(claims, names.LIS)
    if context and not _text(context, "id"):
        raise MessageRefused("the context has no id")
    return Context(
        id=_text(context, "id"),
        label=_text(context, "label"),
        title=_text(context, "title"),
        types=names.context_types(_texts(context, "type")),
        section_sourced_id=_text(lis, "course_section_sourcedid"),
        offering_sourced_id=_text(lis, "course_offering_sourcedid"),
    )


def _resource_link(claims: Mapping[str, Any]) -> ResourceLink:
    link = _object(claims, names.RESOURCE_LINK)
    return ResourceLink(
        id=_text(link, "id"), title=_text(link, "title"), description=_text(link, "description")
    )


def _platform(claims: Mapping[str, Any]) -> Platform:
    platform = _object(claims, names.PLATFORM)
    return Platform(
        guid=_text(platform, "guid"),
        name=_text(platform, "name"),
        family=_family(claims, platform),
        version=_text(platform, "version"),
        description=_text(platform, "description"),
        url=_web_address(platform, "url"),
        contact_email=_text(platform, "contact_email"),
    )


def _family(claims: Mapping[str, Any], platform: Mapping[str, Any]) -> str:
    """What the LMS calls its product.

    Open edX says there how the site is called, or nothing (lti-consumer-xblock 11.4.4:
    lti_1p1/consumer.py, lti_1p3/consumer.py); the keys of its courses begin alike everywhere.
    """
    course = str(_object(claims, names.CONTEXT).get("id", ""))
    return "openedx" if course.startswith("course-v1:") else _text(platform, "product_family_code")


def _presentation(claims: Mapping[str, Any]) -> Presentation:
    presentation = _object(claims, names.PRESENTATION)
    return Presentation(
        target=_text(presentation, "document_target"),
        width=_pixels(presentation.get("width")),
        height=_pixels(presentation.get("height")),
        locale=_text(presentation, "locale") or _text(claims, "locale"),
        return_url=_web_address(presentation, "return_url"),
        css_url=_web_address(presentation, "css_url"),
    )


def _grade_target(claims: Mapping[str, Any]) -> GradeTarget:
    outcome, ags = _object(claims, names.BASIC_OUTCOME), _object(claims, names.AGS_ENDPOINT)
    return GradeTarget(
        outcome_url=_text(outcome, "lis_outcome_service_url"),
        sourced_id=_text(outcome, "lis_result_sourcedid"),
        line_item=_text(ags, "lineitem"),
        line_items=_text(ags, "lineitems"),
        scopes=_texts(ags, "scope"),
    )


def _main_role(held: Sequence[str], *, graded: bool) -> MainRole:
    """The highest context role decides (Core 1.3 section 5.3.7); without one, the LMS itself.

    LMSs have roles that no vocabulary knows, or send none. Whom they give a place for the grade
    (`graded`) they want graded, unless a role says that this one only looks on.
    """
    if roles.is_staff(held):
        return "staff"
    if roles.is_learner(held):
        return "learner"
    if roles.is_observer(held) or roles.is_mentor(held):
        return "observer"
    if roles.is_administrator(held) or roles.looks_on(held):
        return "observer"  # looks in from outside: a test of theirs would cost and count for nobody
    return "learner" if graded and not roles.is_test_user(held) else "guest"


def _custom(custom: Mapping[str, Any]) -> Mapping[str, str]:
    """The texts of the link's own parameters.

    A variable that the LMS does not know comes back unresolved: that is no data (Core 1.3,
    appendix B). Values of another type are against the specification and are left out.
    """
    return MappingProxyType(
        {
            _storable(name): _storable(value)
            for name, value in custom.items()
            if isinstance(value, str) and not _UNRESOLVED.fullmatch(value)
        }
    )


def _extra(claims: Mapping[str, Any]) -> Mapping[str, object]:
    found = {name: claims[name] for name in _EXTRA if name in claims}
    for name in _EXTRA[1:]:
        _object(claims, name)
    found.update(_history(claims))
    if service := notices.service_url(claims):
        found[NOTICE_SERVICE] = service
    for text in _texts_within(found):
        _storable(text)
    return MappingProxyType(found)


def _history(claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    ext, brightspace = _object(claims, names.EXT), _object(claims, _BRIGHTSPACE)
    for name, of_11, of_13 in _HISTORY:
        text = _text(ext, name) or _text(ext, of_11) or _text(brightspace, of_13)
        if text:
            yield name, text


def _check_ids(launch: Launch) -> None:
    """Refuse identifiers above 255 characters, in LTI 1.3 of ASCII (Core 1.3, 5.3.3 and on)."""
    for what, value in (
        ("deployment_id", launch.deployment_id),
        ("the user's id", launch.person.id),
        ("the context's id", launch.context.id),
        ("the resource link's id", launch.resource_link.id),
        ("the platform's guid", launch.platform.guid),
    ):
        if len(value) > MAX_ID or (launch.lti == "1.3" and not value.isascii()):
            raise MessageRefused(f"{what} is not at most {MAX_ID} ASCII characters")


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    if names.is_empty(value):
        return {}
    if not isinstance(value, Mapping):
        raise MessageRefused(f"{name} is not an object")
    return value


def _text(members: Mapping[str, Any], name: str) -> str:
    """A text; a whole number is its digits, since many write their ids as numbers."""
    value = names.as_id(members.get(name))
    if isinstance(value, str):
        return _storable(value)
    if not names.is_empty(value):
        raise MessageRefused(f"{name} is not a text")
    return ""


def _texts(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = members.get(name)
    if names.is_empty(values):
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise MessageRefused(f"{name} is not an array of texts")
    return tuple(_storable(value) for value in values)


def _web_address(members: Mapping[str, Any], name: str) -> str:
    """An address a browser may be sent to; anything else, such as javascript:, is left out."""
    value = _text(members, name)
    return value if oidc.origin(value) else ""


def _pixels(value: object) -> int:
    text = str(value)
    return int(text.removesuffix("px")) if _PIXELS.fullmatch(text) else 0


def _texts_within(value: object, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise MessageRefused(f"a claim is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts_within(part, depth + 1)


def _storable(text: str) -> str:
    """Refuse half characters and NUL, which no database and no other system would take."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as err:
            raise MessageRefused("a text is no valid Unicode") from err
    if "\0" in text:
        raise MessageRefused("a text holds a NUL character")
    return text
