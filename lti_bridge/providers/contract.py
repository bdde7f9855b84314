"""What a kind of provider is: a folder under providers/ with a `KIND`.

A kind is data (its settings models, what it needs to know of a learner) and one function that
builds a `core.ports.Provider` from a connection's settings. Adding a kind is one new folder;
docs/adding-a-provider.md walks through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lti_bridge.core.ports import Provider
from lti_bridge.errors import NetworkRefused
from lti_bridge.net import Response


class Send(Protocol):
    """Sends one HTTP request, as net.Client does."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """The answer. Raises NetworkRefused, NetworkFailed, AnswerLost or ProviderBusy."""


def _offline(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Response:
    raise NetworkRefused("no network here")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider gets from the bridge.

    `new_nonce` returns a fresh unguessable text; `connection` is the connection's name; `send` is
    net.Client.send with the connection's timeout and at most its `max_in_flight` calls at a time;
    `next_number(name)` counts up durably, shared by all processes, starting at 1, and
    `last_number(name)` tells how far it is;
    `reserve(slot, learner, attempt, seats)` takes a seat once, False when none is left or the
    learner has one, and `give_back(attempt)` frees all that an attempt holds; `sign(text)` is a
    MAC of this connection, for values that come back;
    `hook_url` is the connection's own hook address, with its secret.
    """

    clock: Callable[[], datetime]
    new_nonce: Callable[[], str]
    public_url: str
    name: str
    connection: str = ""
    send: Send = _offline
    next_number: Callable[[str], int] = lambda name: 0
    last_number: Callable[[str], int] = lambda name: 0
    reserve: Callable[[str, str, str, int], bool] = lambda *args: True
    give_back: Callable[[str], None] = lambda attempt: None
    sign: Callable[[str], str] = lambda text: ""
    hook_url: str = ""


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
    of a person without which the provider refuses a candidate, `wants` those that it can use
    besides: both leave where the connection has no privacy rule. `hidden` are parameters whose
    values are shown to nobody. `capabilities` gives names of core.capabilities for a connection's
    settings. `repeatable` says for an activity's settings whether starting an attempt twice at
    the provider gives the same one and costs nothing more. `credentials` are for the LTI 1.1
    outcome service, where it is used.
    """

    name: str
    title: str
    connection: Callable[[Mapping[str, Any]], Any]
    activity: Callable[[Mapping[str, Any], Any], Any]
    inline: Callable[[Mapping[str, str], Any], Any]
    build: Callable[[Any, Tools], Provider]
    needs: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    capabilities: Callable[[Any], frozenset[str]] = lambda settings: frozenset()
    repeatable: Callable[[Any], bool] = lambda settings: False
    hidden: frozenset[str] = frozenset()
    credentials: Callable[[Any], Credentials | None] = lambda settings: None
