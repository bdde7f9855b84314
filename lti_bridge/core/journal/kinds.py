"""The kinds of hops: between whom each one is, and what it is called for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Way = Literal["from-lms", "to-lms", "from-provider", "to-provider", "here"]


@dataclass(frozen=True, slots=True)
class Kind:
    """`way` is who spoke to whom, `words` what it is; a `click` is one that a person made."""

    way: Way
    words: str
    click: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "login": Kind("from-lms", "login before a launch", click=True),
        "launch": Kind("from-lms", "launch", click=True),
        "deep-linking": Kind("from-lms", "launch that asks for links", click=True),
        "review": Kind("from-lms", "launch of a submission review", click=True),
        "go-on": Kind("from-lms", "further click", click=True),
        "page": Kind("from-lms", "page, read again", click=True),
        "choice": Kind("from-lms", "step of setting a test up", click=True),
        "register": Kind("from-lms", "registration of an LMS", click=True),
        "notice": Kind("from-lms", "notice"),
        "start": Kind("to-provider", "start of the test"),
        "authorize": Kind("from-provider", "tool comes for its launch", click=True),
        "chosen": Kind("from-provider", "choice made at the tool", click=True),
        "return": Kind("from-provider", "way back from the provider", click=True),
        "outcome": Kind("from-provider", "grade message (Basic Outcome)"),
        "score": Kind("from-provider", "score (AGS)"),
        "hook": Kind("from-provider", "callback"),
        "token": Kind("from-provider", "request for a token"),
        "service": Kind("from-provider", "request to a service of the platform"),
        "tool-register": Kind("from-provider", "registration of a tool"),
        "poll": Kind("to-provider", "question about an attempt"),
        "delivery": Kind("to-lms", "grade to the gradebook"),
        "look": Kind("to-lms", "look at the gradebook"),
        "left-out": Kind("here", "left out: too many in one minute"),
    }
)
CLICKS = tuple(name for name, kind in KINDS.items() if kind.click)
