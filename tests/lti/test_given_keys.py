"""Keys that were given instead of an address: believed as they are, never fetched."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lti_bridge.errors import SignatureRefused
from lti_bridge.lti import jwt
from lti_bridge.lti.given_keys import GivenOrFetched, address, checked, given_keys
from tests.lms.platform13 import Endpoint, Platform, jwk, rsa_key

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PLATFORM = Platform("lms")
PRIVATE = PLATFORM.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_set(name: str, kid: str = PLATFORM.kid, **members: str) -> str:
    return json.dumps({"keys": [jwk(kid, rsa_key(name), **members)]})


def verified(keys: str) -> bool:
    """Whether what the platform signs is believed with these keys, and nobody was asked."""
    fetch = Endpoint()
    token = jwt.decode(PLATFORM.sign({"sub": "x"}))
    try:
        jwt.verify(token, GivenOrFetched(fetch, lambda: NOW).keys(address(keys), jwt.key_id(token)))
    except SignatureRefused:
        return False
    finally:
        assert fetch.asked == []
    return True


def test_only_the_given_keys_are_believed() -> None:
    assert verified(checked(key_set("lms")))
    assert verified(checked(pem(PLATFORM.key)))
    assert not verified(checked(key_set("other")))
    assert not verified(checked(pem(rsa_key("other"))))
    # a key of the set under another id
    assert not verified(checked(key_set("lms", kid="another")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://lms.example.edu/jwks",
        "[" * 100_000,
        '{"keys": []}',
        key_set("lms", d="AQAB"),
        key_set("lms", use="enc"),
        pem(rsa_key("weak", 1024)),
        PRIVATE,
        "-----BEGIN PUBLIC KEY-----\nnothing\n-----END PUBLIC KEY-----",
    ],
    ids=["empty", "address", "deep", "none", "private-jwk", "enc", "weak", "private", "broken"],
)
def test_what_cannot_verify_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a JWK set"):
        checked(text)
    assert not verified(text)


@pytest.mark.parametrize(
    ("bits", "fit"), [(2047, False), (2048, True), (4096, True), (8192, True), (8193, False)]
)
def test_how_long_a_key_may_be(bits: int, fit: bool) -> None:
    number = (1 << (bits - 1)) + 1  # nobody looks whether it is one of two primes
    key = RSAPublicNumbers(65537, number).public_key()
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert bool(given_keys(text)) is fit
