"""Where a copied link comes from, as far as its LMS says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from lti_bridge.core.launch.message import Launch

CONTEXTS, LINKS = "context_id_history", "resource_link_id_history"
MAX_IDS = 20  # that are looked for one by one
MAX_CONTEXTS = 1000  # as many as Canvas tells, and of which one look finds all
NO_IDS = frozenset({"truncated", "timed out"})  # words of Canvas in the place of an id
ASKED: Mapping[str, str] = MappingProxyType(
    {CONTEXTS: "$Context.id.history", LINKS: "$ResourceLink.id.history"}
)
"""Custom parameters by which a link asks its LMS for the history (LTI Core 1.3 appendix B)."""


@dataclass(frozen=True, slots=True)
class History:
    """Earlier ids of a link and of its course, the newest first.

    `told` says that the LMS told the ids of the link by itself: custom parameters can be written
    by whoever writes the link.
    """

    contexts: tuple[str, ...]
    links: tuple[str, ...]
    told: bool


def history_of(launch: Launch) -> History:
    """The history of a launch: by the LMS's own parameters, else by those that the link asks."""
    told = _ids(str(launch.extra.get(LINKS, "")))
    contexts = str(launch.extra.get(CONTEXTS, "")) or _asked(launch, CONTEXTS)
    return History(_ids(contexts, MAX_CONTEXTS), told or _ids(_asked(launch, LINKS)), bool(told))


def _asked(launch: Launch, name: str) -> str:
    """LMSs and LTI versions write the same parameter with and without points and capitals."""
    wanted = _folded(name)
    return next((text for key, text in launch.custom.items() if _folded(key) == wanted), "")


def _folded(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _ids(text: str, most: int = MAX_IDS) -> tuple[str, ...]:
    found = [unquote(part.strip()) for part in text.split(",")[:most]]
    return tuple(part for part in found if part and not part.startswith("$") and part not in NO_IDS)
