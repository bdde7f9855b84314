"""The folder that all processes of a bridge count into, and what becomes of files of dead ones."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

if sys.platform != "win32":
    import fcntl

# What a process counts into, and how many bytes of it are written at once: a full disk must not end
# a process that counts. A sample has about 200.
KINDS = {"counter": 2**20, "histogram": 2**17}
GONE = "gone"  # what processes counted that are dead
TURN = "turn.lock"  # who reads all, or changes which files there are, has it
ALIVE = ".alive"


class Folder:
    """A folder with two files a process, named by a word that no other process has.

    A process holds a lock as long as it lives. What a dead one has counted is added to the files
    of the dead when another process begins, so that no count ever falls and files do not pile up.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be made or written."""
        self.path = path
        self.name = secrets.token_hex(8)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.turn():
            self._bury()
            self._alive = _open(path / f"{self.name}{ALIVE}")
            _locked(self._alive, wait=False)
            for kind in KINDS:
                _make(self._file(kind, self.name), KINDS[kind])

    @contextmanager
    def turn(self) -> Iterator[None]:
        """While this lasts, nobody else reads all files or takes one away."""
        file = _open(self.path / TURN)
        try:
            _locked(file, wait=True)
            yield
        finally:
            os.close(file)

    def _file(self, kind: str, name: str) -> Path:
        return self.path / f"{kind}_{name}.db"

    def _bury(self) -> None:
        """Add what dead processes counted to the files of the dead."""
        for alive in sorted(self.path.glob(f"*{ALIVE}")):
            held = _open(alive)
            try:
                if _locked(held, wait=False):
                    for kind in KINDS:
                        self._add(kind, alive.name.removesuffix(ALIVE))
                    alive.unlink()
            finally:
                os.close(held)

    def _add(self, kind: str, name: str) -> None:
        source, target = self._file(kind, name), self._file(kind, GONE)
        if not source.exists():
            return
        if not target.exists():
            _make(target, KINDS[kind])
        sums = MmapedDict(str(target))
        for key, value, time, _ in MmapedDict.read_all_values_from_file(str(source)):
            sums.write_value(key, sums.read_value(key)[0] + value, time)
        sums.close()
        source.unlink()


def _make(path: Path, size: int) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(bytes(size))


def _open(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)


def _locked(file: int, *, wait: bool) -> bool:
    """Whether the lock is this process's now; it ends with the file. Windows has no such lock."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
