"""LTI 1.1 messages as broken senders make them, each with the cause that has to be found.

The signatures are made here, from RFC 5849; nothing of the bridge's own signing is used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

from tests.flow.campus11 import Campus, Pairs, changed, enc
from tests.flow.scene import TWIN_SECRET

ALIAS = "tests.example.edu"
Escape = Callable[[str], str]


@dataclass(frozen=True)
class Sent:
    """What a sender sends: the form, the query of its address, and headers."""

    fields: Pairs
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Signing:
    """How a sender signs; the defaults are right."""

    url: str = ""
    key: bytes = b""
    http: str = "POST"
    hashed: str = "sha1"
    escape: Escape = enc
    order: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] = sorted
    write: Callable[[bytes], str] = lambda digest: base64.b64encode(digest).decode()


def signature(campus: Campus, pairs: Pairs, how: Signing, query: str = "") -> str:
    """The signature of this sender over these parameters, and those of the query."""
    parts = urlsplit(how.url or campus.url)
    every = [*parse_qsl(query, keep_blank_values=True), *pairs]
    escaped = how.order([(how.escape(name), how.escape(value)) for name, value in every])
    normal = "&".join(f"{name}={value}" for name, value in escaped)
    base = f"{how.http}&{enc(f'{parts.scheme}://{parts.netloc}{parts.path}')}&{enc(normal)}"
    key = how.key or f"{enc(campus.secret)}&".encode()
    return how.write(hmac.new(key, base.encode(), getattr(hashlib, how.hashed)).digest())


def signed(
    campus: Campus,
    how: Signing | None = None,
    before: dict[str, str | None] | None = None,
    after: dict[str, str | None] | None = None,
    **also: str,
) -> Sent:
    """A launch signed like this, with fields changed before signing, and after it."""
    fields = campus.fields(**(before or {}))
    query = also.get("query", "")
    made = signature(campus, fields, how or Signing(), also.get("signed_query", query))
    return Sent([*changed(fields, after or {}), ("oauth_signature", made)], query)


def key_of(secret: str) -> bytes:
    """The key of the HMAC for a secret."""
    return f"{enc(secret)}&".encode()


def by(secret: str) -> Callable[[Campus], Sent]:
    """A launch signed with another secret."""
    return lambda campus: signed(campus, Signing(key=key_of(secret.format(own=campus.secret))))


def at(change: Callable[[str], str]) -> Callable[[Campus], Sent]:
    """A launch signed for another address."""
    return lambda campus: signed(campus, Signing(url=change(campus.url)))


def other_scheme(url: str) -> str:
    """The address by https, or by http."""
    http, https = "http://", "https://"
    return url.replace(https, http) if url.startswith(https) else url.replace(http, https)


def without_port(url: str) -> str:
    """The address without its port."""
    return re.sub(r":\d+/", "/", url)


def elsewhere(url: str) -> str:
    """The same page under the name of a proxy."""
    return re.sub(r"//[^/]+/", f"//{ALIAS}/", url)


def behind_proxy(campus: Campus) -> Sent:
    """Signed for the name that a proxy has, which says so in a header."""
    made = signed(campus, Signing(url=elsewhere(campus.url)))
    return Sent(made.fields, headers={"X-Forwarded-Host": ALIAS})


def in_a_folder(campus: Campus) -> Sent:
    """Signed for an address in a folder, which is in the message too."""
    url = campus.url.replace("/lti/launch", "/tools/bridge/lti/launch")
    return signed(campus, Signing(url=url), {"custom_tool_address": url})


def unsorted(campus: Campus) -> Sent:
    """Signed in the order of the form."""
    return signed(campus, Signing(order=list))


def javascript(text: str) -> str:
    """encodeURIComponent."""
    return quote(text, safe="-_.!~*'()")


def in_latin(text: str) -> str:
    """Escaped in Latin-1."""
    return quote(text.encode("latin-1"), safe="-._~")


def without_empty(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sorted, and those left out that have no value."""
    return sorted(pair for pair in pairs if pair[1])


def stale(campus: Campus) -> Sent:
    """Signed two hours ago."""
    earlier = int(dict(campus.fields())["oauth_timestamp"]) - 7200
    return signed(campus, before={"oauth_timestamp": str(earlier)})


def plain_ampersand(campus: Campus) -> Sent:
    """The secret in the key as it is, which has an & in it."""
    return signed(campus, Signing(key=f"{campus.secret}&".encode()))


def unsigned(campus: Campus) -> Sent:
    """A form without anything of OAuth."""
    return Sent([pair for pair in campus.fields() if not pair[0].startswith("oauth_")])


def key_named(key: str) -> Callable[[Campus], Sent]:
    """Signed with the right secret, under another key."""

    def make(campus: Campus) -> Sent:
        named = key.format(own=campus.key, capitals=campus.key.title())
        return signed(campus, before={"oauth_consumer_key": named})

    return make


def swapped(campus: Campus) -> Sent:
    """Key and secret each in the field of the other."""
    how = Signing(key=key_of(campus.key))
    return signed(campus, how, {"oauth_consumer_key": campus.secret})


@dataclass(frozen=True)
class Broken:
    """One broken launch: what makes it, how it is answered, and what its first finding has.

    In `says` {lms} and {key} stand for the sender's; `also` are the checks of further reasons.
    """

    make: Callable[[Campus], Sent]
    check: str
    says: tuple[str, ...]
    answer: tuple[int, str] = (401, "signature")
    also: tuple[str, ...] = ()

    def missing(self, said: str, **own: str) -> list[str]:
        """What is not said."""
        return [one for one in self.says if one.format(**own) not in said]


QUERY = "custom_module=7&tag="
DESCRIPTION = "First line\r\nsecond line"
TITLE = "Don't panic (yet)!"
SECRET = "the secret of LMS '{lms}'"
BROKEN11: dict[str, Broken] = {
    "scheme": Broken(at(other_scheme), "scheme", ("signed for",)),
    "host behind a proxy": Broken(behind_proxy, "host", (ALIAS,)),
    "port left out": Broken(at(without_port), "port", ("signed for 'http://127.0.0.1/lti",)),
    "slash at the end": Broken(at(lambda url: f"{url}/"), "path", ("/lti/launch/'",)),
    "folder of a proxy": Broken(in_a_folder, "path", ("/tools/bridge/lti/launch",)),
    "query twice": Broken(
        lambda c: signed(c, query=QUERY, signed_query=f"{QUERY}&{QUERY}"), "query", ("twice",)
    ),
    "query not signed": Broken(
        lambda c: signed(c, query=QUERY, signed_query=""), "query", ("not signed",)
    ),
    "space after the secret": Broken(by("{own} "), "secret", (SECRET, "a space after it")),
    "line end after the secret": Broken(by("{own}\n"), "secret", (SECRET, "a line end after it")),
    "space before the secret": Broken(by(" {own}"), "secret", (SECRET, "a space before it")),
    "secret of another LMS": Broken(
        by(TWIN_SECRET), "secret", (SECRET, "signed with the secret of LMS 'twin11'")
    ),
    "secret not escaped": Broken(plain_ampersand, "secret", ("not escaped",)),
    "key and secret swapped": Broken(
        swapped, "consumer key", ("'{key}'", "the secret of LMS '{lms}'"), also=("secret",)
    ),
    "key in capitals with a space": Broken(
        key_named("{capitals} "), "consumer key", ("'{key}'", "white space")
    ),
    "key misspelt": Broken(key_named("{own}s"), "consumer key", ("'{key}'", "another spelling")),
    "key of nobody": Broken(
        key_named("zzz"), "consumer key", ("no configured key",), also=("secret",)
    ),
    "clock": Broken(stale, "clock", ("5400 s", "7200 s behind")),
    "parameter added": Broken(
        lambda c: signed(c, after={"launch_button": "Open"}),
        "parameter added",
        ("'launch_button'",),
    ),
    "parameter removed": Broken(
        lambda c: signed(
            c, before={"lis_person_sourcedid": ""}, after={"lis_person_sourcedid": None}
        ),
        "parameter removed",
        ("lis_person_sourcedid", "did not come"),
    ),
    "empty parameters not signed": Broken(
        lambda c: signed(
            c,
            Signing(order=without_empty),
            {"resource_link_description": "", "launch_presentation_locale": ""},
        ),
        "empty parameters",
        ("without those that are empty",),
    ),
    "plus sign became a space": Broken(
        lambda c: signed(c, before={"context_title": "C+"}, after={"context_title": "C "}),
        "encoding",
        ("'context_title'", "+ where a space came"),
    ),
    "line ends": Broken(
        lambda c: signed(
            c,
            before={"resource_link_description": DESCRIPTION.replace("\r\n", "\n")},
            after={"resource_link_description": DESCRIPTION},
        ),
        "encoding",
        ("LF line ends",),
    ),
    "decoded once more": Broken(
        lambda c: signed(
            c, before={"context_title": "5%25 off"}, after={"context_title": "5% off"}
        ),
        "encoding",
        ("'context_title'",),
    ),
    "Latin-1": Broken(
        lambda c: signed(c, Signing(escape=in_latin), {"lis_person_name_given": "Zoë"}),
        "encoding",
        ("Latin-1",),
    ),
    "escaped as in JavaScript": Broken(
        lambda c: signed(c, Signing(escape=javascript), {"context_title": TITLE}),
        "escaping",
        ("left as they are",),
    ),
    "not sorted": Broken(unsorted, "order", ("the order of the form",)),
    "method": Broken(
        lambda c: signed(c, Signing(hashed="sha256"), {"oauth_signature_method": "HMAC-SHA256"}),
        "signature method",
        ("HMAC-SHA1", "HMAC-SHA256"),
    ),
    "another hash than it says": Broken(
        lambda c: signed(c, Signing(hashed="sha256")),
        "signature method",
        ("signed by HMAC-SHA256",),
    ),
    "signed for GET": Broken(
        lambda c: signed(c, Signing(http="GET")), "HTTP method", ("signed for GET",)
    ),
    "signature in hex": Broken(
        lambda c: signed(c, Signing(write=bytes.hex)), "signature", ("another writing",)
    ),
    "scheme, and a line end after the secret": Broken(
        lambda c: signed(c, Signing(url=other_scheme(c.url), key=key_of(f"{c.secret}\n"))),
        "scheme",
        ("signed for",),
        also=("secret",),
    ),
    "not signed at all": Broken(
        unsigned, "oauth parameters", ("without oauth_consumer_key",), (400, "bad-request")
    ),
    "version": Broken(
        lambda c: signed(c, before={"lti_version": "LTI-2p0"}),
        "lti_version",
        ("LTI-1p0", "'LTI-2p0'"),
        (400, "message"),
    ),
    "message type": Broken(
        lambda c: signed(c, before={"lti_message_type": "ToolProxyRegistrationRequest"}),
        "lti_message_type",
        ("basic-lti-launch-request", "'ToolProxyRegistrationRequest'"),
        (400, "message"),
    ),
    "no link": Broken(
        lambda c: signed(c, before={"resource_link_id": None}),
        "link",
        ("one resource_link_id",),
        (400, "message"),
    ),
}
