"""Two builds are compared in turns: what a message costs in one and in the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.turns import ROOT, compare, main


def test_a_build_costs_about_what_it_costs_itself() -> None:
    found = compare(ROOT, ["outcome", "delivery"], 1)
    for kind in ("outcome", "delivery"):
        one = found[kind]
        assert 100 < one["us"] < 1_000_000
        assert 100 < one["other_us"] < 1_000_000
        assert 0.1 < one["ratio"] < 10
        assert 0.1 < one["quick_ratio"] < 10


def test_a_folder_without_a_build_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert f"there is no lti_bridge in {tmp_path}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(ROOT), "lunch"])
    assert "lunch: there is no such kind" in capsys.readouterr().err
