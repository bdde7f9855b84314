"""The proof, in a message of LTI 1.3, of knowing the secret of an earlier LTI 1.1 consumer key."""

from __future__ import annotations

import base64
import hmac


def key_sign(
    secret: str, consumer_key: str, deployment_id: str, issuer: str, client_id: str,
    expires: int, nonce: str,
) -> str:  # fmt: skip
    """The value of oauth_consumer_key_sign (LTI Advantage Migration, LTI 1.1 migration claim)."""
    base = "&".join((consumer_key, deployment_id, issuer, client_id, str(expires), nonce))
    digest = hmac.digest(secret.encode(), base.encode(), "sha256")
    return base64.b64encode(digest).decode("ascii")
