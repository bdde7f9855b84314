"""OAuth 1.0a from RFC 5849 and outcome documents, for tests that share no line with the bridge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape as xml

NS = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"
_PAIR = re.compile(r'([^\s=,"]+)="([^"]*)"')
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}

Pairs = Iterable[tuple[str, str]]


def escape(text: str) -> str:
    """Percent-encoding as RFC 5849 §3.6 wants it."""
    return quote(text, safe="-._~")


def signature(method: str, url: str, pairs: Pairs, secret: str, hashed: str = "HMAC-SHA1") -> str:
    """The signature over these parameters and those of the URL's query."""
    parts = urlsplit(url)
    every = [*pairs, *parse_qsl(parts.query, keep_blank_values=True)]
    joined = "&".join(f"{k}={v}" for k, v in sorted((escape(k), escape(v)) for k, v in every))
    address = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"
    text = "&".join((method, escape(address), escape(joined)))
    made = hmac.new(f"{escape(secret)}&".encode(), text.encode(), _HASHES[hashed])
    return base64.b64encode(made.digest()).decode()


@dataclass(frozen=True)
class Signer:
    """A consumer key and its secret."""

    key: str
    secret: str
    method: str = "HMAC-SHA1"

    def fields(self, **changes: str | None) -> dict[str, str]:
        """Fresh protocol parameters, some changed or (None) left out."""
        made: dict[str, str | None] = {
            "oauth_consumer_key": self.key,
            "oauth_nonce": secrets.token_hex(12),
            "oauth_signature_method": self.method,
            "oauth_timestamp": str(int(time.time())),
            "oauth_version": "1.0",
            **changes,
        }
        return {name: value for name, value in made.items() if value is not None}

    def form(self, url: str, fields: dict[str, str]) -> dict[str, str]:
        """A signed form."""
        made = fields | self.fields()
        made["oauth_signature"] = signature("POST", url, made.items(), self.secret, self.method)
        return made

    def header(
        self, url: str, body: bytes, *, http: str = "POST", realm: str = "", **changes: str | None
    ) -> str:
        """The Authorization header over this body."""
        digest = base64.b64encode(_HASHES[self.method](body).digest()).decode()
        fields = self.fields(**{"oauth_body_hash": digest, **changes})
        signed = signature(http, url, fields.items(), self.secret, self.method)
        fields["oauth_signature"] = changes.get("oauth_signature") or signed
        lead = f'OAuth realm="{realm}", ' if realm else "OAuth "
        return lead + ", ".join(f'{name}="{escape(value)}"' for name, value in fields.items())


def read_header(authorization: str) -> dict[str, str]:
    """The parameters of an OAuth header, as its worst reader takes them (docs/lms.md, Stud.IP).

    It splits at each comma and trims nothing. Each parameter may stand there once.
    """
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "OAuth", authorization
    pairs = [_PAIR.fullmatch(part) for part in rest.split(",")]
    assert all(pairs), authorization
    found = [(unquote(pair[1]), unquote(pair[2])) for pair in pairs if pair]
    assert len(dict(found)) == len(found), authorization
    return dict(found)


def document(
    operation: str,
    sourced_id: str,
    score: str | None = None,
    message_id: str = "m-1",
    more: str = "",
) -> bytes:
    """A request envelope; `more` is XML that goes into the result beside the score."""
    result = ""
    if score is not None:
        text = f"<language>en</language><textString>{xml(score)}</textString>"
        result = f"<result><resultScore>{text}</resultScore>{more}</result>"
    guid = f"<sourcedGUID><sourcedId>{xml(sourced_id)}</sourcedId></sourcedGUID>"
    return envelope(
        f"<{operation}Request><resultRecord>{guid}{result}</resultRecord></{operation}Request>",
        message_id,
    )


def envelope(inner: str, message_id: str = "m-1", ns: str = NS) -> bytes:
    """A request envelope around any body."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><imsx_POXEnvelopeRequest xmlns="{ns}">'
        "<imsx_POXHeader><imsx_POXRequestHeaderInfo><imsx_version>V1.0</imsx_version>"
        f"<imsx_messageIdentifier>{xml(message_id)}</imsx_messageIdentifier>"
        "</imsx_POXRequestHeaderInfo></imsx_POXHeader>"
        f"<imsx_POXBody>{inner}</imsx_POXBody></imsx_POXEnvelopeRequest>"
    ).encode()


def reply_document(
    major: str,
    reference: str,
    description: str = "",
    severity: str = "status",
    read: str | None = None,
    minor: str = "",
) -> bytes:
    """What an LMS answers; `read` is the score that it tells."""
    said = (
        ""
        if read is None
        else (
            "<readResultResponse><result><resultScore><language>en</language>"
            f"<textString>{read}</textString></resultScore></result></readResultResponse>"
        )
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><imsx_POXEnvelopeResponse xmlns="{NS}">'
        "<imsx_POXHeader><imsx_POXResponseHeaderInfo><imsx_version>V1.0</imsx_version>"
        "<imsx_messageIdentifier>r-1</imsx_messageIdentifier><imsx_statusInfo>"
        f"<imsx_codeMajor>{major}</imsx_codeMajor><imsx_severity>{severity}</imsx_severity>"
        f"<imsx_codeMinor>{minor}</imsx_codeMinor>"
        f"<imsx_description>{xml(description)}</imsx_description>"
        f"<imsx_messageRefIdentifier>{xml(reference)}</imsx_messageRefIdentifier>"
        "</imsx_statusInfo></imsx_POXResponseHeaderInfo></imsx_POXHeader>"
        f"<imsx_POXBody>{said}</imsx_POXBody></imsx_POXEnvelopeResponse>"
    ).encode()


def element(root: ElementTree.Element, path: str) -> ElementTree.Element | None:
    """The element at a path of names of the POX namespace."""
    return root.find("/".join(f"{{{NS}}}{name}" for name in path.split("/")))


def words(root: ElementTree.Element, path: str) -> str | None:
    """The text at a path, None when there is no such element."""
    found = element(root, path)
    return None if found is None else found.text or ""
