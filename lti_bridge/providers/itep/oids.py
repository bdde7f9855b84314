"""Our name for an attempt at iTEP, sent as trExternal_ID and coming back as OID.

It holds a MAC, so that a result names an attempt only if the bridge itself ordered its test. With
35 characters it fits where a UUID does; how much iTEP keeps is not documented.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

_MAC_LENGTH = 12  # characters of base64: 72 bits

Sign = Callable[[str], str]


def issue(sign: Sign, attempt_id: str) -> str:
    """The OID of an attempt."""
    return f"{attempt_id}.{sign(f'oid:{attempt_id}')[:_MAC_LENGTH]}"


def attempt_of(sign: Sign, oid: str) -> str:
    """The attempt id of an OID that was issued here, else the empty string."""
    attempt_id = oid.rpartition(".")[0]
    genuine = oid.isascii() and hmac.compare_digest(oid.encode(), issue(sign, attempt_id).encode())
    return attempt_id if genuine else ""
