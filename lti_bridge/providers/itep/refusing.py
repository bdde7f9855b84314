"""What an answer to an order says when it is not the documented one: no, or nobody knows."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_NO = re.compile(
    "error|fail|refus|reject|denied|invalid|reason|message|detail|fault", re.IGNORECASE
)
_SUCCESS = re.compile("success|ok|status|result", re.IGNORECASE)
_FALSE = frozenset({"false", "error", "failed", "failure", "refused", "rejected", "denied", "0"})
# What a test ID could look like ("123982B8AP" in the document): a word with a digit.
_ID = re.compile(r"(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{6,40}")


def says_no(body: bytes, sent: Collection[str]) -> bool:
    """Whether an answer without a test ID at its place is certainly a refusal.

    A sentence is one, and so is a document that says why, or says no. Nothing, a page in HTML and
    a document that has what could be a test ID somewhere else leave open whether one was taken:
    ordering again might cost another one. What was `sent` and comes back is no test ID.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return bool(text) and not text.startswith("<") and _is_sentence(text)
    if isinstance(document, str):
        return _is_sentence(document)
    pairs = [*_leaves(document)]
    no = any(_NO.search(name) and value not in ("", "None", "False") for name, value in pairs)
    no = no or any(_SUCCESS.search(n) and v.lower() in _FALSE for n, v in pairs)
    strangers = [v for n, v in pairs if _ID.fullmatch(v) and v not in sent and not _NO.search(n)]
    return no and not strangers


def names_another(document: Any, order: Mapping[str, Any]) -> bool:
    """Whether an answer names another candidate than the order was for."""
    sent = dict(_leaves(order))
    sent["OID"] = sent.get("trExternal_ID", "")
    for name, value in _leaves(document):
        own = sent.get(name, "")
        if name in _PERSONAL and own and value and value.casefold() != own.casefold():
            return True
    return False


_PERSONAL = frozenset({"OID", "trExternal_ID", "customer-candidate-id", "email", "Email"})


def _is_sentence(text: str) -> bool:
    return " " in text.strip() and any(one.isalpha() for one in text)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, str(key))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, name)
    else:
        yield name, str(value)
