"""OAuth 1.0a signatures as LTI 1.1 uses them: forms through a browser, XML bodies with a header.

Of oauthlib only the normal form of an address is used (RFC 5849, 3.4.1.2). Its other steps are
done here, because two are wrong for LTI and the rest is slow; a test holds 100,000 generated forms
against it:

- `collect_parameters` percent-decodes form values named oauth_* a second time, refuses query
  strings that browsers send, and reads the header into a dict, so a repeated oauth_ parameter
  goes unseen;
- `verify_hmac_*` writes the base string, with the learner's name in it, to the debug log;
- `escape` goes through a text character by character, twice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from oauthlib.oauth1.rfc5849 import signature as rfc5849

from lti_bridge import errors

Params = Sequence[tuple[str, str]]

FORM_TYPE = "application/x-www-form-urlencoded"

_MAX_FIELDS = 1000
_REQUIRED = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_signature_method",
    "oauth_signature",
)
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_HEADER_PAIR = re.compile(r'\s*([^\s=,"]+)\s*=\s*"([^"]*)"\s*(?:,|$)')
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNRESERVED = frozenset("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
HASHES: Mapping[str, str] = MappingProxyType({"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"})


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A well-formed signed request whose signature is not checked yet.

    `params` are all pairs that are signed, those of the URL's query included; `timestamp` is in
    seconds since 1970. Parameters and signature stay out of the repr, and so out of logs.
    """

    http_method: str
    url: str
    params: Params = field(repr=False)
    consumer_key: str
    nonce: str
    timestamp: int
    signature_method: str
    signature: str = field(repr=False)


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The pairs of a form-encoded body, in order, with duplicates and empty values.

    Raises BadRequest when it is not UTF-8, holds NUL (no database text can), or has more than
    1000 fields.
    """
    if b"\0" in body or b"%00" in body:
        raise errors.BadRequest("form: NUL character")
    if body.count(b"&") >= _MAX_FIELDS:
        raise errors.BadRequest("form: too many fields")
    fields = [field.partition(b"=") for field in body.replace(b"+", b" ").split(b"&") if field]
    # decoded all at once: NUL, which is in none of them, stands between
    joined = b"\0".join([part for name, _, value in fields for part in (name, value)])
    try:
        texts = iter(unquote_to_bytes(joined).decode().split("\0"))
    except ValueError as err:
        raise errors.BadRequest("form: not UTF-8") from err
    return list(zip(texts, texts, strict=False)) if fields else []


def sign_form(
    url: str,
    fields: Params,
    key: str,
    secret: str,
    *,
    nonce: str,
    timestamp: int,
    method: str = "HMAC-SHA1",
) -> list[tuple[str, str]]:
    """The fields of a form that a browser will POST to `url`, signed (LTI 1.1, section 4).

    Query parameters of `url` are signed here and travel in the form's action only. Line ends
    become CRLF, because that is what the browser sends whatever the page holds.
    """
    form = [(name, _LINE_END.sub("\r\n", value)) for name, value in fields]
    form.append(("oauth_callback", "about:blank"))
    form += _protocol(key, nonce, timestamp, method)
    form.append(
        ("oauth_signature", signature("POST", url, form + query_pairs(url), secret, method))
    )
    return form


def sign_body(
    http_method: str,
    url: str,
    body: bytes,
    key: str,
    secret: str,
    *,
    nonce: str,
    timestamp: int,
    method: str = "HMAC-SHA1",
) -> str:
    """The Authorization header of a request with a non-form body (OAuth Request Body Hash)."""
    params = [("oauth_body_hash", _body_hash(body, method))]
    params += _protocol(key, nonce, timestamp, method)
    signed = signature(http_method, url, params + query_pairs(url), secret, method)
    params.append(("oauth_signature", signed))
    # one LMS splits at the comma and takes the blank for a part of the name (docs/lms.md, Stud.IP)
    values = escape_all([value for _, value in params])
    return "OAuth " + ",".join([f'{params[at][0]}="{one}"' for at, one in enumerate(values)])


def read_form(http_method: str, url: str, body_params: Params) -> SignedRequest:
    """A signed form, structurally checked; raises BadRequest. `url` is our own external URL."""
    return _read(http_method, url, [*query_pairs(url), *body_params])


def read_header(
    http_method: str, url: str, authorization: str, body: bytes, content_type: str
) -> SignedRequest:
    """A request signed in its header, structurally checked, whose body has the signed hash.

    Raises BadRequest when malformed, SignatureRefused without OAuth credentials or when the body
    is not the signed one. The body hash may be SHA-1 with every method: the draft knows no other,
    and oauthlib makes no other.
    """
    if content_type.partition(";")[0].strip().lower() == FORM_TYPE:
        raise errors.BadRequest("oauth: a form body cannot carry a body hash")
    request = _read(http_method, url, [*query_pairs(url), *_header_params(authorization)])
    body_hash = dict(request.params).get("oauth_body_hash")
    if body_hash is None:
        raise errors.BadRequest("oauth: oauth_body_hash is missing")
    hashes = [_body_hash(body, method) for method in {"HMAC-SHA1", request.signature_method}]
    if not any(_equal(body_hash, one) for one in hashes):
        reason = "oauth: oauth_body_hash is not the hash of the body"
        raise errors.SignatureRefused(reason, said=reason)
    return request


def verify(
    request: SignedRequest,
    secret: str,
    *,
    method: str,
    now: int,
    window_s: int,
    former: Sequence[str] = (),
    checking: Callable[[str], None] = lambda what: None,
) -> None:
    """Check who sent the request; raises SignatureRefused whose detail names what failed.

    `method` is the one configured for the key, `now` seconds since 1970, `window_s` seconds that
    the sender's clock may differ either way. `former` are addresses of ours that the sender may
    still know: a signature for one of them is as good. The nonce is the caller's to record,
    afterwards. `checking` hears what is checked next.
    """
    checking("method")
    if request.signature_method != method:
        raise errors.SignatureRefused(
            f"oauth: signed with {request.signature_method}, the key is for {method}"
        )
    checking("signature")
    known = (
        signature(request.http_method, url, request.params, secret, method)
        for url in (request.url, *former)
    )
    if not any(_equal(request.signature, expected) for expected in known):
        raise errors.SignatureRefused("oauth: signature does not match")
    checking("time")
    if abs(now - request.timestamp) > window_s:
        age = now - request.timestamp
        reason = f"oauth: oauth_timestamp is {age} s old, the window is {window_s} s"
        raise errors.SignatureRefused(reason, said=reason)


def base_string(http_method: str, url: str, params: Params) -> str:
    """The text that is signed (RFC 5849, 3.4.1); the query of `url` counts only as `params`.

    Raises BadRequest when `url` is not absolute or a text is not Unicode.
    """
    try:
        uri = base_uri(url)
        texts = iter(escape_all([text for pair in params for text in pair]))
    except ValueError as err:
        raise errors.BadRequest("oauth: not an absolute URL, or not Unicode text") from err
    pairs = sorted(zip(texts, texts, strict=True)) if params else []
    normalized = "&".join([f"{name}={value}" for name, value in pairs])
    # Of what is escaped already, only these three can be escaped again.
    twice = normalized.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return f"{http_method.upper()}&{uri}&{twice}"


def signature(http_method: str, url: str, params: Params, secret: str, method: str) -> str:
    """The value of oauth_signature over `params`; `method` must be one of the two supported."""
    key = f"{_escaped(secret)}&".encode()  # LTI has no token, so its secret is empty
    return _base64(hmac.digest(key, base_string(http_method, url, params).encode(), _hash(method)))


@lru_cache(maxsize=64)
def base_uri(url: str) -> str:
    """An address in its normal form and escaped, as it is signed; raises ValueError."""
    return _escaped(rfc5849.base_string_uri(url))


def _escaped(text: str) -> str:
    """RFC 5849, 3.6."""
    return quote(text, safe="~")


def escape_all(texts: Sequence[str]) -> list[str]:
    """RFC 5849, 3.6, for many texts at once: an escape costs one search through all of them."""
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1:
        return [_escaped(text) for text in texts]
    if not joined.isascii():
        joined = joined.encode().decode("latin-1")
    reserved = set(joined) - _UNRESERVED - {"\0"}
    for char in sorted(reserved, key=lambda char: char != "%"):  # "%" first, and once
        joined = joined.replace(char, f"%{ord(char):02X}")
    return joined.split("\0")


def _hash(name: str) -> str:
    if name not in HASHES:
        raise errors.ConfigurationError(f"OAuth signature method {name!r} is not supported")
    return HASHES[name]


def _protocol(key: str, nonce: str, timestamp: int, method: str) -> list[tuple[str, str]]:
    return [
        ("oauth_consumer_key", key),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", method),
        ("oauth_timestamp", str(timestamp)),
        ("oauth_version", "1.0"),
    ]


def query_pairs(url: str) -> list[tuple[str, str]]:
    """The parameters in the query of an address; raises BadRequest for what is none."""
    if "?" not in url:
        return []
    try:
        query = urlsplit(url).query
    except ValueError as err:
        raise errors.BadRequest("oauth: malformed URL") from err
    return parse_form(query.encode("utf-8", "replace"))


def _body_hash(body: bytes, method: str) -> str:
    return _base64(hashlib.new(_hash(method), body).digest())


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _read(http_method: str, url: str, pairs: Params) -> SignedRequest:
    protocol = [pair for pair in pairs if pair[0].startswith("oauth_")]
    values = dict(protocol)
    if len(values) != len(protocol):
        raise errors.BadRequest("oauth: an oauth_ parameter is repeated")
    for name in _REQUIRED:
        if not values.get(name):
            raise errors.BadRequest(f"oauth: {name} is missing")
    if values.get("oauth_version", "1.0") != "1.0":
        raise errors.BadRequest("oauth: oauth_version is not 1.0")
    if values.get("oauth_token"):
        raise errors.BadRequest("oauth: oauth_token is not used in LTI")
    if values["oauth_signature_method"] not in HASHES:
        raise errors.BadRequest("oauth: oauth_signature_method is not supported")
    stamp = values["oauth_timestamp"]
    if not _TIMESTAMP.fullmatch(stamp) or int(stamp) == 0:
        raise errors.BadRequest("oauth: oauth_timestamp is not a positive integer")
    return SignedRequest(
        http_method=http_method,
        url=url,
        params=[pair for pair in pairs if pair[0] != "oauth_signature"],
        consumer_key=values["oauth_consumer_key"],
        nonce=values["oauth_nonce"],
        timestamp=int(stamp),
        signature_method=values["oauth_signature_method"],
        signature=values["oauth_signature"],
    )


def _header_params(authorization: str) -> list[tuple[str, str]]:
    """The parameters of `Authorization: OAuth …` without realm (RFC 5849, 3.5.1)."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() != "oauth":
        reason = "oauth: no OAuth Authorization header"
        raise errors.SignatureRefused(reason, said=reason)
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(rest):
        match = _HEADER_PAIR.match(rest, position)
        if match is None:
            raise errors.BadRequest("oauth: malformed Authorization header")
        pairs.append((_decoded(match[1]), _decoded(match[2])))
        position = match.end()
    return [pair for pair in pairs if pair[0] != "realm"]


def _decoded(text: str) -> str:
    if "%" not in text and "\0" not in text:
        return text
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError as err:
        raise errors.BadRequest("oauth: Authorization header is not UTF-8") from err
    if "\0" in decoded:
        raise errors.BadRequest("oauth: NUL character")
    return decoded
