"""An LMS's own words for why it did not do something, fit to be kept and shown.

They are for the person who has to act, so what they say stays; what they may repeat of a secret
or of a learner goes. Content types say nothing (Moodle: text/html for everything), so the body
alone is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from lti_bridge.errors import DeliveryFailed
from lti_bridge.lti import outcomes

LIMIT = 300  # characters of a reason
READ = 16_384  # bytes of an answer in which its reason is looked for
GONE = "[redacted]"
DEPTH = 4  # of objects and lists within each other

# In this order: OAuth 2.0, RFC 9457, what LMSs call it, and what is better than nothing.
_NAMES = (
    *("error_description", "detail", "message", "errorMessage", "errorDescription"),
    *("imsx_description", "description", "reason", "errors", "error", "title"),
)
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|form)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<>]{1,200})</title", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]{0,200}>", re.IGNORECASE)

_PERSON = r"(?:user|student|learner|member|person|participant|candidate|teacher)"
_INNOCENT = re.compile(
    r"(?:account|assignment|been|can|cannot|class|closed|concluded|course|deleted|disabled|does"
    r"|enrol\w*|exists?|expired|for|found|grad\w+|group|ha[sv]e?|id|identifier|in|inactive|invalid"
    r"|is|item|line|missing|must|name|no|not|of|or|out|requested|role|scores?|section|submission|the"
    r"|this|tool|unknown|was|with|are)"
)
_NAMED = re.compile(
    rf"(\b(?i:{_PERSON})\b[\s:,-]{{1,3}})((?:[A-ZÀ-Þ][\w'’.-]*)(?: [A-ZÀ-Þ][\w'’.-]*){{1,3}})"
)
_QUOTED = re.compile(
    rf"(\b{_PERSON}(?:\s+named?)?[\s:]{{1,3}})[\"'“‘]([^\"'“”‘’]{{1,200}})[\"'”’]", re.IGNORECASE
)
_KEY = (
    r"(?:[\w-]{0,30}(?:secret|passw(?:or)?d|token|signature|assertion|cookie|session|nonce)"
    r"|[\w-]{0,30}sourced_?id|api_?key)"
)
_REDACTIONS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"eyJ[\w-]{8,}(?:\.[\w-]*)*", GONE),
        (r"\b(bearer|basic)\s+(?=[^\s]{0,200}[\d=._~+/-])[^\s\"',;]{6,}", rf"\1 {GONE}"),
        # an address may name a learner, but which machine it leads to is no secret
        (r"\b(https?://)(?!purl\.imsglobal\.org/)(?:[^\s/@\"']{1,200}@)?"
         r"([\w.:\[\]-]{1,200})(?:[/?#][^\s\"'<>]*)?", r"\1\2/…"),
        (r"(purl\.imsglobal\.org/[\w./-]{0,200})[?#][^\s\"']*", r"\1"),
        (r"[\w.!#$&'*+=?^`{|}~%-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)*", GONE),
        (rf"\b({_KEY}[\"']?\s*(?:=|%3D)\s*[\"']?)[^\s&\"',;}}]+", rf"\1{GONE}"),
        # "token: expired" is no secret; one has digits, or is longer than words are
        (
            rf"\b({_KEY}[\"']?\s*:\s*[\"']?)(?=\S{{0,200}}\d|\S{{20}})[^\s&\"',;}}]+",
            rf"\1{GONE}",
        ),
        # ids of databases, tokens: nothing that anybody reads
        (r"(?<![\w/.+-])(?=(?:[a-z_+-]{0,60}\d){3})[\w+-]{20,}={0,2}", GONE),
    )
)  # fmt: skip


def is_page(body: bytes) -> bool:
    """Whether a body is a page for a browser: of a login, a portal, or of maintenance.

    A message that PHP has put before an answer is none, and neither is JSON that quotes one.
    """
    begun = body[:READ].lstrip(b"\xef\xbb\xbf \t\r\n")
    return not begun.startswith((b"{", b"[")) and bool(_PAGE.search(begun))


def told_error(body: bytes) -> bool:
    """Whether a body is JSON that says, whatever the status, that something is wrong."""
    value = _json(body) if len(body) <= READ else None
    if not isinstance(value, dict):
        return False
    return bool(value.get("error") or value.get("errors")) or value.get("success") is False


def reason(body: bytes, private: Collection[str] = ()) -> str:
    """Why, in the LMS's words: one line of at most LIMIT characters; empty when it says nothing.

    `private` are texts of the request that must not come back: ids of a learner or of a cell.
    """
    return clean(_words(body), private)


def clean(text: str, private: Collection[str] = ()) -> str:
    """A text on one line, bounded, without secrets, addresses, names and what is `private`."""
    text = " ".join(_TAG.sub(" ", text[: 4 * LIMIT]).split())
    for word in sorted(filter(None, private), key=len, reverse=True):
        text = _without(text, word)
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    for named in (_NAMED, _QUOTED):
        text = named.sub(_unnamed, text)
    text = "".join(one for one in text if one.isprintable())
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"


def _without(text: str, word: str) -> str:
    """A short id, "4", is taken away only where it names somebody."""
    before = "(?<![\\w.])" if len(word) > 3 else rf"\b({_PERSON}|id|user_?id)\b\W{{1,3}}"
    found = re.compile(rf"({before}){re.escape(word)}(?!\w)", re.IGNORECASE)
    return found.sub(lambda match: match[1] + GONE, text)


def _unnamed(match: re.Match[str]) -> str:
    """A name after User, unless one of its words is what Messages In Capitals are made of."""
    words = [word.strip(".'’-").casefold() for word in match[2].split()]
    return match[0] if any(map(_INNOCENT.fullmatch, words)) else match[1] + GONE


def _words(body: bytes) -> str:
    value = _json(body)
    if value is not None:
        return "; ".join(dict.fromkeys(_of_json(value, DEPTH)))
    if is_page(body):
        title = _TITLE.search(body[:READ].decode("utf-8", "replace"))
        return f"a web page, “{' '.join(title[1].split())}”" if title else "a web page"
    if b"<imsx_" in body or b":imsx_" in body:
        try:
            return outcomes.parse_response(body).description
        except DeliveryFailed:
            return ""
    return body[:READ].decode("utf-8", "replace")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body[:1] in b"{[ \t\r\n\xef" else None
    except (ValueError, RecursionError):
        return None


def _of_json(value: object, depth: int) -> Iterator[str]:
    """The texts of the first member that has any; of a list, those of its members."""
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif depth and isinstance(value, list):
        for one in value[:5]:
            yield from _of_json(one, depth - 1)
    elif depth and isinstance(value, dict):
        yield from _of_object(value, depth)


def _of_object(value: dict[str, Any], depth: int) -> Iterator[str]:
    code = value.get("error")
    for name in _NAMES:
        if found := list(_of_json(value.get(name), depth - 1)):
            if name == "error_description" and isinstance(code, str) and code:
                found[0] = f"{code}: {found[0]}"
            yield from found
            return
    if depth < DEPTH:  # {"errors": {"maximum": ["must be above zero"]}}
        for one in list(value.values())[:5]:
            yield from _of_json(one, depth - 1)
