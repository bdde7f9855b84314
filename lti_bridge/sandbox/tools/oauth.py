"""OAuth 1.0a with HMAC-SHA1 as the pretend tools speak it, written from RFC 5849 alone."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlsplit

Pairs = list[tuple[str, str]]

_WINDOW_S = 300
_NEEDED = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_signature",
    "oauth_signature_method",
)


class LaunchRefused(Exception):
    """A signed request that cannot be believed; the text says why."""


def body_pairs(text: str) -> Pairs:
    """The parameters of a query string or form body: repeated names and empty values stay."""
    return parse_qsl(text, keep_blank_values=True)


def signature(method: str, url: str, pairs: Iterable[tuple[str, str]], secret: str) -> str:
    """The base64 signature; the query parameters of `url` are added to `pairs`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.port and (parts.scheme.lower(), parts.port) not in (("http", 80), ("https", 443)):
        host += f":{parts.port}"
    address = f"{parts.scheme.lower()}://{host}{parts.path or '/'}"
    every = [*body_pairs(parts.query), *pairs]
    signed = sorted((_percent(k), _percent(v)) for k, v in every if k != "oauth_signature")
    normalised = "&".join(f"{name}={value}" for name, value in signed)
    base = "&".join((method.upper(), _percent(address), _percent(normalised)))
    key = f"{_percent(secret)}&"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()


def authorization(url: str, body: bytes, consumer_key: str, secret: str) -> str:
    """The Authorization header of a POST whose body is covered by oauth_body_hash."""
    digest = hashlib.sha1(body).digest()  # noqa: S324 - the body hash draft names SHA-1
    fields = {
        "oauth_version": "1.0",
        "oauth_nonce": secrets.token_hex(16),
        "oauth_timestamp": str(int(time.time())),
        "oauth_consumer_key": consumer_key,
        "oauth_body_hash": base64.b64encode(digest).decode(),
        "oauth_signature_method": "HMAC-SHA1",
    }
    fields["oauth_signature"] = signature("POST", url, fields.items(), secret)
    listed = ",".join(f'{name}="{_percent(value)}"' for name, value in fields.items())
    return f'OAuth realm="",{listed}'


class Verifier:
    """Believes a signed form once. The caller serialises the calls."""

    def __init__(self, consumer_key: str, secret: str) -> None:
        self._key = consumer_key
        self._secret = secret
        self._used: dict[str, float] = {}

    def verify(self, url: str, pairs: Pairs) -> None:
        """Check a form POSTed to `url` (with its query). Raises LaunchRefused."""
        every = [*body_pairs(urlsplit(url).query), *pairs]
        fields = _protocol_fields(every)
        if not _same(fields["oauth_consumer_key"], self._key):
            raise LaunchRefused("The consumer key is not known here.")
        if not _same(fields["oauth_signature"], signature("POST", url, pairs, self._secret)):
            raise LaunchRefused("The signature does not match the request.")
        stamp = fields["oauth_timestamp"]
        now = time.time()
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now - int(stamp)) > _WINDOW_S:
            raise LaunchRefused("The timestamp is more than five minutes away.")
        self._use_nonce(fields["oauth_nonce"], now)

    def _use_nonce(self, nonce: str, now: float) -> None:
        # A timestamp from the future stays valid for two windows.
        self._used = {n: seen for n, seen in self._used.items() if now - seen <= 2 * _WINDOW_S}
        if nonce in self._used:
            raise LaunchRefused("This launch was used before.")
        self._used[nonce] = now


def _protocol_fields(pairs: Pairs) -> dict[str, str]:
    fields = dict(pairs)
    counts = Counter(name for name, _ in pairs if name.startswith("oauth_"))
    if any(count > 1 for count in counts.values()):
        raise LaunchRefused("An OAuth parameter is given twice.")
    missing = [name for name in _NEEDED if not fields.get(name)]
    if missing:
        raise LaunchRefused(f"{missing[0]} is missing.")
    if fields["oauth_signature_method"] != "HMAC-SHA1":
        raise LaunchRefused("Only HMAC-SHA1 signatures are accepted.")
    if fields.get("oauth_version", "1.0") != "1.0":
        raise LaunchRefused("Only OAuth version 1.0 is accepted.")
    return fields


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _percent(text: str) -> str:
    return quote(text, safe="~")
