"""The Platform Notification Service 1.0: what an LMS offers, asks for and sends (1EdTech, 2024)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lti_bridge.errors import NoticeRefused
from lti_bridge.lti import oidc
from lti_bridge.lti.claims import as_id, present

SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
SERVICE = "https://purl.imsglobal.org/spec/lti/claim/platformnotificationservice"
NOTICE = "https://purl.imsglobal.org/spec/lti/claim/notice"
ORIGINS = "https://purl.imsglobal.org/spec/lti/claim/origin_contexts"
CONTEXT_COPY = "LtiContextCopyNotice"
HELLO = "LtiHelloWorldNotice"
TYPES = frozenset({CONTEXT_COPY, HELLO})

VERSION = "1.0"
MAX_NOTICES = 20  # of one delivery; the LMS is told
MAX_ORIGINS = 20  # of one notice
MAX_ADDRESS = 2048  # characters
MAX_ID = 255


def service_url(claims: Mapping[str, Any]) -> str:
    """Where an LMS takes handlers for notices about copied courses; empty if it does not.

    A claim that is not as it should be is none: what it offers is an extra.
    """
    claim = claims.get(SERVICE)
    if not isinstance(claim, Mapping):
        return ""
    lists = ("service_versions", "scope", "notice_types_supported")
    wanted = (VERSION, SCOPE, CONTEXT_COPY)
    if not all(_holds(claim.get(name), value) for name, value in zip(lists, wanted, strict=True)):
        return ""
    url = claim.get("platform_notification_service_url")
    fit = isinstance(url, str) and url.isascii() and len(url) <= MAX_ADDRESS
    return str(url) if fit and oidc.origin(str(url)) else ""


def handler_document(address: str) -> bytes:
    """What is put to an LMS's service so that notices about copied courses come to an address."""
    said = {"notice_type": CONTEXT_COPY, "handler": address, "max_batch_size": MAX_NOTICES}
    return json.dumps(said, separators=(",", ":")).encode()


def handler_in(body: bytes) -> str | None:
    """Where notices about copied courses go, in what an LMS answers; None when it does not say.

    The answer to a question lists all handlers, that to a change has the changed one alone.
    """
    said = _object(body)
    listed = said.get("notice_handlers", [said])
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("notice_type") == CONTEXT_COPY:
            handler = one.get("handler")
            return handler if isinstance(handler, str) else ""
    return None


def tokens_in(body: bytes) -> list[str]:
    """The signed notices of one delivery. Raises NoticeRefused for anything else than 1 to 20."""
    listed = _object(body).get("notices")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_NOTICES:
        raise NoticeRefused(f"the body holds no array of 1 to {MAX_NOTICES} notices")
    tokens = [one.get("jwt") if isinstance(one, dict) else None for one in listed]
    found = [token for token in tokens if isinstance(token, str)]
    if len(found) != len(tokens):
        raise NoticeRefused("a notice has no jwt")
    return found


def notice_type(claims: Mapping[str, Any]) -> str:
    """What a verified notice is about. Raises NoticeRefused for what the bridge did not ask for."""
    notice = claims.get(NOTICE)
    kind = notice.get("type") if isinstance(notice, Mapping) else None
    if not isinstance(kind, str) or kind not in TYPES:
        raise NoticeRefused(f"the notice's type is {kind!r:.60}")
    return kind


def origins(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the courses that a course was copied from; none where the LMS does not know.

    Canvas lists ids (lib/lti/pns); an object with `contexts`, each with an `id`, is the other way
    that is in use. Raises NoticeRefused for a third one.
    """
    said = present({ORIGINS: claims.get(ORIGINS)}).get(ORIGINS, [])
    listed = said.get("contexts", []) if isinstance(said, Mapping) else said
    if not isinstance(listed, list):
        raise NoticeRefused("origin_contexts is no array of contexts")
    ids = [as_id(one.get("id") if isinstance(one, Mapping) else one) for one in listed]
    if len(ids) > MAX_ORIGINS or not all(_is_id(one) for one in ids):
        raise NoticeRefused(f"origin_contexts holds no array of up to {MAX_ORIGINS} ids")
    return tuple(dict.fromkeys(str(one) for one in ids))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii()


def _holds(listed: object, value: str) -> bool:
    return isinstance(listed, list) and value in listed


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
