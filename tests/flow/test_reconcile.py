"""`results reconcile`: a backup that is older than delivered grades, put right by one command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.rig import Rig, Sitting
from tests.flow.world import eventually

OTHERS = "0.123"


class Restored:
    """A bridge whose database is from before its newest grades; nothing runs."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.last = [rig.sit("old", "last") for _ in range(2)]
        self.best = rig.sit("old", "best")
        for one in (*self.last, self.best):
            self.arrives(one, "0.5")
        self.stop_and(lambda file: shutil.copy(file, rig.bridge.folder / "backup"))
        rig.bridge.serve()
        for one in (*self.last, self.best):
            self.arrives(one, "0.8")
        self.stop_and(self._put_back)

    def arrives(self, sitting: Sitting, score: str) -> None:
        assert self.rig.report(sitting, score).said == (200, "success")
        eventually(lambda: self.rig.school.cells.get(sitting.learner), score)
        eventually(lambda: self.rig.grade(sitting)["delivery"], "delivered")

    def stop_and(self, act: Any) -> None:
        self.rig.bridge.stop()
        self.rig.engine.dispose()
        act(Path(str(self.rig.engine.url.database)))

    def _put_back(self, file: Path) -> None:
        for old in file.parent.glob(f"{file.name}*"):
            old.unlink()
        shutil.copy(self.rig.bridge.folder / "backup", file)

    def reconcile(self, *options: str, log: bool = True) -> dict[str, Any]:
        """What the command says, as JSON: counts, and the verdict for each learner."""
        arguments = ["results", "reconcile", "--lms", "old", "--json", *options]
        if log:
            arguments += ["--log", str(self.rig.bridge.folder / "log.txt")]
        said = CliRunner().invoke(main, [*arguments, "--config", str(self.rig.bridge.config)])
        assert said.stdout, said.output
        found = json.loads(said.stdout)
        return {one["user"]: one["verdict"] for one in found["grades"]}


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Restored]:
    rig = Rig(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    rig.bridge.serve()
    yield Restored(rig)
    rig.stop()


def test_what_the_log_knows_is_ours_and_the_rest_a_teachers(restored: Restored) -> None:
    rig, (ours, theirs) = restored.rig, restored.last
    rig.school.cells[theirs.learner] = OTHERS
    wanted = {ours.learner: "log", theirs.learner: "teacher", restored.best.learner: "log"}
    before = rig.rows("SELECT * FROM grades ORDER BY id")
    assert restored.reconcile("--dry-run") == wanted
    assert rig.rows("SELECT * FROM grades ORDER BY id") == before
    assert restored.reconcile("--dry-run", log=False) == dict.fromkeys(wanted, "teacher")
    assert restored.reconcile("--yes") == wanted
    assert restored.reconcile("--yes") == {theirs.learner: "teacher"}  # as often as one likes
    rig.bridge.serve()
    restored.arrives(ours, "0.3")
    assert rig.report(theirs, "0.9").said == (200, "success")
    eventually(lambda: rig.grade(theirs)["delivery"], "waiting")
    assert rig.school.cells[theirs.learner] == OTHERS
    assert rig.report(restored.best, "0.9").said == (200, "success")
    eventually(lambda: rig.school.cells[restored.best.learner], "0.9")


def test_what_is_higher_than_all_that_is_known_needs_a_person(restored: Restored) -> None:
    rig = restored.rig
    rig.write("UPDATE attempts SET given = '0.6' WHERE grade_policy = 'best'")
    rig.write(
        "UPDATE grades SET given = '0.6', version = version + 1, delivery = 'pending', due_at = 1"
        " WHERE user_id = :user",
        user=restored.best.learner,
    )
    assert restored.reconcile("--yes")[restored.best.learner] == "higher"
    rig.bridge.serve()
    assert rig.grade(restored.best)["delivery"] == "waiting"
    assert rig.school.cells[restored.best.learner] == "0.8"


def test_no_lms_of_that_name(restored: Restored) -> None:
    arguments = ["results", "reconcile", "--lms", "nobody", "--yes"]
    said = CliRunner().invoke(main, [*arguments, "--config", str(restored.rig.bridge.config)])
    assert (said.exit_code, "There is no LMS 'nobody'" in said.output) == (1, True)
