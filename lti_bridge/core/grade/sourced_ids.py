"""Result sourcedids for providers: opaque, unguessable, bound to one attempt at one connection."""

from __future__ import annotations

import base64
import hashlib
import hmac

MAC_LENGTH = 24  # characters: 144 bits


def issue(key: bytes, connection: str, attempt_id: str) -> str:
    """The sourcedid of an attempt at a connection; the same at every relaunch.

    The attempt's row says which activity and learner it belongs to, so whoever holds a sourcedid
    can reach exactly one attempt, and nobody can make one up (LTI 1.1.1 §6.1: opaque value).
    """
    return f"{attempt_id}.{_mac(key, connection, attempt_id)}"


def attempt_of(key: bytes, connection: str, sourced_id: str) -> str | None:
    """The attempt id of a sourcedid that was issued to this connection, else None."""
    attempt_id, _, mac = sourced_id.rpartition(".")
    expected = _mac(key, connection, attempt_id)
    return attempt_id if hmac.compare_digest(mac.encode(), expected.encode()) else None


def _mac(key: bytes, connection: str, attempt_id: str) -> str:
    message = f"{len(connection)}:{connection}:{attempt_id}".encode()
    digest = hmac.new(key, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:MAC_LENGTH]
