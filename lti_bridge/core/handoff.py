"""A handoff: what the student's browser gets after a launch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A form that submits itself by POST: to a provider's tool, or back to an LMS."""

    action: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """The browser goes to this address by GET."""

    url: str


@dataclass(frozen=True, slots=True)
class Note:
    """A page of the bridge: a headline, sentences, and label/value pairs to show or copy."""

    title: str
    paragraphs: tuple[str, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    link: str = ""
    link_label: str = ""


Handoff = Form | Redirect | Note
