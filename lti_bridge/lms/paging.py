"""Reading a list from an LMS page by page: not forever, and never from another server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from lti_bridge.errors import DeliveryRefused
from lti_bridge.lms import answers
from lti_bridge.lti import ags
from lti_bridge.net import Response

MAX_PAGES = 50


class Call(Protocol):
    """One request with a token of one registration."""

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Return the answer; raises as `Tokens.call`."""


def pages(
    call: Call,
    address: str,
    accept: str,
    what: str,
    first: Response | None = None,
    limit: int = MAX_PAGES,
) -> Iterator[bytes]:
    """The bodies of all pages, following rel="next" as the LMS writes it; `first` is there already.

    The token goes to the server of the first page only. Raises DeliveryRefused for pages that
    repeat, have no end or are elsewhere, and for an answer that is none, the error of `answers`.
    """
    seen: set[str] = set()
    url = address
    while url:
        if url in seen or len(seen) == limit:
            raise DeliveryRefused(f"{what}: the pages have no end")
        if origin(url) != origin(address):
            raise DeliveryRefused(f"{what}: the next page is on another server")
        seen.add(url)
        reply = first or call("GET", url, {"Accept": accept})
        first = None
        if answers.read(reply).meaning != "taken":
            raise answers.refusal(reply, what)
        yield reply.body
        following = ags.next_link(reply.headers.get("Link", ""))
        url = _joined(url, following) if following else ""


def _joined(url: str, following: str) -> str:
    try:
        return urljoin(url, following)
    except ValueError:
        raise DeliveryRefused("the address of a next page cannot be read") from None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises DeliveryRefused for what cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise DeliveryRefused("an address of the LMS that cannot be read") from None
    return parts.scheme, parts.hostname or "", port
