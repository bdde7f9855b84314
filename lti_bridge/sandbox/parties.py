"""All pretend parties, found by their folders: each folder here with a `party.py` has `PARTIES`.

`lti-bridge sandbox` starts them alone, `lti-bridge demo` with a bridge in their midst.
"""

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from lti_bridge.sandbox.serving import Builder

MIDDLE = 50  # where those stand that do not care


@dataclass(frozen=True)
class Link:
    """A link of the demo's course: its activity, its title, and what to know before."""

    activity: str
    title: str
    about: str


@dataclass(frozen=True)
class Desk:
    """A page of a party where somebody who tries it out is somebody else, such as its staff."""

    path: str
    title: str
    about: str


@dataclass(frozen=True)
class Place:
    """Who else is there: the address of each party by name, and of the bridge.

    `bridge` may be any LTI tool that the LMS is to launch; where it has other addresses than a
    bridge, `tool` has those of them that differ: launch_url, login_url, jwks_url. `custom` is
    what the course's links send where no `links` are given, `family` whose habits the LMS has.
    """

    urls: Mapping[str, str]
    bridge: str
    tool: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    family: str = "plain"


@dataclass(frozen=True)
class Party:
    """One pretend party.

    `name` is one word, `what` says in a sentence what it pretends to be. `build` makes its
    builder for `serving.start`, `keys` what somebody who uses it has to configure, by the words
    of the party's own documents, where it is served at an address. `links` are its tests in the
    demo's course, whose activities stand in the kind's demo.toml; `rank` says where.
    """

    name: str
    what: str
    build: Callable[[Place], Builder]
    keys: Callable[[str, Place], Mapping[str, str]]
    links: tuple[Link, ...] = ()
    desks: tuple[Desk, ...] = ()
    rank: int = MIDDLE


@cache
def parties() -> Mapping[str, Party]:
    """All of them by name, in the order in which people see them."""
    found: list[Party] = []
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        name = f"lti_bridge.sandbox.{module.name}"
        if module.ispkg and find_spec(f"{name}.party"):
            found += import_module(f"{name}.party").PARTIES
    return {party.name: party for party in sorted(found, key=lambda party: party.rank)}


def course(names: Iterable[str]) -> tuple[Link, ...]:
    """The links to tests of these parties."""
    return tuple(link for name in names for link in parties()[name].links)


def desks(place: Place) -> tuple[Desk, ...]:
    """The desks of those who are there, with their whole addresses as `path`."""
    return tuple(
        Desk(place.urls[name] + desk.path, desk.title, desk.about)
        for name, party in parties().items()
        if name in place.urls
        for desk in party.desks
    )
