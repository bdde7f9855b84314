"""Dynamic registration of a tool, as strict as Moodle is; the newest registration is the one used.

`/control/registration` makes what an administrator gets by pasting a tool's registration address:
the address with the LMS's own parameters added, ready to be opened.
"""

import json
import secrets
import time
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, abort, jsonify, request

from lti_bridge.sandbox.lms.claims import AGS_SCOPES, NOTICE_SCOPE, NRPS_SCOPE
from lti_bridge.sandbox.lms.state import Lms

_TOKEN_LIFE_S = 3600
_TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
_PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
_SCOPES = ("openid", *AGS_SCOPES, NRPS_SCOPE)
_CLAIMS = ("sub", "iss", "name", "given_name", "family_name", "email")
_VARIABLES = (
    "User.id",
    "User.username",
    "Person.name.full",
    "Context.id",
    "Context.id.history",
    "ResourceLink.id",
    "ResourceLink.id.history",
)
_ADDRESSES = ("initiate_login_uri", "jwks_uri")


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/openid-configuration`, `/lti/registration` and `/control/registration`."""
    bp = Blueprint("registration", __name__)
    tokens: dict[str, float] = {}

    @bp.get("/lti/openid-configuration")
    def configuration() -> Response:
        return jsonify(lms.family.configuration(_configuration(lms)))

    @bp.post("/control/registration")
    def start() -> dict[str, str]:
        """{"url": the tool's registration address} -> the address that opens it."""
        token = secrets.token_urlsafe(24)
        with lms.state.lock:
            tokens[token] = time.time() + _TOKEN_LIFE_S
        url = request.get_json()["url"]
        joint = "&" if urlsplit(url).query else "?"
        configured = quote(f"{lms.issuer}/lti/openid-configuration", safe="")
        return {"url": f"{url}{joint}openid_configuration={configured}&registration_token={token}"}

    @bp.post("/lti/registration")
    def register() -> Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            return _refused("missing_registration_token", 401)
        with lms.state.lock:
            expires = tokens.pop(token, 0.0)
        if not lms.state.once("registration", token):
            return _refused("token_already_used", 401)
        if expires < time.time():
            abort(404)
        sent: Any = request.get_json(silent=True)
        if problem := _problem(lms, sent):
            return _refused(problem, 400)
        return _accept(lms, sent)

    return bp


def _configuration(lms: Lms) -> dict[str, Any]:
    issuer = lms.issuer
    return {
        "issuer": lms.called,
        "token_endpoint": f"{issuer}/lti/token",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "jwks_uri": f"{issuer}/lti/jwks",
        "authorization_endpoint": f"{issuer}/lti/auth",
        "registration_endpoint": f"{issuer}/lti/registration",
        "scopes_supported": _scopes(lms),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": list(_CLAIMS),
        _PLATFORM: {
            "product_family_code": lms.family.code,
            "version": lms.family.version,
            "messages_supported": [
                {"type": "LtiResourceLinkRequest"},
                {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea"]},
            ],
            "variables": list(_VARIABLES),
        },
    }


def _scopes(lms: Lms) -> list[str]:
    return [*_SCOPES, NOTICE_SCOPE] if lms.settings.notices else list(_SCOPES)


def _problem(lms: Lms, sent: Any) -> str:
    """What Moodle's registration helper refuses, by its own names; empty when all is right."""
    if not isinstance(sent, dict):
        return "invalid_json"
    tool = sent.get(_TOOL)
    redirects = sent.get("redirect_uris")
    if not isinstance(tool, dict) or not tool.get("target_link_uri") or not tool.get("domain"):
        return "missing_tool_configuration"
    if any(not sent.get(name) for name in (*_ADDRESSES, "client_name")):
        return "missing_address_or_name"
    if not isinstance(redirects, list) or not redirects:
        return "missing_redirect_uris"
    if "id_token" not in sent.get("response_types", []):
        return "invalid_response_types"
    if not {"implicit", "client_credentials"} <= set(sent.get("grant_types", [])):
        return "invalid_grant_types"
    if sent.get("application_type", "web") != "web":
        return "invalid_application_type"
    if sent.get("token_endpoint_auth_method") != "private_key_jwt":
        return "invalid_token_endpoint_auth_method"
    if set(str(sent.get("scope", "")).split()) - set(_scopes(lms)):
        return "unknown_scope"
    return _foreign(sent, tool, redirects)


def _foreign(sent: dict[str, Any], tool: dict[str, Any], redirects: list[str]) -> str:
    if urlsplit(tool["target_link_uri"]).netloc != tool["domain"]:
        return "domain_targetlinkuri_mismatch"
    for address in (*redirects, *(sent[name] for name in _ADDRESSES)):
        if urlsplit(address).netloc != tool["domain"]:
            return "domain_address_mismatch"
    return ""


def _accept(lms: Lms, sent: dict[str, Any]) -> Response:
    client_id, deployment_id = secrets.token_urlsafe(11), str(10 + secrets.randbelow(90))
    with lms.state.lock:
        lms.settings = replace(
            lms.settings,
            client_id=client_id,
            deployment_id=deployment_id,
            launch_url=sent[_TOOL]["target_link_uri"],
            login_url=sent["initiate_login_uri"],
            jwks_url=sent["jwks_uri"],
            redirect_uris=tuple(sent["redirect_uris"]),
            scopes=tuple(str(sent.get("scope", "")).split()),
        )
    tool = sent[_TOOL]
    # only these messages come back, whatever was asked for
    messages = [one for one in tool.get("messages", []) if one["type"] == "LtiDeepLinkingRequest"]
    answer = {
        **sent,
        "client_id": client_id,
        _TOOL: {**tool, "version": "1.3.0", "deployment_id": deployment_id, "messages": messages},
    }
    return Response(json.dumps(answer), content_type="application/json")


def _refused(problem: str, status: int) -> Response:
    return Response(problem, status, content_type="text/html; charset=utf-8")
