"""How long the request that a thread answers has waited for a provider: their share, not ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_seconds: ContextVar[float] = ContextVar("waited_s", default=0.0)


def begin() -> None:
    """A request begins, which has not waited yet."""
    _seconds.set(0.0)


def seconds() -> float:
    """How long it has waited so far."""
    return _seconds.get()


@contextmanager
def waiting() -> Iterator[None]:
    """The request waits while this lasts."""
    begun = time.monotonic()
    try:
        yield
    finally:
        _seconds.set(_seconds.get() + time.monotonic() - begun)
