"""What a kind of provider is: a folder under providers/ with a `KIND`.

A kind is data (its settings models, what it needs to know of a learner) and one function that
builds a `core.attempt.provider.Provider` from a connection's settings. Adding a kind is one new
folder; docs/adding-a-provider.md walks through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel

from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Provider, Session
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.tool.choices import Asking
from lti_bridge.core.tool.registration import Credentials, ToolRegistration
from lti_bridge.errors import ConfigurationError, NetworkRefused, Unsupported
from lti_bridge.net import Response, Send

TOOL_PREFIX = "tool_"
"""In a link that writes its activity out: `tool_quiz=42` is a tool's own parameter `quiz=42`."""
NOTHING: Mapping[str, str] = MappingProxyType({})


def _offline(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Response:
    raise NetworkRefused("no network here")


def _anybody(session: Session, *names: tuple[str, str]) -> None:
    """No database: nobody else is there."""


class LtiTool(Protocol):
    """A tool that the bridge launches as its platform, by whatever version of LTI."""

    def form(
        self, session: Session, target: str = "", declared: Mapping[str, str] = NOTHING
    ) -> Form:
        """The launch of this session; anew for every click.

        `target` is the address of one resource of the tool, if the activity has its own, and
        `declared` what its line item says beside its label, where the version has line items.
        """

    def pick(self, session: Session, asking: Asking, target: str) -> Form:
        """The message that asks the tool for links."""


class _NoTool:
    """Where settings are checked and nobody is launched."""

    def form(
        self, session: Session, target: str = "", declared: Mapping[str, str] = NOTHING
    ) -> Form:
        raise Unsupported("no LTI tool is launched here")

    def pick(self, session: Session, asking: Asking, target: str) -> Form:
        raise Unsupported("no LTI tool is launched here")


def _no_tool(*trust: Any) -> LtiTool:
    return _NoTool()


@dataclass(frozen=True, slots=True)
class Tools:
    """What a provider gets from the bridge.

    `connection` is the connection's name; `send` is
    net.Client.send with the connection's timeout and at most its `max_in_flight` calls at a time;
    `next_number(name)` counts up durably, shared by all processes, starting at 1, and
    `last_number(name)` tells how far it is;
    `reserve(slot, learner, attempt, seats)` takes a seat once, False when none is left or the
    learner has one, and `give_back(attempt)` frees all that an attempt holds; `sign(text)` is a
    MAC of this connection, for values that come back;
    `claim(session, *names)` lets the session's learner be what the provider knows people by, each
    a place and the name that is one person's there, and raises CandidateTaken when it is another
    learner's: to be called before anything is done under such a name;
    `hook_url` is the connection's own hook address, with its secret; `tool11` makes the tool at a
    launch address with these credentials, and `tool13` the one of a registration, with what a
    frame allows it: both are launched by the bridge's LTI platform.
    """

    clock: Callable[[], datetime]
    connection: str = ""
    send: Send = _offline
    next_number: Callable[[str], int] = lambda name: 0
    last_number: Callable[[str], int] = lambda name: 0
    reserve: Callable[[str, str, str, int], bool] = lambda *args: True
    give_back: Callable[[str], None] = lambda attempt: None
    sign: Callable[[str], str] = lambda text: ""
    claim: Callable[..., None] = _anybody
    hook_url: str = ""
    tool11: Callable[[str, Credentials], LtiTool] = _no_tool
    tool13: Callable[[ToolRegistration, tuple[str, ...]], LtiTool] = _no_tool


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider.

    `connection` validates a connection's own keys, `activity` an activity's settings (for that
    connection), and `inline` picks an activity's settings out of a link's custom parameters;
    all three return typed settings and raise pydantic's ValidationError. `needs` are the fields
    of a person without which the provider refuses a candidate, `wants` those that it can use
    besides: both leave where the connection has no privacy rule. `personal` are parameters of a
    link, in lower case, whose values are one learner's: `inline` takes them from each launch, and
    they are not kept. `hidden` are parameters whose values are shown to nobody. `capabilities`
    gives names of core.attempt.capabilities for a connection's settings. `extra_time` says for an
    activity's and its connection's settings what becomes of a learner's extra time. `repeatable`
    says for an activity's settings whether starting an attempt twice at the provider gives the same
    one and costs nothing more. `credentials` are for the LTI 1.1 outcome service, where it is used;
    `tool13` is the registration (of a connection's name and settings) where the provider is an LTI
    1.3 tool. `forms` are the models that the instructor's form is drawn from, one per way to set a
    test up; the first line of each says which that is.
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
    extra_time: Callable[[Any, Any], ExtraTime] = lambda settings, connection: ExtraTime()
    hidden: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    credentials: Callable[[Any], Credentials | None] = lambda settings: None
    tool13: Callable[[str, Any], ToolRegistration | None] = lambda name, settings: None
    forms: Callable[[Any], tuple[type[BaseModel], ...]] = lambda settings: ()


def check_facts(
    facts: Mapping[str, str], needed: Mapping[str, str], optional: Mapping[str, str]
) -> None:
    """Whether a person wrote what is to be known of an attempt; both map names to meanings.

    Raises ConfigurationError, naming everything that is missing or unknown.
    """
    known = {**needed, **optional}
    wrong = [f"{name} is missing: {needed[name]}" for name in needed if not facts.get(name)]
    wrong += [
        f"{name} is not known; possible: {', '.join(known) or 'none'}"
        for name in facts
        if name not in known
    ]
    if wrong:
        raise ConfigurationError("\n".join(wrong))
