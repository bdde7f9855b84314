"""What the bridge asks to be registered as (LTI Dynamic Registration 1.0, tool configuration)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lti_bridge.core.launch.message import DEEP_LINKING, RESOURCE_LINK, SUBMISSION_REVIEW
from lti_bridge.lms.config_documents import DESCRIPTION, HISTORY, PLACEMENTS, SCOPES, ToolFacts
from lti_bridge.lti import notices

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
OPTIONAL_SCOPES = ("https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome", notices.SCOPE)
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "email")
# Canvas takes the first message for each placement, and one that names no placement for that of
# modules (app/models/lti/ims/registration.rb): choosing comes before opening.
MESSAGES = (DEEP_LINKING, RESOURCE_LINK, SUBMISSION_REVIEW)
# Asked for where the platform says that it knows them.
VARIABLES = {
    **HISTORY,
    "available_from": "$ResourceLink.available.startDateTime",
    "available_until": "$ResourceLink.available.endDateTime",
    "submission_from": "$ResourceLink.submission.startDateTime",
    "submission_until": "$ResourceLink.submission.endDateTime",
}


def tool_registration(tool: ToolFacts, platform: Mapping[str, Any]) -> dict[str, Any]:
    """What we ask to be registered as (T13DR-04): no more than the platform says it supports."""
    about = _object(platform.get(PLATFORM))
    scopes = _supported((*SCOPES, *OPTIONAL_SCOPES), platform.get("scopes_supported"), SCOPES)
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": tool.login_url,
        "redirect_uris": [tool.launch_url],
        "client_name": tool.name,
        "jwks_uri": tool.jwks_url,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(scopes),
        TOOL: {
            "domain": tool.domain,
            "description": DESCRIPTION,
            "target_link_uri": tool.launch_url,
            "claims": _supported(CLAIMS, platform.get("claims_supported"), CLAIMS),
            "custom_parameters": _custom(about.get("variables")),
            "messages": _messages(tool, about.get("messages_supported")),
        },
    }


def _messages(tool: ToolFacts, supported: object) -> list[dict[str, Any]]:
    offered = _offered_messages(supported)
    messages: list[dict[str, Any]] = []
    for kind in MESSAGES:
        if kind not in offered:
            continue
        message: dict[str, Any] = {"type": kind, "target_link_uri": tool.launch_url}
        if kind == DEEP_LINKING:
            message["label"] = tool.name
            known = offered[kind]
            placements = [place for place in (*PLACEMENTS, "ContentArea") if place in known]
            if placements:
                message["placements"] = placements
        messages.append(message)
    return messages


def _offered_messages(supported: object) -> dict[str, tuple[str, ...]]:
    """Message types and their placements; the two that everybody has where none are listed."""
    found: dict[str, tuple[str, ...]] = {}
    # some list plain names, some objects
    for entry in supported if isinstance(supported, list) else ():
        if isinstance(entry, str):
            entry = {"type": entry}
        kind = _object(entry).get("type")
        places = _object(entry).get("placements")
        if isinstance(kind, str):
            listed = places if isinstance(places, list) else []
            found[kind] = tuple(place for place in listed if isinstance(place, str))
    return found or {RESOURCE_LINK: (), DEEP_LINKING: ()}


def _custom(variables: object) -> dict[str, str]:
    known = {str(one).lstrip("$") for one in variables} if isinstance(variables, list) else set()
    return {name: value for name, value in VARIABLES.items() if value.lstrip("$") in known}


def _supported(wanted: Sequence[str], listed: object, default: Sequence[str]) -> list[str]:
    if not isinstance(listed, list):
        return list(default)
    found = [one for one in wanted if one in listed]
    return found or list(default)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
