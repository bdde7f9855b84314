"""The folder that processes count into: files of dead ones are summed up, and disks may be full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lti_bridge.metrics.folder import KINDS, Folder
from lti_bridge.metrics.recorder import Recorder

ROOT = Path(__file__).parents[2]
COUNTS = """
import os, sys
from pathlib import Path
from lti_bridge.metrics.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), os.environ.__setitem__)
for _ in range(int(sys.argv[2])):
    recorder.delivered("campus", "delivered", 0.2)
print(recorder.page({}).decode())
"""
FULL = """
import os, resource, sys
from pathlib import Path
from lti_bridge.metrics.recorder import Recorder

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    Recorder(Path(sys.argv[1]), os.environ.__setitem__)
except OSError as error:
    print("refused")
"""


def counted(folder: Path, times: int) -> str:
    """What /metrics would say in a process that has counted so often, and is dead then."""
    command = [sys.executable, "-c", COUNTS, str(folder), str(times)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_what_dead_processes_counted_stays_and_their_files_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    for number in range(1, 5):
        told = counted(folder, 3)
        total = f'deliveries_total{{outcome="delivered",registration="campus"}} {3 * number}.0'
        assert total in told
        assert f'delivery_seconds_count{{outcome="delivered"}} {3 * number}.0' in told
        assert f'delivery_seconds_bucket{{le="0.25",outcome="delivered"}} {3 * number}.0' in told
        assert 'delivery_seconds_bucket{le="0.1",outcome="delivered"} 0.0' in told
    names = {path.name.partition("_")[2] for path in folder.glob("*.db")}
    assert len(names) == 2  # of the last process, and of all that are dead
    assert "gone.db" in names
    assert len(list(folder.glob("*.alive"))) == 1


def test_files_of_the_living_are_left_alone(tmp_path: Path) -> None:
    first, second = Folder(tmp_path / "metrics"), Folder(tmp_path / "metrics")
    assert first.name != second.name
    assert len(list((tmp_path / "metrics").glob("*.alive"))) == 2
    assert not list((tmp_path / "metrics").glob("*_gone.db"))


def test_files_are_their_owners_alone_and_take_their_room_at_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "metrics")
    assert folder.path.stat().st_mode & 0o077 == 0
    for path in folder.path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    for kind, size in KINDS.items():
        (path,) = folder.path.glob(f"{kind}_*.db")
        assert path.stat().st_blocks * 512 >= size


def test_a_full_disk_is_an_error_at_the_start_and_no_crash(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "metrics")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_a_folder_that_is_gone_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / "metrics", monkeypatch.setenv)
    for path in (tmp_path / "metrics").iterdir():
        path.unlink()
    (tmp_path / "metrics").rmdir()
    recorder.delivered("campus", "delivered", 0.1)
    recorder.asked("tosa", "answered")
    recorder.launched(("campus", "1.3", "LtiResourceLinkRequest", "opened"), 0.1)
    recorder.told("score", "taken", 0.1)
    with pytest.raises((OSError, ValueError)):
        recorder.page({})
