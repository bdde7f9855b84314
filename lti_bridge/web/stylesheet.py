"""The one stylesheet of the bridge, read once and named by its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """The file's bytes, and the stamp that makes its address change with its content."""

    body: bytes
    stamp: str

    @property
    def path(self) -> str:
        """Where it is served, below the bridge's root."""
        return f"/static/bridge/{self.stamp}/bridge.css"


@cache
def load_stylesheet() -> Stylesheet:
    """Read bridge.css from the package."""
    body = (Path(__file__).parent / "static" / "bridge.css").read_bytes()
    return Stylesheet(body, hashlib.sha256(body).hexdigest()[:16])
