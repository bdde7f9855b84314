"""What a kind of provider is: a folder under providers/ with a `KIND`.

A kind is data (its settings models, what it needs to know of a learner) and one function that
builds a `core.ports.Provider` from a connection's settings. Adding a kind is one new folder;
docs/adding-a-provider.md walks through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lti_bridge.core.ports import Provider


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider gets from the bridge. `new_nonce` returns a fresh unguessable text."""

    clock: Callable[[], datetime]
    new_nonce: Callable[[], str]
    public_url: str
    name: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """The LTI 1.1 key and secret by which a provider signs its grade messages."""

    consumer_key: str
    shared_secret: str
    method: str = "HMAC-SHA1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider.

    `connection` validates a connection's own keys, `activity` an activity's settings (for that
    connection), and `inline` picks an activity's settings out of a link's custom parameters;
    all three return typed settings and raise pydantic's ValidationError. `needs` are the fields
    of a person without which the provider refuses a candidate; `hidden` are parameters whose
    values are shown to nobody. `credentials` are for the LTI 1.1
    outcome service, where it is used.
    """

    name: str
    title: str
    connection: Callable[[Mapping[str, Any]], Any]
    activity: Callable[[Mapping[str, Any], Any], Any]
    inline: Callable[[Mapping[str, str], Any], Any]
    build: Callable[[Any, Tools], Provider]
    needs: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    credentials: Callable[[Any], Credentials | None] = lambda settings: None
