"""Documents and paths as configuration: JSON text with {placeholders}, and names with dots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Values = Mapping[str, str | list[str]]


def check_body(text: str, known: Iterable[str]) -> str:
    """The text itself; raises ValueError unless it is a JSON object with known placeholders."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError('must be a JSON object with the {placeholders} inside quotes: "{name}"')
    _check(" ".join(_texts(document)), known)
    return text


def check_path(path: str, known: Iterable[str]) -> str:
    """The path itself; raises ValueError unless it begins with / and has known placeholders."""
    _check(path, known)
    if not re.fullmatch(r"/[!-~]*", path) or "#" in path or path.startswith("//"):
        raise ValueError("must begin with one / and hold no spaces and no #")
    return path


def body(text: str, values: Values, more: Mapping[str, str]) -> bytes:
    """The JSON document of a template; whatever a value holds, it stays inside its text.

    `more` are further members of the object.
    """
    return json.dumps({**_filled(json.loads(text), values), **more}).encode("ascii")


def path(text: str, values: Values) -> str:
    """The path of a template, its values encoded."""
    return _PLACEHOLDER.sub(lambda found: quote(_text(values.get(found[1], "")), safe=""), text)


def at(document: Any, names: str) -> Any:
    """What stands at a path of names and list indexes with dots between; None: nothing."""
    for name in names.split("."):
        if isinstance(document, list) and re.fullmatch("[0-9]{1,6}", name):
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document


def _check(text: str, known: Iterable[str]) -> None:
    names = set(known)
    for name in _PLACEHOLDER.findall(text):
        if name not in names:
            possible = ", ".join(sorted(names))
            raise ValueError(f"{{{name[:40]}}} is no placeholder here; possible are {possible}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _filled(value: Any, values: Values) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, values) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, values) for part in value]
    if not isinstance(value, str):
        return value
    alone = _PLACEHOLDER.fullmatch(value)
    if alone and isinstance(values.get(alone[1]), list):
        return values[alone[1]]
    return _PLACEHOLDER.sub(lambda found: _text(values.get(found[1], "")), value)


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ",".join(value)
