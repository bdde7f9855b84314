"""What an instructor chooses at a provider's own tool, and what is kept while they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import Once


@dataclass(frozen=True, slots=True)
class Asking:
    """What a tool is asked for: one link, or several. It sends `data` back to `return_url`."""

    return_url: str
    data: str
    multiple: bool
    title: str = ""


@dataclass(frozen=True, slots=True)
class ChosenItem:
    """A link that was chosen at a tool; `url` is empty for the tool's own launch address.

    `label`, `maximum`, `resource_id` and `tag` are those of its line item, `maximum` None where it
    says none. `ungraded`: a link of LTI 1.3 without a line item, which asks for no grade (DL 2.0
    §3.2); one of LTI 1.1 returns its grades without.
    """

    url: str = ""
    title: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    maximum: Decimal | None = None
    resource_id: str = ""
    tag: str = ""
    label: str = ""
    ungraded: bool = False


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """A tool's verified answer. `connections` are those whose key or secret signed it.

    `message` and `error` are for people, in the tool's words.
    """

    connections: tuple[str, ...]
    once: Once
    data: str
    items: tuple[ChosenItem, ...] = ()
    message: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """An instructor who is at a tool to choose. `data`, `browser` and `token` are digests.

    `token` is that of the launch that they came by, `chosen` the activities chosen before.
    """

    data: str
    browser: str
    connection: str
    token: str
    chosen: str
    multiple: bool
    until: datetime


class ToolChoices(Protocol):
    """Where choices under way are kept."""

    def keep(self, choice: ToolChoice) -> None:
        """Keep a choice until its answer comes."""

    def take(
        self, data: str, browser: str, connections: tuple[str, ...], once: Once, now: datetime
    ) -> ToolChoice | None:
        """Take a choice away, for its own browser and tool; None for everyone else."""


class PicksAtTool(Protocol):
    """Capability `pick`."""

    def pick(self, session: Session, asking: Asking) -> Form:
        """The form that brings an instructor to the tool, where they choose."""

    def picked(self, item: ChosenItem) -> Mapping[str, Any]:
        """What would have been typed for this item. Raises ToolAnswerRefused."""
