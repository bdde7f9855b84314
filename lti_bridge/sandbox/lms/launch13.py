"""LTI 1.3 launches as Moodle sends them: login initiation, the auth endpoint and the id_token."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Blueprint, Response, abort, jsonify, render_template, request
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from lti_bridge.sandbox.lms import claims as lms_claims
from lti_bridge.sandbox.lms import deep_linking, launch
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.state import Hint, Lms

_LIFETIME_S = 60


def login_fields(
    lms: Lms, link: LinkSpec, user: User, target: str, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The form of a third-party login initiation; its message hint works once."""
    key = lms.state.add_hint(Hint(link.id, user.id, target, storage=link.storage))
    hint = json.dumps({"cmid": link.id, "launchid": key}, separators=(",", ":"))
    kept = {"lti_storage_target": link.storage} if link.storage else {}
    return {
        "iss": lms.called,
        "target_link_uri": link.url or launch.launch_url(lms),
        "login_hint": user.id,
        "lti_message_hint": hint,
        "client_id": lms.settings.client_id,
        "lti_deployment_id": lms.settings.deployment_id,
        **kept,
        **(extra or {}),
    }


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/auth` and `/lti/jwks`."""
    bp = Blueprint("lti13", __name__)

    @bp.route("/lti/auth", methods=["GET", "POST"])
    def auth() -> str:
        return _answer(lms, request.values.to_dict(), request.cookies.get(lms.cookie, ""))

    @bp.get("/lti/jwks")
    def jwks() -> Response:
        public = RSAAlgorithm.to_jwk(lms.keys.signing.public_key(), as_dict=True)
        key = {"kty": "RSA", "n": public["n"], "e": public["e"]}
        return jsonify(keys=[{**key, "kid": lms.keys.kid, "alg": "RS256", "use": "sig"}])

    return bp


def _answer(lms: Lms, sent: dict[str, str], session: str) -> str:
    """Judge an authentication request as Moodle does.

    Shows an error page when nobody can be told safely, posts an error back to the tool when the
    redirect_uri is trusted, and posts the id_token when all is right.
    """
    key, hint = _find_hint(lms, sent.get("lti_message_hint", ""))
    must = {
        "redirect_uri": (launch.launch_url(lms), *lms.settings.redirect_uris),
        "scope": ("openid",),
        "response_type": ("id_token",),
    }
    unsound = [name for name, values in must.items() if sent.get(name) not in values]
    unsound += [name for name in ("nonce", "login_hint") if not sent.get(name)]
    if unsound or hint is None:
        abort(400, f"Invalid request: {', '.join(unsound) or 'lti_message_hint'}")
    if hint.storage and not session and "repost" not in sent:
        # Sent on by a page of the tool: the browser held our cookie back. It sends it to ourselves.
        again = {**sent, "repost": "1"}
        return render_template("lms/post.html", action="/lti/auth", fields=again)
    error = _complaint(lms, sent, hint, session)
    if error:
        return _post_back(lms, {"error": error[0], "error_description": error[1]}, sent)
    if not lms.state.take_hint(key):
        abort(400, "Invalid request: lti_message_hint was used")
    return _post_token(lms, sent, hint)


def _find_hint(lms: Lms, text: str) -> tuple[str, Hint | None]:
    try:
        key = str(json.loads(text)["launchid"])
    except (ValueError, KeyError, TypeError):
        return "", None
    return key, lms.state.find_hint(key)


def _complaint(lms: Lms, sent: dict[str, str], hint: Hint, session: str) -> tuple[str, str] | None:
    if sent.get("client_id") != lms.settings.client_id:
        return "unauthorized_client", "Unknown client_id"
    if sent.get("response_mode") != "form_post":
        return "invalid_request", "response_mode must be form_post"
    if sent.get("prompt", "none") != "none":
        return "invalid_request", "prompt must be none"
    if not session:
        return "login_required", "Nobody is logged in here"
    if not session == hint.user_id == sent["login_hint"]:
        return "access_denied", "The login was started for somebody else"
    return None


def _post_token(lms: Lms, sent: dict[str, str], hint: Hint) -> str:
    link, user = lms.link(hint.link_id), lms.find_user(hint.user_id)
    if user is None or (link is None and not hint.data):
        abort(400, "Invalid request: the link is gone")
    if link is None:
        said = deep_linking.claims(lms, user, hint)
    else:
        said = lms_claims.build(lms, link, user, hint.target)
    wrong: dict[str, Any] = lms.state.take_tamper("id_token") or {}
    now = int(time.time())
    claims = {
        "nonce": sent["nonce"],
        "iat": now,
        "exp": now + _LIFETIME_S,
        "iss": lms.called,
        "aud": lms.settings.client_id,
        **said,
        **wrong.get("claims", {}),
    }
    if moved := wrong.get("lti1p1"):
        claims[f"{lms_claims.LTI}lti1p1"] = _moved(lms, claims, **moved)
    for name in wrong.get("remove", []):
        claims.pop(name, None)
    header = {"typ": "JWT", "alg": "RS256", "kid": lms.keys.kid, **wrong.get("header", {})}
    header = {name: value for name, value in header.items() if value is not None}
    token = sign(lms, header, claims, wrong.get("sign_with", "own-key"))
    return _post_back(lms, {"id_token": token}, {**sent, **wrong.get("form", {})})


def _moved(lms: Lms, claims: dict[str, Any], secret: str, **names: str) -> dict[str, str]:
    """The claim of an LMS that knew the same people by LTI 1.1, signed with the secret of then."""
    parts = [names["oauth_consumer_key"], claims[f"{lms_claims.LTI}deployment_id"], claims["iss"]]
    parts += [lms.settings.client_id, str(claims["exp"]), claims["nonce"]]
    seal = hmac.new(secret.encode(), "&".join(parts).encode(), hashlib.sha256).digest()
    return {**names, "oauth_consumer_key_sign": base64.b64encode(seal).decode()}


def sign(lms: Lms, header: dict[str, Any], claims: dict[str, Any], how: str) -> str:
    """A compact JWS; written out because no library lets a test send a bad one."""
    if how in ("hs256", "none") and header.get("alg") == "RS256":
        header = {**header, "alg": "HS256" if how == "hs256" else "none"}
    parts = [base64url_encode(json.dumps(part).encode()) for part in (header, claims)]
    signed = b".".join(parts)
    key = lms.keys.foreign if how == "other-key" else lms.keys.signing
    if how == "none":
        seal = b""
    elif how == "hs256":  # the old trick: the public key, which everyone has, as the HMAC secret
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        seal = hmac.new(pem, signed, hashlib.sha256).digest()
    else:
        seal = _rs256(key, signed)
    return b".".join([signed, base64url_encode(seal)]).decode()


def _rs256(key: rsa.RSAPrivateKey, signed: bytes) -> bytes:
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def _post_back(lms: Lms, fields: dict[str, str], sent: dict[str, str]) -> str:
    if "state" in sent:
        fields["state"] = sent["state"]
    return render_template("lms/post.html", action=sent["redirect_uri"], fields=fields)
