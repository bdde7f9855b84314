"""Pages of a service's answers: what was asked for, and where the next page is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from lti_bridge.lti import ags_service

AFTER = "after"  # the parameter of a next page that says where it starts

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its body as JSON text, and the next page's address, if any."""

    body: str
    next_url: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The query of a request, each of whose parameters stands there once."""

    query: Mapping[str, list[str]]

    def value(self, name: str) -> str:
        """A parameter, empty when it is missing. Raises BadRequest when it cannot be read."""
        return ags_service.query_value(self.query.get(name, []), name)

    def limit(self) -> int:
        """How many entries a page may have. Raises BadRequest."""
        return ags_service.parse_limit(self.query.get("limit", []))

    def page(
        self, url: str, found: Sequence[Entry], kept: Sequence[str], mark: Callable[[Entry], str]
    ) -> tuple[Sequence[Entry], str]:
        """The entries of this page, and the address of the next one, empty on the last.

        `found` has one entry more than a page when there are more. The next address keeps the
        parameters named `kept` and starts after the `mark` of the last entry.
        """
        limit = self.limit()
        if len(found) <= limit:
            return found, ""
        shown = found[:limit]
        values = {name: self.value(name) for name in kept} | {AFTER: mark(shown[-1])}
        given = {name: value for name, value in values.items() if value}
        return shown, f"{url}?{urlencode({**given, 'limit': limit})}"
