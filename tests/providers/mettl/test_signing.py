"""Mettl's signature: the documented vectors, and others worked out beside our code."""

from __future__ import annotations

import hmac
from base64 import b64encode
from urllib.parse import quote

import pytest

from lti_bridge.providers.mettl import signing

AK, TS = "ab12c345-6789-0123-456d-78e9f0123456", "1635976200"
PRIVATE = "zy98x765-4321-0987-654w-32v1u0987654"
RD = '{"registrationDetails":[{"First Name":"Name","Email Address":"name@email.com"}]}'
CANDIDATES = "https://api.mettl.com/v2/schedules/0x0x0x0x0x/candidates"
MORE = {
    "allowMissingMandatoryRegistrationFields": "true",
    "timeLimitInSec": "86400",
    "showCustomInstructions": "true",
}
DOCUMENTED = [
    ("POST", CANDIDATES, {"rd": RD}, "t72%2BcLqiOZPD4qIKLuabKh2czEebF6ELG8kZt%2F4HPRQ%3D"),
    (
        "POST",
        CANDIDATES,
        {"rd": RD, **MORE},
        "lWKjNsV4fiEbn0TtKKp38vFwwnzATfEqKHBZ%2FlCmNHc%3D",
    ),
    (
        "GET",
        "https://api.mettl.com/v2/account",
        {},
        "v4%2BlYYoZTdoeFV9XSTehS1MLRpBmjTRqQqKGizlHIN8%3D",
    ),
]


@pytest.mark.parametrize(("method", "url", "own", "asgn"), DOCUMENTED)
def test_the_documented_vectors(method: str, url: str, own: dict[str, str], asgn: str) -> None:
    values = {"ak": AK, "ts": TS, **own}
    assert quote(signing.signature(2, PRIVATE, method, url, values), safe="") == asgn


def test_the_string_to_sign_is_the_documented_one() -> None:
    values = {"ts": TS, "rd": RD, "ak": AK, **MORE}
    assert signing.string_to_sign("POST", CANDIDATES, values) == (
        f"POST{CANDIDATES}\n{AK}\ntrue\n{RD}\ntrue\n86400\n{TS}"
    )


def test_the_documented_address_byte_for_byte() -> None:
    values = {"ak": AK, "ts": TS, "rd": RD}
    asgn = signing.signature(2, PRIVATE, "POST", CANDIDATES, values)
    assert f"{CANDIDATES}?{signing.encoded({**values, 'asgn': asgn})}" == (
        "https://api.mettl.com/v2/schedules/0x0x0x0x0x/candidates"
        "?ak=ab12c345-6789-0123-456d-78e9f0123456&ts=1635976200"
        "&rd=%7B%22registrationDetails%22%3A%5B%7B%22First%20Name%22%3A%22Name%22%2C%22Email%20"
        "Address%22%3A%22name%40email.com%22%7D%5D%7D"
        "&asgn=t72%2BcLqiOZPD4qIKLuabKh2czEebF6ELG8kZt%2F4HPRQ%3D"
    )


@pytest.mark.parametrize(("version", "name"), [(1, "sha1"), (2, "sha256")])
def test_the_version_chooses_the_hash(version: int, name: str) -> None:
    url = f"http://api.mettl.com/v{version}/schedules/k1/candidates/anaïs@example.org"
    values = {"ak": "a", "ts": "1", "limit": "20", "Zulu": "é & ü", "sort_order": "asc"}
    # capital letters come before small ones; values are raw, names are left out
    text = f"GET{url}\né & ü\na\n20\nasc\n1"
    expected = b64encode(hmac.new("schlüssel".encode(), text.encode(), name).digest()).decode()
    assert signing.signature(version, "schlüssel", "GET", url, values) == expected


def test_openssl_agrees() -> None:
    # openssl dgst -sha256 -hmac key -binary | base64, given these bytes
    url = "https://api.mercermettl.eu/v2/schedules/k1/candidates/ann@example.org"
    asgn = signing.signature(2, "key", "DELETE", url, {"ak": "ak", "ts": "9"})
    assert asgn == "ILyOEMFx+HVbsi54UeBnG+H6nUSBYF722yQAk4xbdy4="


@pytest.mark.parametrize(
    ("email", "segment"),
    [
        ("ann@example.org", "ann@example.org"),
        ("ann+x.y@example.org", "ann+x.y@example.org"),
        ("who?/#%@example.org", "who%3F%2F%23%25@example.org"),
        ("änn b@example.org", "%C3%A4nn%20b@example.org"),
    ],
)
def test_an_address_in_a_path(email: str, segment: str) -> None:
    assert signing.path_segment(email) == segment
