"""JSON Web Tokens as LTI uses them: signed with RS256, read once, and believed only verified."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NewType

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from lti_bridge.errors import SignatureRefused
from lti_bridge.lti.keys import MAX_KID, SigningKey

MAX_TOKEN = 64 * 1024
BACKDATED_S = 5

VerifiedClaims = NewType("VerifiedClaims", dict[str, Any])

_VERIFIERS: Mapping[str, RSAAlgorithm] = MappingProxyType(
    {
        "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
        "RS384": RSAAlgorithm(RSAAlgorithm.SHA384),
        "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    }
)
# A sender that names its own key, or asks for another reading of the token, is not one of ours.
_REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart. Nothing in it may be believed before `verify`."""

    header: Mapping[str, object]
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def times(now: datetime, life_s: int) -> dict[str, int]:
    """`iat` and `exp` of a token that is good for `life_s` seconds, for others to read.

    Dated back: PyLTI1p3, JupyterHub's authenticator and most libraries refuse a token from a
    second ahead of their clock, and Moodle 4.5 one from three. Not further: ltijs 5.9 refuses an
    id_token that is older than ten seconds, unless its tool says otherwise (`tokenMaxAge`).
    """
    issued = int(now.timestamp()) - BACKDATED_S
    return {"iat": issued, "exp": issued + life_s}


def sign(claims: Mapping[str, object], key: SigningKey) -> str:
    """Return the claims as a compact JWS: RS256, typ JWT, and the id of the key."""
    return jwt.encode(dict(claims), key.private, algorithm="RS256", headers={"kid": key.kid})


def decode(token: str) -> Unverified:
    """Take a compact JWS apart, reading header and payload once.

    Raises SignatureRefused unless it is three parts of clean base64url, at most 64 kB, holding
    JSON objects without a repeated name, NaN or infinite number.
    """
    parts = token.split(".", 3)
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        raise SignatureRefused("the token is not a signed token of three parts within 64 kB")
    header, payload, signature = (_bytes(part) for part in parts)
    return Unverified(
        header=_json_object(header),
        claims=_json_object(payload),
        signing_input=token.rpartition(".")[0].encode("ascii"),
        signature=signature,
    )


def key_id(token: Unverified, algorithms: tuple[str, ...] = ("RS256",)) -> str:
    """Return which key the header asks for; raises SignatureRefused for an unfit header."""
    header = token.header
    if header.get("alg") not in algorithms:
        raise SignatureRefused(f"alg is {header.get('alg')!r:.40}, not one of {algorithms}")
    unwanted = _REFUSED_HEADERS.intersection(header)
    if unwanted:
        raise SignatureRefused(f"the token's header holds {', '.join(sorted(unwanted))}")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise SignatureRefused("the token's header has no usable kid")
    return kid


def verify(
    token: Unverified,
    keys: Mapping[str, RSAPublicKey],
    algorithms: tuple[str, ...] = ("RS256",),
) -> VerifiedClaims:
    """Return the claims if one of `keys` signed them; raises SignatureRefused otherwise.

    pyjwt's algorithm does the check on the parsed key; `jwt.decode` would take the token apart
    a second time, at four times the price.
    """
    kid = key_id(token, algorithms)
    key = keys.get(kid)
    if key is None:
        raise SignatureRefused(f"no key has the kid {kid!r:.80}")
    verifier = _VERIFIERS[str(token.header["alg"])]
    if not verifier.verify(token.signing_input, key, token.signature):
        raise SignatureRefused(f"the signature does not fit the key {kid!r:.80}")
    return VerifiedClaims(token.claims)


def check_times(
    claims: Mapping[str, object], now: datetime, leeway_s: float, max_age_s: float
) -> None:
    """Refuse claims that are expired, from the future, or issued more than `max_age_s` ago.

    `exp` and `iat` are required, `nbf` is optional; each is a number, never text (AMB-11).
    Raises SignatureRefused.
    """
    moment = now.timestamp()
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if moment >= expires + leeway_s:
        raise SignatureRefused(f"the token expired {moment - expires:.0f} s ago")
    if issued > moment + leeway_s:
        raise SignatureRefused(f"the token is issued {issued - moment:.0f} s in the future")
    if moment - issued > max_age_s + leeway_s:
        raise SignatureRefused(f"the token was issued {moment - issued:.0f} s ago")
    if "nbf" in claims and _number(claims, "nbf") > moment + leeway_s:
        raise SignatureRefused("the token is not valid yet")


def check_audience(claims: Mapping[str, object], issuer: str, client_id: str) -> None:
    """Refuse claims that another issuer made, or that were made for anyone but `client_id`.

    No further audience is trusted (Security Framework 1.0 section 5.1.3). Raises
    SignatureRefused.
    """
    if claims.get("iss") != issuer:
        raise SignatureRefused(f"iss is {claims.get('iss')!r:.120}, not the registered issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not audiences or any(entry != client_id for entry in audiences):
        raise SignatureRefused(f"aud is {audience!r:.120}, not our client_id alone")
    if len(audiences) > 1 and "azp" not in claims:
        raise SignatureRefused("several audiences but no azp")
    if "azp" in claims and claims["azp"] != client_id:
        raise SignatureRefused(f"azp is {claims['azp']!r:.120}, not our client_id")


def _number(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SignatureRefused(f"{name} is not a number")
    try:
        return float(value)
    except OverflowError as err:
        raise SignatureRefused(f"{name} is no point in time") from err


def _bytes(part: str) -> bytes:
    if not part or "+" in part or "/" in part or "=" in part:
        raise SignatureRefused("the token is not base64url")
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError as err:
        raise SignatureRefused("the token is not base64url") from err


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_repetition,
            parse_constant=_finite,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as err:
        raise SignatureRefused("header or payload is not clean JSON") from err
    if not isinstance(value, dict):
        raise SignatureRefused("header or payload is not a JSON object")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number
