"""LTI 1.1 parameters as LTI 1.3 claims, and back: one table for both doors (BR-07).

What the other side cannot express is dropped, never bent. Two conventions of other software are
left out on purpose: service URLs in custom_lineitem(s)_url and custom_context_memberships_v2_url
are written by whoever writes the link, so nobody may be sent a token or a grade because of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from lti_bridge.lti import roles
from lti_bridge.lti.custom_names import custom_name

_LTI = "https://purl.imsglobal.org/spec/lti/claim/"
_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"

MESSAGE_TYPE = _LTI + "message_type"
VERSION = _LTI + "version"
DEPLOYMENT_ID = _LTI + "deployment_id"
TARGET_LINK_URI = _LTI + "target_link_uri"
RESOURCE_LINK = _LTI + "resource_link"
ROLES = _LTI + "roles"
ROLE_SCOPE_MENTOR = _LTI + "role_scope_mentor"
CONTEXT = _LTI + "context"
PLATFORM = _LTI + "tool_platform"
PRESENTATION = _LTI + "launch_presentation"
LIS = _LTI + "lis"
CUSTOM = _LTI + "custom"
FOR_USER = _LTI + "for_user"
LTI1P1 = _LTI + "lti1p1"
DEEP_LINKING_SETTINGS = _DL + "deep_linking_settings"
CONTENT_ITEMS = _DL + "content_items"
DATA = _DL + "data"
MSG = _DL + "msg"
LOG = _DL + "log"
ERROR_MSG = _DL + "errormsg"
ERROR_LOG = _DL + "errorlog"
AGS_ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
BASIC_OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
# Where platforms put what LTI 1.1 calls ext_ parameters; not in the specification.
EXT_13 = _LTI + "ext"
EXT = "ext"  # not a claim: where ext_ parameters of LTI 1.1 are kept

LTI_11_VERSION = "LTI-1p0"
_SELECT_CONTENT = "ContentItemSelectionRequest"

# LTI 1.1 parameter, claim, member of the claim ("" = the claim itself); all are plain texts.
TABLE: tuple[tuple[str, str, str], ...] = (
    ("user_id", "sub", ""),
    ("lis_person_name_full", "name", ""),
    ("lis_person_name_given", "given_name", ""),
    ("lis_person_name_family", "family_name", ""),
    ("lis_person_name_middle", "middle_name", ""),
    ("lis_person_contact_email_primary", "email", ""),
    ("user_image", "picture", ""),
    ("lis_person_sourcedid", LIS, "person_sourcedid"),
    ("lis_course_offering_sourcedid", LIS, "course_offering_sourcedid"),
    ("lis_course_section_sourcedid", LIS, "course_section_sourcedid"),
    ("context_id", CONTEXT, "id"),
    ("context_label", CONTEXT, "label"),
    ("context_title", CONTEXT, "title"),
    ("resource_link_id", RESOURCE_LINK, "id"),
    ("resource_link_title", RESOURCE_LINK, "title"),
    ("resource_link_description", RESOURCE_LINK, "description"),
    ("launch_presentation_locale", PRESENTATION, "locale"),
    ("launch_presentation_return_url", PRESENTATION, "return_url"),
    ("launch_presentation_css_url", PRESENTATION, "css_url"),
    ("tool_consumer_instance_guid", PLATFORM, "guid"),
    ("tool_consumer_instance_name", PLATFORM, "name"),
    ("tool_consumer_instance_description", PLATFORM, "description"),
    ("tool_consumer_instance_url", PLATFORM, "url"),
    ("tool_consumer_instance_contact_email", PLATFORM, "contact_email"),
    ("tool_consumer_info_product_family_code", PLATFORM, "product_family_code"),
    ("tool_consumer_info_version", PLATFORM, "version"),
    ("lis_outcome_service_url", BASIC_OUTCOME, "lis_outcome_service_url"),
    ("lis_result_sourcedid", BASIC_OUTCOME, "lis_result_sourcedid"),
    ("lti_msg", MSG, ""),
    ("lti_log", LOG, ""),
    ("lti_errormsg", ERROR_MSG, ""),
    ("lti_errorlog", ERROR_LOG, ""),
)
_SELECTION: tuple[tuple[str, str, str], ...] = (
    ("content_item_return_url", DEEP_LINKING_SETTINGS, "deep_link_return_url"),
    ("title", DEEP_LINKING_SETTINGS, "title"),
    ("text", DEEP_LINKING_SETTINGS, "text"),
    ("data", DEEP_LINKING_SETTINGS, "data"),
)
_SELECTION_FLAGS = ("accept_multiple", "auto_create")
_RETURNED_DATA = (("data", DATA, ""),)
MESSAGE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "basic-lti-launch-request": "LtiResourceLinkRequest",
        _SELECT_CONTENT: "LtiDeepLinkingRequest",
        "ContentItemSelection": "LtiDeepLinkingResponse",
    }
)
_MESSAGE_TYPES_11 = MappingProxyType({new: old for old, new in MESSAGE_TYPES.items()})
_DOCUMENT_TARGETS = frozenset({"frame", "iframe", "window"})
_CONTEXT_TYPES = ("CourseTemplate", "CourseOffering", "CourseSection", "Group")
_COURSE = "http://purl.imsglobal.org/vocab/lis/v2/course#"
_CONTEXT_TYPE_URN = "urn:lti:context-type:ims/lis/"
_CONTEXT_TYPE_BY_NAME = MappingProxyType({name.lower(): _COURSE + name for name in _CONTEXT_TYPES})
# Deep Linking 2.0, section 4.6: what a media type or target of Content-Item 1.0 asks for.
_LTI_LINK = "application/vnd.ims.lti.v1.ltilink"
_ACCEPT_TYPES = MappingProxyType(
    {
        _LTI_LINK: ("ltiResourceLink",),
        "application/vnd.ims.lti.v1.ltiassignment": ("ltiResourceLink",),
        "text/html": ("html", "link"),
        "image/*": ("image",),
        "*/*": ("ltiResourceLink", "link", "html", "image"),
    }
)
_MEDIA_TYPES = MappingProxyType(
    {
        "ltiResourceLink": _LTI_LINK,
        "html": "text/html",
        "link": "text/html",
        "image": "image/*",
        "file": "*/*",
    }
)
_TARGETS = MappingProxyType(
    {
        "embed": "embed",
        "iframe": "iframe",
        "window": "window",
        "frame": "window",
        "popup": "window",
        "overlay": "iframe",
    }
)
_HISTORY = ("context_id_history", "resource_link_id_history")  # sent without ext_ by some
_PIXELS = re.compile(r"[1-9][0-9]{0,4}")
_SURROGATE = re.compile("[\ud800-\udfff]")


_IDS = ("sub", DEPLOYMENT_ID)
_WITH_IDS = MappingProxyType(
    {
        CONTEXT: ("id",),
        RESOURCE_LINK: ("id",),
        FOR_USER: ("user_id",),
        LTI1P1: ("user_id", "context_id", "resource_link_id"),
    }
)


def is_empty(value: object) -> bool:
    """Whether a member says nothing: null, or an empty text, array or object.

    PHP writes an object without members as `[]`, so that the kind of emptiness says nothing.
    """
    if value:
        return False
    return value is None or isinstance(value, str | list | tuple | Mapping)


def as_id(value: object) -> object:
    """An id; one that was written as a JSON number is its text."""
    return str(value) if type(value) is int else value


def present(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims that say something, with all ids as texts.

    An array without roles is something, and an empty `sub` is no anonymous launch: it is refused.
    """
    found = {
        name: value
        for name, value in claims.items()
        if not is_empty(value)
        or (name == ROLES and isinstance(value, list))
        or (name == "sub" and value is not None)
    }
    found |= {name: as_id(found[name]) for name in _IDS if name in found}
    for name, members in _WITH_IDS.items():
        if isinstance(said := found.get(name), Mapping):
            ids = {member: as_id(said[member]) for member in members if member in said}
            found[name] = {**said, **ids}
    return found


def claims_from_parameters(params: Mapping[str, str]) -> dict[str, Any]:
    """The claims that say what the parameters of a verified LTI 1.1 message say.

    Roles and context types become full URIs. An empty parameter is no claim; an empty custom
    parameter is an empty value.
    """
    message = params.get("lti_message_type", "")
    claims: dict[str, Any] = {
        MESSAGE_TYPE: MESSAGE_TYPES.get(message, message),
        ROLES: list(roles.from_lti11(params.get("roles", ""))),
    }
    for parameter, claim, member in (*TABLE, *_rows_of(message)):
        _put(claims, claim, member, params.get(parameter, ""))
    types = context_types(_split(params.get("context_type", "")))
    _put(claims, CONTEXT, "type", [uri for uri in types if uri.startswith(_COURSE)])
    mentor = [unquote(user) for user in _split(params.get("role_scope_mentor", ""))]
    _put(claims, ROLE_SCOPE_MENTOR, "", mentor)
    _put_presentation(claims, params)
    _put(claims, CUSTOM, "", _prefixed(params, "custom_"))
    history = {name: params[name] for name in _HISTORY if name in params}
    _put(claims, EXT, "", {**_prefixed(params, "ext_"), **history})
    if message == _SELECT_CONTENT:
        _put_selection(claims, params)
    return claims


def parameters_from_claims(claims: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The LTI 1.1 parameters, unsigned, that say what the claims say.

    Of custom names that become equal the first wins; custom_collisions finds them beforehand.
    Content items are not converted here: the two versions write them in different JSON.
    """
    message = _MESSAGE_TYPES_11.get(_text(claims.get(MESSAGE_TYPE)), "")
    found = {"lti_message_type": message, "lti_version": LTI_11_VERSION}
    for parameter, claim, member in (*TABLE, *_rows_of(message)):
        found[parameter] = _get(claims, claim, member)
    found["launch_presentation_locale"] = found["launch_presentation_locale"] or _get(
        claims, "locale", ""
    )
    found["roles"] = roles.to_lti11(roles.normalize(_list(claims.get(ROLES))))
    mentor = [quote(user, safe="") for user in map(_text, _list(claims.get(ROLE_SCOPE_MENTOR)))]
    found["role_scope_mentor"] = ",".join(filter(None, mentor))
    types = context_types(_list(_member(claims, CONTEXT, "type")))
    found["context_type"] = ",".join(
        uri.removeprefix(_COURSE) for uri in types if uri in _CONTEXT_TYPE_BY_NAME.values()
    )
    found |= _presentation_parameters(claims)
    if message == _SELECT_CONTENT:
        found |= _selection_parameters(claims)
    return [
        *((name, value) for name, value in found.items() if value),
        *_custom_parameters(claims),
        *((f"ext_{name}", value) for name, value in _texts(claims.get(EXT)) if value),
    ]


def context_types(values: Iterable[object]) -> tuple[str, ...]:
    """Context types as full URIs, in order; unknown texts stay, everything else is dropped."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str) and value.strip():
            name = value.strip().lower().removeprefix(_CONTEXT_TYPE_URN)
            found.append(_CONTEXT_TYPE_BY_NAME.get(name, value.strip()))
    return tuple(dict.fromkeys(found))


def _rows_of(message: str) -> tuple[tuple[str, str, str], ...]:
    """The rows that only this message has: `data` is a setting in one and a claim in another."""
    if message == _SELECT_CONTENT:
        return _SELECTION
    return _RETURNED_DATA if message == "ContentItemSelection" else ()


def _put(claims: dict[str, Any], claim: str, member: str, value: object) -> None:
    if is_empty(value):
        return
    if member:
        claims.setdefault(claim, {})[member] = value
    else:
        claims[claim] = value


def _put_presentation(claims: dict[str, Any], params: Mapping[str, str]) -> None:
    target = params.get("launch_presentation_document_target", "")
    _put(claims, PRESENTATION, "document_target", target if target in _DOCUMENT_TARGETS else "")
    for side in ("width", "height"):
        pixels = params.get(f"launch_presentation_{side}", "")
        if _PIXELS.fullmatch(pixels):
            _put(claims, PRESENTATION, side, int(pixels))


def _presentation_parameters(claims: Mapping[str, Any]) -> dict[str, str]:
    target = _get(claims, PRESENTATION, "document_target")
    found = {"launch_presentation_document_target": target if target in _DOCUMENT_TARGETS else ""}
    for side in ("width", "height"):
        pixels = _member(claims, PRESENTATION, side)
        if type(pixels) is int and pixels > 0:
            found[f"launch_presentation_{side}"] = str(pixels)
    return found


def _put_selection(claims: dict[str, Any], params: Mapping[str, str]) -> None:
    media_types = _split(params.get("accept_media_types", ""))
    accepted = [kind for media in media_types for kind in _accept_types(media)]
    if accepted and params.get("accept_copy_advice") == "true":
        accepted.append("file")
    targets = _split(params.get("accept_presentation_document_targets", ""))
    settings: dict[str, Any] = {
        "accept_types": list(dict.fromkeys(accepted)),
        "accept_media_types": ",".join(media_types),
        "accept_presentation_document_targets": list(
            dict.fromkeys(_TARGETS[target] for target in targets if target in _TARGETS)
        ),
    }
    for flag in _SELECTION_FLAGS:
        if flag in params:
            settings[flag] = params[flag] == "true"
    claims.setdefault(DEEP_LINKING_SETTINGS, {}).update(settings)


def _accept_types(media_type: str) -> tuple[str, ...]:
    if media_type.startswith("image/"):
        return ("image",)
    return _ACCEPT_TYPES.get(media_type, ("link",))


def _selection_parameters(claims: Mapping[str, Any]) -> dict[str, str]:
    accepted = list(map(_text, _list(_member(claims, DEEP_LINKING_SETTINGS, "accept_types"))))
    media = dict.fromkeys(_MEDIA_TYPES[kind] for kind in accepted if kind in _MEDIA_TYPES)
    targets = _list(_member(claims, DEEP_LINKING_SETTINGS, "accept_presentation_document_targets"))
    found = {
        "accept_media_types": ",".join(media),
        "accept_presentation_document_targets": ",".join(filter(None, map(_text, targets)))
        or "none",
        "accept_copy_advice": "true" if "file" in accepted else "",
    }
    for flag in _SELECTION_FLAGS:
        value = _member(claims, DEEP_LINKING_SETTINGS, flag)
        if isinstance(value, bool):
            found[flag] = "true" if value else "false"
    return found


def _custom_parameters(claims: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for name, value in _texts(claims.get(CUSTOM)):
        found.setdefault(f"custom_{custom_name(name)}", value)
    return list(found.items())


def _prefixed(params: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix) and name != prefix
    }


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _member(claims: Mapping[str, Any], claim: str, member: str) -> object:
    value = claims.get(claim)
    if not member:
        return value
    return value.get(member) if isinstance(value, Mapping) else None


def _get(claims: Mapping[str, Any], claim: str, member: str) -> str:
    return _text(_member(claims, claim, member))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _texts(value: object) -> Iterator[tuple[str, str]]:
    """The pairs of texts of a claim that is an object of texts."""
    if isinstance(value, Mapping):
        for name, text in value.items():
            if isinstance(text, str) and _text(name) and _text(text) == text:
                yield name, text


def _text(value: object) -> str:
    """The value when it is a text that can be sent; JSON may hold half a surrogate pair."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() or not _SURROGATE.search(value) else ""
