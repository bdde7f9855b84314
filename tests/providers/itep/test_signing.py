"""The signed request, against values computed outside Python's hmac module."""

from __future__ import annotations

import pytest

from lti_bridge.providers.itep.signing import compact, signature

# RFC 4231, test case 2
BODY, KEY = b"what do ya want for nothing?", "Jefe"
HEX = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_signature_is_hmac_sha256() -> None:
    assert signature(BODY, KEY, "hex", "") == HEX
    assert signature(BODY, KEY, "HEX", "sha256=") == f"sha256={HEX.upper()}"
    assert signature(BODY, KEY, "base64", "") == "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="


@pytest.mark.parametrize("text", ["plain", "a b\n\t", 'q"\\', "Änn O’Neil 語 😀"])
def test_the_body_is_compact_and_ascii(text: str) -> None:
    body = compact({"a": {"b": text}, "n": 3})
    assert body.startswith(b'{"a":{"b":"')
    assert body.endswith(b'"},"n":3}')
    assert body.isascii()
    assert b"\n" not in body
