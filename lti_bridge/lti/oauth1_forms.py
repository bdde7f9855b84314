"""What may have happened to the parameters of a signed message between signing and here."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from lti_bridge.errors import Finding
from lti_bridge.lti import claims, oauth1
from lti_bridge.lti.oauth1_changes import Change, escaped

Pair = tuple[str, str]

SIGNED = "the parameters as the sender signs them"
_AND = b"%26"
_LINE_END = re.compile(r"\r\n|\r|\n")
_HEX = re.compile(r"%[0-9A-F]{2}")
_KNOWN = frozenset(row[0] for row in claims.TABLE) | {
    *("lti_message_type", "lti_version", "context_type", "role_scope_mentor", "roles"),
    *("launch_presentation_document_target", "launch_presentation_width"),
    *("launch_presentation_height", "content_item_return_url", "data"),
}
_OFTEN = (
    ("oauth_callback", "about:blank"),
    ("oauth_callback", ""),
    ("oauth_version", "1.0"),
    ("oauth_token", ""),
    ("lti_version", claims.LTI_11_VERSION),
    ("lti_message_type", "basic-lti-launch-request"),
)
_BROWSER = "Line ends of a form travel as CRLF, whatever the page holds: sign them so, or take line"
_BROWSER += " breaks out of the texts that the LMS sends."
_UTF8 = (
    "Names and titles travel in UTF-8, and are signed in UTF-8: correct the LMS's plugin, or what"
)
_UTF8 += " is between the LMS and the bridge."
_WAY = (
    "Something on the way changes values (a proxy, a firewall, a portal): let it pass the form on"
)
_WAY += " as it is."
_SIGNING = (
    "The LMS or its plugin makes the signature wrongly (RFC 5849, 3.4.1): update or correct it."
)


class _Recoding(NamedTuple):
    """What was another value when it was signed: `back` makes it of the one that came."""

    said: str
    remedy: str
    back: Callable[[str], str]


RECODINGS = (
    _Recoding("with LF line ends", _BROWSER, lambda text: _LINE_END.sub("\n", text)),
    _Recoding("with CRLF line ends", _BROWSER, lambda text: _LINE_END.sub("\r\n", text)),
    _Recoding("with + where a space came", _WAY, lambda text: text.replace(" ", "+")),
    _Recoding("with a space where + came", _WAY, lambda text: text.replace("+", " ")),
    _Recoding("before it was decoded once more", _WAY, lambda text: quote(text, safe="")),
    _Recoding("with %25 where % came", _WAY, lambda text: text.replace("%", "%25")),
    _Recoding("before it was encoded once more", _WAY, unquote),
    _Recoding("before it was encoded once more, with + for a space", _WAY, unquote_plus),
    _Recoding("before its UTF-8 was read as Latin-1", _UTF8, lambda text: _read_as_utf8(text)),
    _Recoding("after its UTF-8 was read as Latin-1", _UTF8, lambda text: _read_as_latin(text)),
    _Recoding("before < > & were escaped as in HTML", _WAY, html.unescape),
    _Recoding("after < > & were escaped as in HTML", _WAY, html.escape),
    _Recoding("without the white space around it", _WAY, str.strip),
    _Recoding("without backslashes", _WAY, lambda text: re.sub(r"\\(['\"\\])", r"\1", text)),
    _Recoding("as composed Unicode", _UTF8, lambda text: unicodedata.normalize("NFC", text)),
    _Recoding("as decomposed Unicode", _UTF8, lambda text: unicodedata.normalize("NFD", text)),
)
# Other ways of escaping, on texts that are escaped as RFC 5849 has it.
ESCAPES = (
    _Recoding("with ! ' ( ) * left as they are", _SIGNING, lambda text: _spared(text)),
    _Recoding("with + for a space", _SIGNING, lambda text: text.replace("%20", "+")),
    _Recoding("with / left as it is", _SIGNING, lambda text: text.replace("%2F", "/")),
    _Recoding("with ~ escaped", _SIGNING, lambda text: text.replace("~", "%7E")),
    _Recoding("with small hex digits", _SIGNING, lambda text: _HEX.sub(_small, text)),
)


class Parameters:
    """The parameters of one message, escaped and sorted once.

    The first `query` of them are of its address.
    """

    def __init__(self, pairs: oauth1.Params, url: str) -> None:
        self.pairs = list(pairs)
        self.query = len(oauth1.query_pairs(url))
        self.url = url
        texts = iter(oauth1.escape_all([text for pair in pairs for text in pair]))
        self.came = list(zip(texts, texts, strict=True))
        self.ordered = sorted(self.came)
        pieces = [joined([pair]) for pair in self.ordered]
        self.bytes = _AND.join(pieces)
        # where each piece ends, with what joins it to the next
        self._ends = list(accumulate(len(piece) + len(_AND) for piece in pieces))

    def without(self, place: int) -> bytes:
        """All but the one that came at this place."""
        at = bisect_left(self.ordered, self.came[place])
        begin, end = self._ends[at - 1] if at else 0, self._ends[at]
        return (self.bytes[:begin] + self.bytes[end:]).removesuffix(_AND)

    def instead(self, place: int, value: str) -> bytes:
        """All, with this value, escaped, in the place of another."""
        left = list(self.ordered)
        name = self.came[place][0]
        del left[bisect_left(left, self.came[place])]
        insort(left, (name, value))
        return joined(left)

    def of(self, keep: Callable[[int, str, str], bool]) -> bytes:
        """Those for whose place, name and value `keep` says yes."""
        chosen = [keep(place, *pair) for place, pair in enumerate(self.pairs)]
        return joined(sorted(one for one, yes in zip(self.came, chosen, strict=True) if yes))


def joined(pairs: Sequence[Pair]) -> bytes:
    """Parameters as they stand in a base string, in this order."""
    text = "&".join([f"{name}={value}" for name, value in pairs])
    return text.replace("%", "%25").replace("&", "%26").replace("=", "%3D").encode()


def of_all(form: Parameters) -> Iterator[Change]:
    """Changes to the parameters as a whole, the likely ones first."""
    yield from _of_query(form)
    empty = "Send empty parameters as they were signed, or sign none."
    yield _change(
        "empty parameters",
        "signed without those that are empty",
        empty,
        form.of(lambda place, name, value: value != ""),
    )
    for one in RECODINGS:
        pairs = [(name, one.back(value)) for name, value in form.pairs]
        names = [new[0] for new, old in zip(pairs, form.pairs, strict=True) if new != old]
        if names:
            texts = iter(oauth1.escape_all([text for pair in pairs for text in pair]))
            params = joined(sorted(zip(texts, texts, strict=True)))
            whose = f"the value of {names[0]!r:.60} was" if len(names) == 1 else "every value was"
            yield _change("encoding", f"{whose} signed {one.said}", one.remedy, params)
    latin = [
        (name, _latin(value)) for (name, _), (_, value) in zip(form.came, form.pairs, strict=True)
    ]
    said = "every value was signed in Latin-1"
    yield _change("encoding", said, _UTF8, joined(sorted(latin)))
    for one in ESCAPES:
        pairs = sorted((one.back(name), one.back(value)) for name, value in form.came)
        text = "&".join(f"{name}={value}" for name, value in pairs)
        for params in (joined(pairs), escaped(text)):  # the second escape may be as wrong, or right
            yield _change("escaping", f"signed {one.said}", one.remedy, params)
    once = "&".join(f"{name}={value}" for name, value in form.ordered).encode()
    yield _change("escaping", "signed over parameters that were escaped once only", _SIGNING, once)
    yield _change("order", "signed in the order of the form", _SIGNING, joined(form.came))
    by_name = sorted(form.came, key=lambda pair: pair[0])
    yield _change("order", "signed in the order of the names alone", _SIGNING, joined(by_name))


def of_one(form: Parameters) -> Iterator[Change]:
    """Changes to one parameter: added on the way, taken out on the way, with another value."""
    places = sorted(range(len(form.pairs)), key=lambda place: _known(form.pairs[place][0]))
    for place in places:
        name, value = form.pairs[place]
        came = f"{name!r:.60} ({len(value)} characters) is not under the signature"
        remedy = (
            "It was added after signing (a button of the form, a plugin, a proxy): take it out"
            " there, or let the LMS sign it."
        )
        yield _change("parameter added", came, remedy, form.without(place))
    for place in places:
        name, value = form.pairs[place]
        for said, remedy, other in _values(value):
            came = f"the value of {name!r:.60} was signed {said}"
            yield _change("encoding", came, remedy, form.instead(place, other))
    have = {name for name, _ in form.pairs}
    missing = [pair for pair in _OFTEN if pair[0] not in have]
    missing += [(name, "") for name in sorted(_KNOWN - have)]
    for name, value in missing:
        pair = (name, oauth1.escape_all([value])[0])
        left = list(form.ordered)
        insort(left, pair)
        was = f"with the value {value!r}" if value else "with an empty value"
        came = f"{name} was signed {was} and did not come"
        remedy = "Something on the way leaves parameters out: let it pass the form on as it is."
        yield _change("parameter removed", came, remedy, joined(left))


def _values(value: str) -> Iterator[tuple[str, str, str]]:
    """Each other value that may have been signed: what it is, the remedy, and it, escaped."""
    for one in RECODINGS:
        other = one.back(value)
        if other != value:
            yield one.said, one.remedy, oauth1.escape_all([other])[0]
    if not value.isascii():
        yield "in Latin-1", _UTF8, _latin(value)


def _of_query(form: Parameters) -> Iterator[Change]:
    if not form.query:
        return
    twice = form.ordered + form.came[: form.query]
    remedy = "The query of the tool's address belongs under the signature once (RFC 5849, 3.4.1.3)."
    yield _change(
        "query", "the query of the address was signed twice", remedy, joined(sorted(twice))
    )
    body = form.of(lambda place, name, value: place >= form.query)
    said = "the query of the address was not signed"
    simple = f"{remedy} An address without a query works everywhere: name the activity by a custom"
    simple += " parameter."
    yield _change("query", said, simple, body)
    address, query = form.url.partition("?")[0], urlsplit(form.url).query
    for params, also in ((body, ""), (form.bytes, " and as parameters")):
        finding = Finding("query", SIGNED, f"the query was signed in the address{also}", simple)
        yield Change(finding, {"uri": escaped(f"{address}?{query}"), "params": params})


def of_groups(form: Parameters) -> Iterator[Change]:
    """Parameters of one sort, added on the way or left out of the signature."""
    groups: list[tuple[str, Callable[[str], bool]]] = [
        ("what LTI has no name for", lambda name: _known(name) > 0),
        ("those whose names begin with custom_", lambda name: not name.startswith("custom_")),
        ("those whose names begin with ext_", lambda name: not name.startswith("ext_")),
        ("all but those whose names begin with oauth_", lambda name: name.startswith("oauth_")),
    ]
    for said, keep in groups:
        params = form.of(lambda place, name, value, keep=keep: keep(name))  # type: ignore[misc]
        came = f"{said}: not under the signature"
        yield _change("parameters added", came, "Sign all that is sent, or send less.", params)


def _change(check: str, came: str, remedy: str, params: bytes) -> Change:
    return Change(Finding(check, SIGNED, came, remedy), {"params": params})


def _known(name: str) -> int:
    """How likely the sender knows it: 0 for names that neither LTI nor OAuth has."""
    if name in _KNOWN:
        return 2
    return 1 if name.startswith(("oauth_", "custom_", "ext_", "lis_", "lti_")) else 0


def _read_as_utf8(text: str) -> str:
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _read_as_latin(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("latin-1")


def _latin(value: str) -> str:
    return quote(value.encode("latin-1", "replace"), safe="~")


def _spared(text: str) -> str:
    for char in "!'()*":
        text = text.replace(f"%{ord(char):02X}", char)
    return text


def _small(found: re.Match[str]) -> str:
    return found[0].lower()
