"""Matters: what an operator has to hear of once, and once more when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that is wrong with a bridge or one of its parties.

    `key` tells matters apart and stays the same while one lasts. Texts name parties of the
    configuration and numbers, never anybody.
    """

    key: str
    said: str
    remedy: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """A matter that is to be told of: that it has begun, or (`over`) that it is over since then."""

    matter: Matter
    over: datetime | None = None

    @property
    def line(self) -> str:
        """What somebody reads first."""
        return f"Over: {self.matter.said}" if self.over else self.matter.said


def subject(bridge: str, notices: Sequence[Notice]) -> str:
    """The subject of one message about all of them."""
    more = f" (and {len(notices) - 1} more)" if len(notices) > 1 else ""
    return f"{bridge}: {notices[0].line}{more}"


def text(url: str, notices: Sequence[Notice]) -> str:
    """The same as a text for people."""
    parts = [_part(one) for one in notices]
    return "\n\n".join([*parts, f"{url}\nlti-bridge alerts list shows what is open."])


def document(url: str, notices: Sequence[Notice]) -> dict[str, Any]:
    """The same for a program; `text` is what services show that take such messages."""
    return {
        "bridge": url,
        "text": "\n".join(one.line for one in notices),
        "matters": [
            {
                "matter": one.matter.key,
                "state": "over" if one.over else "open",
                "said": one.matter.said,
                "remedy": one.matter.remedy,
                "since": _time(one.matter.since),
                "over": _time(one.over) if one.over else None,
            }
            for one in notices
        ],
    }


def _part(notice: Notice) -> str:
    matter = notice.matter
    if notice.over:
        return f"{notice.line}\n  from {_time(matter.since)} to {_time(notice.over)}"
    return f"{notice.line}\n  since {_time(matter.since)}\n  {matter.remedy}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
