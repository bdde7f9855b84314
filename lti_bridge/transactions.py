"""Whether this thread is in the middle of the database, where nothing may be sent to anybody.

A network call may take as long as a stranger likes. Made in a transaction it would hold locks that
all others wait for; made with a mere connection in hand, one of the few that there are. The store
says when a thread begins and ends, and the way out asks (docs/promises.md).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Here(threading.local):
    depth = 0


_here = _Here()


@contextmanager
def database_in_hand() -> Iterator[None]:
    """From here to the end of the block this thread has a connection of the database."""
    _here.depth += 1
    try:
        yield
    finally:
        _here.depth -= 1


def in_database() -> bool:
    """Whether this thread has a connection of the database now."""
    return _here.depth > 0
