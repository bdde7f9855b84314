"""OAuth 1.0a with HMAC-SHA1, written out from RFC 5849 to share nothing with the bridge."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from lti_bridge.sandbox.lms.state import State

_WINDOW_S = 300
_HEADER_FIELD = re.compile(r'([a-zA-Z0-9_%.~-]+)="([^"]*)"')


class BadSignature(Exception):
    """A signed request that must not be believed; the text says why."""


def new_fields(consumer_key: str) -> dict[str, str]:
    """The protocol parameters of a new request, without the signature."""
    return {
        "oauth_version": "1.0",
        "oauth_nonce": secrets.token_hex(16),
        "oauth_timestamp": str(int(time.time())),
        "oauth_consumer_key": consumer_key,
        "oauth_callback": "about:blank",
        "oauth_signature_method": "HMAC-SHA1",
    }


def signature(method: str, url: str, pairs: Iterable[tuple[str, str]], secret: str) -> str:
    """The HMAC-SHA1 signature of a request (RFC 5849 section 3.4.1, 3.4.2).

    `pairs` are the body and header parameters; those of the URL's query are added here.
    """
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port not in (None, _default_port(parts.scheme)) else ""
    bare = f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}{port}{parts.path or '/'}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    signed = [(k, v) for k, v in [*query, *pairs] if k not in ("oauth_signature", "realm")]
    normal = "&".join(f"{k}={v}" for k, v in sorted((_escape(k), _escape(v)) for k, v in signed))
    text = "&".join([method.upper(), _escape(bare), _escape(normal)])
    key = f"{_escape(secret)}&".encode()
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()


def check_body_signed(
    state: State, authorization: str, url: str, body: bytes, consumer_key: str, secret: str
) -> None:
    """Believe a POST whose Authorization header signs its body hash, once. Raises BadSignature."""
    fields = _read_header(authorization)
    if not hmac.compare_digest(
        fields.get("oauth_consumer_key", "").encode(), consumer_key.encode()
    ):
        raise BadSignature("unknown consumer key")
    if fields.get("oauth_signature_method") != "HMAC-SHA1":
        raise BadSignature("signature method is not HMAC-SHA1")
    if fields.get("oauth_version", "1.0") != "1.0":
        raise BadSignature("OAuth version is not 1.0")
    digest = base64.b64encode(hashlib.sha1(body).digest()).decode()  # noqa: S324 - the protocol's
    if not hmac.compare_digest(fields.get("oauth_body_hash", "").encode(), digest.encode()):
        raise BadSignature("body hash is missing or differs")
    expected = signature("POST", url, fields.items(), secret)
    if not hmac.compare_digest(fields.get("oauth_signature", "").encode(), expected.encode()):
        raise BadSignature("signature differs")
    _check_fresh(state, fields)


def _check_fresh(state: State, fields: dict[str, str]) -> None:
    stamp, nonce = fields.get("oauth_timestamp", ""), fields.get("oauth_nonce", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(time.time() - int(stamp)) > _WINDOW_S:
        raise BadSignature("timestamp is too far away")
    if not nonce or not state.once("oauth", fields["oauth_consumer_key"], nonce):
        raise BadSignature("nonce is missing or was used")


def _read_header(authorization: str) -> dict[str, str]:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "oauth":
        raise BadSignature("no OAuth authorization")
    found = [(unquote(k), unquote(v)) for k, v in _HEADER_FIELD.findall(rest)]
    if len({k for k, _ in found}) != len(found):
        raise BadSignature("a parameter is given twice")
    return dict(found)


def _escape(text: str) -> str:
    return quote(text, safe="-._~")


def _default_port(scheme: str) -> int:
    return 443 if scheme.lower() == "https" else 80
