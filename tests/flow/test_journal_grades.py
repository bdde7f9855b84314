"""What the journal has of grades, over a running bridge with its worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.rig import ONE, Rig
from tests.flow.school import Err
from tests.flow.world import eventually


def command(rig: Rig, *words: str, as_json: bool = True) -> Any:
    """What a command says, as JSON or as it is."""
    more = ["--json"] if as_json else []
    ran = CliRunner().invoke(main, [*words, "--config", str(rig.bridge.config), *more])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout) if as_json else ran.stdout


def kinds(hops: list[dict[str, Any]]) -> list[str]:
    """What the hops are, in their order."""
    return [one["kind"] for one in hops]


@pytest.mark.parametrize("lms", ["old", "new"])
def test_a_grade_is_followed_from_the_click_to_the_gradebook(fresh_rig: Rig, lms: str) -> None:
    rig = fresh_rig
    sitting = rig.sit(lms, learner="ann")
    assert rig.report(sitting, "0.85").said == (200, "success")
    eventually(lambda: rig.rows("SELECT 1 AS n FROM hops WHERE kind = 'delivery'"), [{"n": 1}])
    (click,) = command(rig, "launches", "list", "--user", "ann", "--lms", lms)
    found = command(rig, "launches", "show", click["ref"])
    assert kinds(found["hops"]) == ["launch"]
    assert kinds(found["others"]) == ["outcome", "delivery"]
    outcome, delivery = found["others"]
    assert (outcome["connection"], outcome["said"]) == ("one", "graded, 0.85/1")
    assert outcome["checks"] == ["signature", "message", "sourcedid", "attempt"]
    assert delivery["said"] == "0.85/1, try 1: delivered"
    assert [call["status"] for call in delivery["calls"]][-1] == 200
    assert {one["user"] for one in (outcome, delivery)} == {"ann"}
    assert {one["course"] for one in (outcome, delivery)} == {"course-1"}
    # the same from the other end, and by every name
    for name in (delivery["ref"], outcome["ref"], click["attempt"], delivery["grade"]):
        grade = command(rig, "grades", "show", name)
        assert [one["grade"] for one in grade["grades"]] == ["0.85/1"]
        assert kinds(grade["hops"]) == ["launch", "outcome", "delivery"]
    said = command(rig, "grades", "show", click["attempt"], as_json=False)
    assert "to be shown: 0.85/1" in said
    assert "old <-- bridge" in said or "new <-- bridge" in said


def test_a_grade_that_the_lms_refuses_says_why(fresh_rig: Rig) -> None:
    rig = fresh_rig
    sitting = rig.sit("old", learner="bea")
    rig.school.errs["bea"] = [Err(404)]
    assert rig.report(sitting, "0.4").said == (200, "success")
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    eventually(lambda: len(rig.rows("SELECT 1 FROM hops WHERE kind = 'delivery'")), 1)
    (hop,) = command(rig, "launches", "list", "--kind", "delivery", "--failed")
    assert hop["code"]
    said = command(rig, "grades", "show", rig.grade(sitting)["id"], as_json=False)
    assert "to do:" in said


def test_a_message_that_is_refused_is_found(fresh_rig: Rig) -> None:
    rig = fresh_rig
    sitting = rig.sit("old", learner="cid")
    crook = type(ONE)(ONE.key, "not-the-secret")
    assert rig.report(sitting, "1", crook).said == (401, "failure")
    eventually(lambda: len(rig.rows("SELECT 1 FROM hops WHERE kind = 'outcome'")), 1)
    (hop,) = command(rig, "launches", "list", "--kind", "outcome", "--failed")
    assert (hop["code"], hop["checks"], hop["proved"]) == ("signature", ["signature"], False)


def test_a_bundle_tells_all_and_names_nobody(fresh_rig: Rig, tmp_path: Path) -> None:
    rig = fresh_rig
    sitting = rig.sit("old", learner="ann-of-the-bundle")
    assert rig.report(sitting, "0.5").said == (200, "success")
    eventually(lambda: rig.rows("SELECT 1 AS n FROM hops WHERE kind = 'delivery'"), [{"n": 1}])
    (hop,) = command(rig, "launches", "list", "--user", "ann-of-the-bundle")
    words = ["launches", "bundle", hop["ref"], "--out", str(tmp_path / "new")]
    words += ["--config", str(rig.bridge.config)]
    assert CliRunner().invoke(main, words).exit_code == 0
    files = [tmp_path / "new" / f"{hop['ref']}.{end}" for end in ("html", "json")]
    page, told = (path.read_text(encoding="utf-8") for path in files)
    for text in (page, told):
        for one in ("ann-of-the-bundle", hop["learner"], hop["attempt"]):
            assert one not in text
        assert "learner 1" in text
    assert [one["kind"] for one in json.loads(told)["hops"]] == ["launch", "outcome", "delivery"]
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1
    assert "is there already" in again.output
