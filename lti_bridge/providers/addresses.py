"""Addresses of providers, in settings and in what they answer: https, http on this machine only."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe(url: object) -> bool:
    """Whether a secret or a student's browser may be sent there."""
    if not isinstance(url, str) or not re.fullmatch("[!-~]+", url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


def address_of(value: object) -> str:
    """An address that a provider has answered, if it is a safe one; else empty."""
    return value if isinstance(value, str) and is_safe(value) else ""


def complete_address(value: str) -> str:
    """The value, if a setting may hold it as a whole address. Raises ValueError."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    safe = value.isascii() and value.isprintable() and not set(value) & set(" \\#")
    if not safe or not host or parts.username is not None:
        raise ValueError("must be a complete web address without user name and #")
    if not is_safe(value):
        raise ValueError("must begin with https:// (http:// only on this very machine)")
    return value


def base_address(value: str) -> str:
    """The value without a slash at its end, if paths may be added to it. Raises ValueError."""
    if not is_safe(value) or set(value) & set("?#@"):
        raise ValueError("must be an https:// address without query (http:// on this machine)")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(complete_address)]
"""The type of a setting that is a whole address."""

BaseAddress = Annotated[str, AfterValidator(base_address)]
"""The type of a setting that paths are added to."""
