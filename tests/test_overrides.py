"""Whether a teacher's grade stays: as the activity says, else as its LMS says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lti_bridge.assembly.bridge import build
from lti_bridge.errors import ConfigurationError
from lti_bridge.settings import parse

CONNECTION = {
    "name": "tool",
    "kind": "lti",
    "launch_url": "https://tool.example.edu/lti",
    "consumer_key": "key",
    "shared_secret": "secret",
}


def tables(folder: Path, by_lms: str, by_activity: str) -> dict[str, Any]:
    """A configuration with one LMS and one activity."""
    lms = {"name": "campus", "lti": "1.1", "consumer_key": "k", "shared_secret": "s"}
    activity = {"id": "excel", "title": "Excel", "connection": "tool"}
    return {
        "bridge": {
            "database_url": f"sqlite:///{folder}/b.sqlite3",
            "queue_url": f"sqlite:///{folder}/q.sqlite3",
            "keys_dir": str(folder / "keys"),
        },
        "lms": [lms | ({"overrides": by_lms} if by_lms else {})],
        "connection": [CONNECTION],
        "activity": [activity | ({"overrides": by_activity} if by_activity else {})],
    }


@pytest.mark.parametrize(
    ("by_lms", "by_activity", "keeps"),
    [
        ("", "", True),
        ("replace", "", False),
        ("keep", "replace", False),
        ("replace", "keep", True),
    ],
)
def test_the_activity_comes_before_its_lms(
    tmp_path: Path, by_lms: str, by_activity: str, keeps: bool
) -> None:
    bridge = build(parse(tables(tmp_path, by_lms, by_activity), "test"))
    assert bridge.passback.keeps("campus", "excel") is keeps
    assert bridge.passback.keeps("campus", "of-a-course") is (by_lms != "replace")
    assert bridge.passback.keeps("another", "of-a-course") is True


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="overrides"):
        parse(tables(tmp_path, "ignore", ""), "test")
