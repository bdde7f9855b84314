"""Files that only their owner may read, because there are people and working links in them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("lti_bridge.private")

OWNER, OTHERS = 0o600, 0o077
BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite keeps beside a database


def keep_private(database: Path) -> None:
    """See that a SQLite database, which may not exist yet, is its owner's alone.

    What SQLite makes beside it later gets the same mode. The file is never opened when it exists:
    to close it would end this process's locks on it. Where the mode cannot be changed,
    `open_to_others` still tells.
    """
    with suppress(OSError):  # it exists, or SQLite will say what is wrong with the place
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER))
    for file in open_to_others(beside(database)):
        with suppress(OSError):
            file.chmod(OWNER)
            log.warning("file.was-open", extra={"file": str(file), "reason": "now 0600"})


def beside(database: Path) -> list[Path]:
    """The files of a SQLite database."""
    return [database.with_name(database.name + end) for end in BESIDE]


def open_to_others(paths: Iterable[Path]) -> list[Path]:
    """Those that exist and that others than their owner may use; none where modes mean nothing."""
    return [path for path in paths if os.name == "posix" and _mode(path) & OTHERS]


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
