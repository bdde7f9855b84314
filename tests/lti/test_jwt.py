"""Tokens: what is signed, what is read, and everything that is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from lti_bridge.errors import SignatureRefused
from lti_bridge.lti import jwt
from lti_bridge.lti.keys import SigningKey, parse_key_set
from tests.lms.platform13 import NOW, b64, jwk, jws, rs256, rsa_key, segment

RFC7515_A2 = (
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
    "Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn"
    "byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHW"
    "EsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
    "cN_IoypGlUPQGe77Rw"
)
RFC7515_N = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
    "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX"
    "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
    "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
SEC_SAMPLE = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ0b29sLmNvbSIsInN1YiI6Ind3dy5leGFtcGxlLmN"
    "vbSIsImF1ZCI6Imh0dHBzOi8vd3d3LmV4YW1wbGUuY29tL2x0aS9hdXRoL3Rva2VuIiwiaWF0IjoiMTQ4NTkwNzI"
    "wMCIsImV4cCI6IjE0ODU5MDc1MDAiLCJqdGkiOiIyOWY5MGMwNDdhNDRiMmVjZTczZDAwYTA5MzY0ZDQ5YiJ9.li"
    "ArqLDIF-xGcCu8ythy0HlzntxwZ90AYTnwH-daCQQ"
)
JWT_IO = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiw"
    "iaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)

KEY = rsa_key("jwt")
KEYS = {"k": KEY.public_key()}
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "k"}
CLAIMS = {"iss": "https://lms.example.edu", "aud": "c", "exp": 1, "iat": 0}
T0 = int(NOW.timestamp())


def signed(payload: Any = CLAIMS, **header: Any) -> str:
    return jws(HEADER | header, payload, rs256(KEY))


def refused(token: str) -> None:
    with pytest.raises(SignatureRefused) as refusal:
        jwt.verify(jwt.decode(token), KEYS)
    assert refusal.value.status == 401


@pytest.mark.spec("GEN-08", "GEN-09", "CERTP-09")
def test_what_we_sign_verifies_with_another_implementation() -> None:
    token = jwt.sign(CLAIMS, SigningKey("k", KEY))
    header, payload, signature = token.split(".")
    pad = "==="
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + pad),
        f"{header}.{payload}".encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    assert json.loads(base64.urlsafe_b64decode(header + pad)) == HEADER
    assert json.loads(base64.urlsafe_b64decode(payload + pad)) == CLAIMS


@pytest.mark.spec("GEN-08")
def test_a_token_of_another_implementation_verifies() -> None:
    assert jwt.verify(jwt.decode(signed()), KEYS) == CLAIMS
    assert jwt.verify(jwt.decode(jwt.sign(CLAIMS, SigningKey("k", KEY))), KEYS) == CLAIMS


def test_the_published_signature_verifies_and_is_still_refused_without_kid() -> None:
    """V-13, RFC 7515 appendix A.2."""
    keys = parse_key_set({"keys": [{"kty": "RSA", "kid": "a", "n": RFC7515_N, "e": "AQAB"}]})
    token = jwt.decode(RFC7515_A2)
    keys["a"].verify(token.signature, token.signing_input, padding.PKCS1v15(), hashes.SHA256())
    assert token.claims["iss"] == "joe"
    with pytest.raises(SignatureRefused, match="kid"):
        jwt.verify(token, keys)


@pytest.mark.spec("GEN-09")
@pytest.mark.parametrize("token", [SEC_SAMPLE, JWT_IO])
def test_published_tokens_with_a_shared_secret_are_refused(token: str) -> None:
    with pytest.raises(SignatureRefused, match="alg"):
        jwt.verify(jwt.decode(token), KEYS)


@pytest.mark.spec("T13ID-08", "SECP-09", "GEN-08", "GEN-09", "CERTP-09")
@pytest.mark.parametrize(
    "alg",
    [
        *("none", "None", "nOnE", "", "HS256", "HS384", "ES256", "PS256", "RS512", "rs256"),
        *(None, 7, ["RS256"], {"RS256": 1}, True),
    ],
)
def test_only_rs256_is_rs256(alg: object) -> None:
    refused(signed(alg=alg))
    refused(jws(HEADER | {"alg": alg}, CLAIMS, lambda _: b"x"))


@pytest.mark.spec("GEN-09")
def test_an_unsigned_token_is_refused() -> None:
    refused(f"{segment({'alg': 'none', 'kid': 'k'})}.{segment(CLAIMS)}.")


def secrets() -> list[bytes]:
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    modulus = KEY.public_key().public_numbers().n
    raw = modulus.to_bytes(256, "big")
    return [pem, pem.strip(), pem.replace(b"\n", b"\r\n"), raw, b64(raw).encode(), b"k", b""]


@pytest.mark.spec("SECP-09")
@pytest.mark.parametrize("secret", secrets())
def test_a_public_key_is_no_shared_secret(secret: bytes) -> None:
    def mac(data: bytes) -> bytes:
        return hmac.new(secret, data, hashlib.sha256).digest()

    refused(jws(HEADER | {"alg": "HS256"}, CLAIMS, mac))
    refused(jws(HEADER, CLAIMS, mac))


@pytest.mark.spec("SECP-09", "T13ID-08")
def test_an_elliptic_signature_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    refused(
        jws(HEADER | {"alg": "ES256"}, CLAIMS, lambda d: key.sign(d, ec.ECDSA(hashes.SHA256())))
    )


def test_another_algorithm_works_only_where_it_is_allowed() -> None:
    def sign(data: bytes) -> bytes:
        return KEY.sign(data, padding.PKCS1v15(), hashes.SHA512())

    token = jwt.decode(jws(HEADER | {"alg": "RS512"}, CLAIMS, sign))
    assert jwt.verify(token, KEYS, algorithms=("RS512",)) == CLAIMS
    with pytest.raises(SignatureRefused):
        jwt.verify(token, KEYS)


@pytest.mark.spec("T13ID-07")
def test_a_signature_by_another_key_is_refused() -> None:
    refused(jws(HEADER, CLAIMS, rs256(rsa_key("someone else"))))


def test_every_changed_character_is_noticed() -> None:
    token = signed()
    for position in range(0, len(token), 7):
        changed = "A" if token[position] != "A" else "B"
        refused(token[:position] + changed + token[position + 1 :])


@pytest.mark.spec("T13ID-05", "SECP-10")
@pytest.mark.parametrize(
    "kid",
    [
        *("", "K", "../../etc/passwd", "' OR 1=1 --", "http://evil.example.org/jwks"),
        *("k" * 10_240, "k\0", "ķ", "\ud800", None, 7, True, ["k"], {"k": 1}),
    ],
)
def test_odd_key_ids_find_no_key(kid: object) -> None:
    refused(signed(kid=kid))


@pytest.mark.spec("SECP-11", "SECP-13", "T13ID-10")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jwk", jwk("k", KEY)),
        ("jku", "https://evil.example.org/jwks"),
        ("x5u", "https://evil.example.org/x"),
        ("x5c", ["MIIB"]),
        ("crit", ["b64"]),
        ("b64", False),
        ("zip", "DEF"),
        ("jku", None),
    ],
)
def test_a_header_that_brings_its_own_key_or_rules_is_refused(name: str, value: object) -> None:
    refused(signed(**{name: value}))


@pytest.mark.spec("SECP-13", "T13ID-11")
@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "not a token",
        "e30.e30",
        "e30.e30.e30.e30",
        "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d",
        f"{segment(HEADER)}..{b64(b's')}",
        "{}.{}.{}",
        "e30.e30.é",
        "e30.e30.\ud800",
        f"{segment('[]')}.{segment(CLAIMS)}.eHg",
        f"{segment(HEADER)}.{segment('[]')}.eHg",
        f"{segment(HEADER)}.{segment('7')}.eHg",
        f"{segment(HEADER)}.{b64(bytes([0xFF, 0xFE]))}.eHg",
        f"{segment('{')}.{segment(CLAIMS)}.eHg",
        f"{segment(HEADER)}.{segment('[' * 40_000)}.eHg",
        f"{segment(HEADER)}.{segment(signed())}.eHg",
    ],
)
def test_what_is_no_signed_token_is_refused(token: str) -> None:
    with pytest.raises(SignatureRefused):
        jwt.decode(token)


def test_the_alphabet_is_base64url_without_padding() -> None:
    token = signed({**CLAIMS, "x": "~~~???>>>"})
    assert "-" in token or "_" in token
    jwt.decode(token)
    for other in (
        token.replace("-", "+").replace("_", "/"),
        token + "=",
        token + "\n",
        " " + token,
        token.replace(".", "=."),
    ):
        with pytest.raises(SignatureRefused):
            jwt.decode(other)


def test_a_token_has_at_most_64_kilobytes() -> None:
    jwt.decode(signed({"x": "y" * 40_000}))
    with pytest.raises(SignatureRefused):
        jwt.decode(signed({"x": "y" * 50_000}))


@pytest.mark.spec("SECP-05")
@pytest.mark.parametrize(
    "payload",
    [
        '{"iss":"a","iss":"b"}',
        '{"a":{"b":1,"b":1}}',
        '{"exp":NaN}',
        '{"exp":Infinity}',
        '{"exp":-Infinity}',
        '{"exp":1e400}',
        '{"exp":' + "9" * 5000 + "}",
    ],
)
def test_json_that_two_readers_would_read_differently_is_refused(payload: str) -> None:
    with pytest.raises(SignatureRefused):
        jwt.decode(signed(payload))


def test_a_repeated_name_in_the_header_is_refused() -> None:
    token = jws('{"alg":"RS256","kid":"k","alg":"RS256"}', CLAIMS, rs256(KEY))
    with pytest.raises(SignatureRefused):
        jwt.decode(token)


def times(**changes: Any) -> None:
    claims = {"iat": T0, "exp": T0 + 60} | changes
    given = {name: value for name, value in claims.items() if value is not ...}
    jwt.check_times(given, NOW, leeway_s=60, max_age_s=600)


@pytest.mark.spec("T13ID-17", "T13ID-18", "T13ID-19")
@pytest.mark.parametrize(
    "good",
    [
        {},
        {"exp": T0 - 59},
        {"iat": T0 + 60},
        {"iat": T0 - 660},
        {"nbf": T0 + 60},
        {"nbf": 0},
        {"iat": float(T0), "exp": T0 + 0.5},
        {"exp": 10**300},
    ],
)
def test_times_within_the_leeway_pass(good: dict[str, Any]) -> None:
    times(**good)


@pytest.mark.spec("T13ID-17", "T13ID-18", "T13ID-19", "SECP-05", "SECP-54", "AMB-11")
@pytest.mark.parametrize(
    "bad",
    [
        {"exp": T0 - 60},
        {"exp": T0 - 3600},
        {"iat": T0 + 61},
        {"iat": T0 + 86_400},
        {"iat": T0 - 661},
        {"nbf": T0 + 61},
        {"nbf": "0"},
        {"nbf": None},
        {"nbf": True},
        {"iat": 11111, "exp": 22222},
        {"exp": ...},
        {"iat": ...},
        {"exp": str(T0 + 60)},
        {"exp": True},
        {"iat": str(T0)},
        {"iat": False},
        {"exp": None},
        {"exp": [T0 + 60]},
        {"exp": 10**400},
    ],
)
def test_other_times_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(SignatureRefused):
        times(**bad)


@pytest.mark.spec("SECP-54")
def test_a_clock_ten_minutes_off_is_named_in_the_log() -> None:
    with pytest.raises(SignatureRefused) as early:
        jwt.check_times({"iat": T0, "exp": T0 + 60}, NOW - timedelta(minutes=10), 60, 600)
    assert "600 s in the future" in early.value.detail
    with pytest.raises(SignatureRefused) as late:
        jwt.check_times({"iat": T0, "exp": T0 + 60}, NOW + timedelta(minutes=10), 60, 600)
    assert "expired 540 s ago" in late.value.detail


@pytest.mark.spec("T13ID-13", "T13ID-16")
@pytest.mark.parametrize("good", [{"aud": "c"}, {"aud": ["c"]}, {"aud": "c", "azp": "c"}])
def test_tokens_for_us_pass(good: dict[str, Any]) -> None:
    jwt.check_audience({"iss": "https://lms.example.edu"} | good, "https://lms.example.edu", "c")


@pytest.mark.spec("T13ID-12", "T13ID-13", "T13ID-14", "T13ID-15", "T13ID-16", "SECP-05")
@pytest.mark.parametrize(
    "bad",
    [
        {"iss": "https://lms.example.edu/"},
        {"iss": "https://LMS.example.edu"},
        {"iss": None},
        {"iss": ["https://lms.example.edu"]},
        {"aud": "C"},
        {"aud": "other"},
        {"aud": ""},
        {"aud": None},
        {"aud": []},
        {"aud": {"c": 1}},
        {"aud": [["c"]]},
        {"aud": ["c", "other"]},
        {"aud": ["other", "c"], "azp": "c"},
        {"aud": ["c", "c"]},
        {"aud": "c", "azp": "other"},
        {"aud": "c", "azp": None},
    ],
)
def test_tokens_for_others_or_by_others_are_refused(bad: dict[str, Any]) -> None:
    claims = {"iss": "https://lms.example.edu", "aud": "c"} | bad
    with pytest.raises(SignatureRefused) as refusal:
        jwt.check_audience(claims, "https://lms.example.edu", "c")
    assert refusal.value.status == 401
