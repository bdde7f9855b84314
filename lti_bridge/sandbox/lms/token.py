"""The token endpoint: trades an assertion signed by the bridge for an access token."""

import json
import time
import urllib.request
from typing import Any

import jwt
from flask import Blueprint, Response, g, request

from lti_bridge.sandbox.lms.claims import AGS_SCOPES, BO_SCOPE, NOTICE_SCOPE, NRPS_SCOPE
from lti_bridge.sandbox.lms.state import Lms

_OFFERED = frozenset({*AGS_SCOPES, NRPS_SCOPE, BO_SCOPE})
_SCOPES_OF = {"grades": (*AGS_SCOPES, BO_SCOPE), "members": (NRPS_SCOPE,)}
_LIFETIME_S = 3600
_TIMEOUT_S = 5
_KEY_SET_LIMIT = 100_000
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Refused(Exception):
    """A token request that gets an error; carries the OAuth error code and its reason."""

    def __init__(self, code: str, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.code, self.status = code, status


class BridgeKeys:
    """The bridge's public keys by kid, fetched when an unknown kid comes."""

    def __init__(self, lms: Lms) -> None:
        self._lms = lms
        self._keys: dict[str, Any] = {}
        self._of = ""

    def find(self, kid: str) -> Any:
        """The key object. Raises Refused when the bridge does not publish it."""
        url = self._lms.settings.jwks_url or f"{self._lms.bridge}/lti/jwks"
        if kid not in self._keys or self._of != url or "keys" in self._lms.state.lacks:
            self._keys, self._of = self._fetch(url), url
        if kid not in self._keys:
            raise Refused("invalid_client", "kid is not in the tool's key set")
        return self._keys[kid]

    def _fetch(self, url: str) -> dict[str, Any]:
        try:
            if "keys" in self._lms.state.lacks:
                raise OSError("this network lets nobody out")
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                listed = json.loads(answer.read(_KEY_SET_LIMIT))["keys"]
            return {jwk["kid"]: jwt.PyJWK(jwk).key for jwk in listed}
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            reason, status = "the tool's key set cannot be used", self._lms.family.no_keys_status
            raise Refused("invalid_client", reason, status) from error


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/token`."""
    bp = Blueprint("token", __name__)
    keys = BridgeKeys(lms)

    @bp.post("/lti/token")
    def token() -> Response:
        try:
            body, status = _grant(lms, keys, request.form.to_dict()), 200
        except Refused as refused:
            g.log_value = f"{refused.code}: {refused}"
            body = {"error": refused.code, "error_description": str(refused)}
            status = refused.status
        # Moodle says text/html here; a tool that insists on JSON fails there, so it must fail here.
        return Response(json.dumps(body), status, content_type="text/html; charset=utf-8")

    return bp


def _grant(lms: Lms, keys: BridgeKeys, form: dict[str, str]) -> dict[str, Any]:
    if form.get("grant_type") != "client_credentials":
        raise Refused("unsupported_grant_type", "grant_type must be client_credentials")
    if form.get("client_assertion_type") != _ASSERTION_TYPE:
        raise Refused("invalid_request", "client_assertion_type must be jwt-bearer")
    _check_assertion(lms, keys, form.get("client_assertion", ""))
    offered = _OFFERED | {NOTICE_SCOPE} if lms.settings.notices else _OFFERED
    offered -= {scope for one in lms.state.lacks for scope in _SCOPES_OF.get(one, ())}
    registered = set(lms.settings.scopes) or offered
    asked = set(form.get("scope", "").split())
    scopes = offered & registered & asked
    if not scopes or (lms.family.all_scopes_or_none and scopes != asked):
        raise Refused("invalid_scope", "no known scope was asked for")
    granted = " ".join(sorted(scopes))
    g.log_value = granted
    return {
        "access_token": lms.state.add_token(scopes, _LIFETIME_S),
        "token_type": "Bearer",
        "expires_in": _LIFETIME_S,
        "scope": granted,
    }


def _check_assertion(lms: Lms, keys: BridgeKeys, assertion: str) -> None:
    client, wanted = lms.settings.client_id, lms.family.audience()
    try:
        kid = jwt.get_unverified_header(assertion).get("kid")
        if not isinstance(kid, str):
            raise Refused("invalid_client", "the assertion's header has no kid")
        claims = jwt.decode(
            assertion,
            keys.find(kid),
            algorithms=["RS256"],
            audience=wanted,
            issuer=client,
            options={
                "verify_aud": wanted is not None,
                "require": ["iss", "sub", "aud", "iat", "exp", "jti"],
                "verify_iat": False,  # checked below, with one second of tolerance
            },
        )
    except jwt.InvalidAudienceError as error:
        raise Refused(lms.family.audience_error, "the 'aud' is invalid") from error
    except (jwt.PyJWTError, TypeError) as error:
        raise Refused("invalid_client", f"the assertion is not valid: {error}") from error
    if claims["sub"] != client:
        raise Refused("invalid_client", "sub is not the client_id")
    if not isinstance(claims["iat"], int | float) or claims["iat"] > time.time() + 1:
        raise Refused("invalid_client", "iat is in the future")
    if lms.family.knows_jti and not lms.state.once("jti", str(claims["jti"])):
        raise Refused("invalid_client", "jti was used before")
