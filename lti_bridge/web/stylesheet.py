"""The static files of the bridge: a stylesheet and scripts, read once, named by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StaticFile:
    """The file's bytes, and the stamp that makes its address change with its content."""

    name: str
    body: bytes
    stamp: str

    @property
    def path(self) -> str:
        """Where it is served, below the bridge's root."""
        return f"/static/bridge/{self.stamp}/{self.name}"


def load_stylesheet() -> StaticFile:
    """Read bridge.css from the package."""
    return _load("bridge.css")


def load_frame_script() -> StaticFile:
    """Read frame.js, which answers the browser messages of a tool, from the package."""
    return _load("frame.js")


def load_alone_script() -> StaticFile:
    """Read alone.js, which keeps a login's proof with the LMS, from the package."""
    return _load("alone.js")


@cache
def _load(name: str) -> StaticFile:
    body = (Path(__file__).parent / "static" / name).read_bytes()
    return StaticFile(name, body, hashlib.sha256(body).hexdigest()[:16])
