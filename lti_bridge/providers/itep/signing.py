"""The signed request: compact JSON, and the HMAC-SHA256 header value over exactly these bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Literal

Encoding = Literal["hex", "HEX", "base64"]


def compact(document: Mapping[str, Any]) -> bytes:
    """JSON without white space, in ASCII, so that no server reads other bytes than were signed."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def signature(body: bytes, secret: str, encoding: Encoding, prefix: str) -> str:
    """The value of the header that selects the process."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    if encoding == "base64":
        return prefix + base64.b64encode(digest).decode("ascii")
    return prefix + (digest.hex().upper() if encoding == "HEX" else digest.hex())
