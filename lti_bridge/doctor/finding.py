"""What the doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` is empty when it is well."""

    what: str
    said: str
    remedy: str = ""
