"""A backup that is older than delivered grades: nothing goes back, teachers' values stay."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.flow.faults.ground import Ledger, Line, pending, sqlite_rig
from tests.flow.rig import Rig
from tests.flow.world import eventually

LEARNERS = 150
TEACHERS = 15
BY_TEACHER = "0.05"  # no score of the ledger is near it


def backup(_server: str) -> Iterator[Line]:
    """Grades, a backup, later grades, teachers' values; then the backup, and one command."""
    with sqlite_rig() as rig:
        rig.bridge.serve()
        ledger = Ledger(rig, LEARNERS, 2, pause_s=0.1)
        ledger.lms = ("old", "other")
        ledger.report()
        yield ledger.check("before the backup")
        file, kept = Path(str(rig.engine.url.database)), rig.bridge.folder / "backup"
        with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect(kept)) as copy:
            there.backup(copy)
        ledger.report()
        yield ledger.check("after it, and lost with the database")
        theirs = [sitting.learner for sitting in ledger.sittings[:TEACHERS]]
        rig.bridge.stop()
        for learner in theirs:
            rig.school.cells[learner] = BY_TEACHER
        _restore(rig, kept, file)
        yield from _reconcile(rig, theirs)
        yield from _later(rig, ledger, theirs)


def _restore(rig: Rig, kept: Path, file: Path) -> None:
    rig.engine.dispose()
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(kept, file)


def _reconcile(rig: Rig, theirs: list[str]) -> Iterator[Line]:
    for dry in (True, False):
        # same: by chance as near to the grade before as LMSs round
        counts = {"log": 0, "same": 0, "teacher": 0}
        for lms in ("old", "other"):
            found = _run(rig, lms, *(("--dry-run",) if dry else ("--yes",)))
            for verdict in counts:
                counts[verdict] += found["counts"][verdict]
        ours = counts["log"] + counts["same"]
        good = (ours, counts["teacher"]) == (LEARNERS - len(theirs), len(theirs))
        what = "results reconcile" + (" --dry-run" if dry else "")
        said = f"{ours} ours, {counts['teacher']} teachers'"
        yield Line(what, said, f"{LEARNERS - len(theirs)}, {len(theirs)}", good)


def _run(rig: Rig, lms: str, *options: str) -> dict[str, dict[str, int]]:
    log = str(rig.bridge.folder / "log.txt")
    command = [sys.executable, "-m", "lti_bridge", "results", "reconcile", "--lms", lms, "--json"]
    command += ["--log", log, "--config", str(rig.bridge.config), *options]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(said.stdout))


def _later(rig: Rig, ledger: Ledger, theirs: list[str]) -> Iterator[Line]:
    """Everybody gets one more grade, and it arrives, but where a teacher's value stands."""
    rig.bridge.serve()
    eventually(lambda: pending(rig), 0, 120)
    kept = [one for one in theirs if rig.school.cells[one] == BY_TEACHER]
    ledger.scores = 1
    ledger.report()
    waiting = "SELECT count(*) AS n FROM grades WHERE delivery = 'waiting'"
    eventually(lambda: rig.rows(waiting)[0]["n"], len(theirs), 120)
    kept = [one for one in theirs if rig.school.cells[one] == BY_TEACHER and one in kept]
    good = len(kept) == len(theirs)
    yield Line("teachers' values kept", f"{len(kept)} of {len(theirs)}", "all", good)
    for learner in theirs:
        ledger.told.pop(learner)
    ledger.taken = [(one, value) for one, value in ledger.taken if one not in theirs]
    yield ledger.check("later grades of all others")
