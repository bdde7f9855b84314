"""RSA keys on the wire: signing keys with their RFC 7638 id, and the key sets of others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from lti_bridge.errors import NetworkFailed
from lti_bridge.lti.claims import is_empty

MAX_KEYS = 100
MAX_KID = 512
MAX_BITS = 8192
MIN_BITS = 2048

_MAX_MODULUS_CHARACTERS = MAX_BITS // 6 + 4
_MAX_EXPONENT_CHARACTERS = 8
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of our key pairs, parsed once: parsing a PEM costs a hundred signatures."""

    kid: str
    private: RSAPrivateKey = field(repr=False)


def thumbprint(public: RSAPublicKey) -> str:
    """Return the RFC 7638 SHA-256 thumbprint: our `kid`, so no id ever names two keys."""
    jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    canonical = json.dumps(
        {"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}, sort_keys=True, separators=(",", ":")
    )
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64url_encode(digest).decode()


def public_jwk(key: SigningKey) -> dict[str, str]:
    """Return the public half as a JWK for our key set; no private member, no padding."""
    jwk = RSAAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
    return {
        "kty": "RSA",
        "n": jwk["n"],
        "e": jwk["e"],
        "kid": key.kid,
        "alg": "RS256",
        "use": "sig",
    }


def parse_key_set(document: object) -> dict[str, RSAPublicKey]:
    """Return the keys of a JWK set that may verify an RS256 signature, by `kid`.

    A key without an id, for another purpose, of another type, too weak, or published together
    with its private half is left out; so is an id that names two different keys. Padded
    base64url is accepted (Security Framework 1.0 section 6.3 prints it so).

    Raises NetworkFailed when the document is no key set at all.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise NetworkFailed("the key set is not a JSON object with an array 'keys'")
    keys: dict[str, RSAPublicKey] = {}
    ambiguous: set[str] = set()
    for entry in entries[:MAX_KEYS]:
        key = _parse_key(entry)
        if key is None:
            continue
        known = keys.setdefault(entry["kid"], key)
        if known.public_numbers() != key.public_numbers():
            ambiguous.add(entry["kid"])
    return {kid: key for kid, key in keys.items() if kid not in ambiguous}


def _parse_key(entry: object) -> RSAPublicKey | None:
    if not isinstance(entry, Mapping) or not _may_verify(entry):
        return None
    modulus, exponent = entry.get("n"), entry.get("e")
    if not (isinstance(modulus, str) and len(modulus) <= _MAX_MODULUS_CHARACTERS):
        return None
    if not (isinstance(exponent, str) and len(exponent) <= _MAX_EXPONENT_CHARACTERS):
        return None
    try:
        key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": modulus, "e": exponent})
    except (ValueError, jwt.InvalidKeyError):  # e = 1 and other impossible numbers
        return None
    if not isinstance(key, RSAPublicKey) or not MIN_BITS <= key.key_size <= MAX_BITS:
        return None
    return key


def _may_verify(entry: Mapping[str, object]) -> bool:
    entry = {name: value for name, value in entry.items() if not is_empty(value)}
    kid, operations = entry.get("kid"), entry.get("key_ops")
    return (
        entry.get("kty") == "RSA"
        and isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and _PRIVATE_MEMBERS.isdisjoint(entry)
    )
