"""Key ids, our own JWKs, and the key sets of others."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lti_bridge.errors import NetworkFailed
from lti_bridge.lti.keys import SigningKey, parse_key_set, public_jwk, thumbprint
from tests.lms.platform13 import jwk, number, rsa_key

RFC7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)


@pytest.mark.spec("T13MX-10")
def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    keys = parse_key_set({"keys": [{"kty": "RSA", "kid": "any", "n": RFC7638_N, "e": "AQAB"}]})
    assert thumbprint(keys["any"]) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_published_key_has_the_public_members_only_and_reads_back() -> None:
    key = SigningKey("a", rsa_key("keys"))
    published = public_jwk(key)
    assert sorted(published) == ["alg", "e", "kid", "kty", "n", "use"]
    assert "=" not in published["n"] + published["e"]
    assert (published["kid"], published["alg"], published["use"]) == ("a", "RS256", "sig")
    read = parse_key_set({"keys": [published]})["a"]
    assert read.public_numbers() == key.private.public_key().public_numbers()


def test_a_signing_key_does_not_print_its_private_half() -> None:
    assert "private" not in repr(SigningKey("a", rsa_key("keys")))


def test_padded_base64url_is_read() -> None:
    """V-14: the Security Framework prints key sets with padding."""
    key = rsa_key("keys")
    padded = jwk("a", key)
    padded["n"] += "=" * (-len(padded["n"]) % 4)
    assert padded["n"].endswith("==")
    assert parse_key_set({"keys": [padded]})["a"].public_numbers().n == (
        key.public_key().public_numbers().n
    )


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_members_that_say_nothing_are_absent(nothing: object) -> None:
    empty = dict.fromkeys(("use", "alg", "key_ops", "x5c", "x5t", "x5u"), nothing)
    assert set(parse_key_set({"keys": [jwk("a", rsa_key("keys"), **empty)]})) == {"a"}


@pytest.mark.spec("SECP-12")
@pytest.mark.parametrize(
    "odd",
    [
        jwk("odd", rsa_key("small", 1024)),
        jwk("odd", rsa_key("keys"), e="AQ"),
        jwk("odd", rsa_key("keys"), e=number(2)),
        jwk("odd", rsa_key("keys"), n="AQAB"),
        {"kty": "oct", "kid": "odd", "k": "c2VjcmV0c2VjcmV0"},
        {"kty": "EC", "kid": "odd", "crv": "P-256", "x": "a", "y": "b"},
        jwk("odd", rsa_key("keys"), use="enc"),
        jwk("odd", rsa_key("keys"), alg="RS512"),
        jwk("odd", rsa_key("keys"), alg="RSA-OAEP"),
        jwk("odd", rsa_key("keys"), key_ops=["encrypt"]),
        jwk("odd", rsa_key("keys"), key_ops=7),
        jwk("odd", rsa_key("keys"), d=number(rsa_key("keys").private_numbers().d)),
        {name: value for name, value in jwk("odd", rsa_key("keys")).items() if name != "kid"},
        jwk("", rsa_key("keys")),
        jwk("k" * 513, rsa_key("keys")),
        {**jwk("odd", rsa_key("keys")), "kid": 7},
        jwk("odd", rsa_key("keys"), n="A" * 5000),
        jwk("odd", rsa_key("keys"), e="A" * 5000),
        jwk("odd", rsa_key("keys"), n=7),
        jwk("odd", rsa_key("keys"), n="%%%%"),
        "not an object",
        None,
        [],
    ],
)
def test_an_odd_key_is_skipped_and_spoils_no_other(odd: object) -> None:
    assert set(parse_key_set({"keys": [odd, jwk("good", rsa_key("keys"))]})) == {"good"}


@pytest.mark.spec("SECP-12")
def test_an_id_of_two_different_keys_is_skipped_but_a_repeated_key_is_not() -> None:
    one, other = rsa_key("keys"), rsa_key("other")
    keys = [jwk("twice", one), jwk("twice", other), jwk("same", one), jwk("same", one)]
    assert set(parse_key_set({"keys": keys})) == {"same"}
    assert set(parse_key_set({"keys": keys[::-1]})) == {"same"}


def test_a_modulus_beyond_reason_is_skipped() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8200) | 1)
    entry = {"kty": "RSA", "kid": "a", "n": number(numbers.n), "e": number(numbers.e)}
    assert parse_key_set({"keys": [entry]}) == {}


def test_only_the_first_hundred_keys_are_looked_at() -> None:
    keys = [jwk(f"k{i}", rsa_key("keys")) for i in range(120)]
    assert len(parse_key_set({"keys": keys})) == 100


@pytest.mark.parametrize("document", ["{}", "[]", "7", "null", '{"keys": {}}', '{"keys": null}'])
def test_what_is_no_key_set_is_refused(document: str) -> None:
    with pytest.raises(NetworkFailed):
        parse_key_set(json.loads(document))
