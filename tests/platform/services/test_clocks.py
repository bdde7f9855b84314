"""How far ahead of our clock a tool's may be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lti_bridge.core.tool.line_items import ScorePost
from lti_bridge.errors import BadRequest
from lti_bridge.lti.ags import SCORE
from lti_bridge.platform.access_tokens import Grant
from lti_bridge.platform.grade_services import GradeServices

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Grades:
    """Takes every score."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def take(self, connection: str, course: str, item_id: str, post: ScorePost, now: Any) -> None:
        self.taken.append(post.at)


class Tool:
    """The tool of a connection."""

    connection = "quiz"


def post(grades: Grades, at: datetime) -> None:
    """One score of this time."""
    unused: Any = None
    services = GradeServices(
        unused,
        grades,  # type: ignore[arg-type]
        unused,
        "https://bridge.example.edu",
        unused,
        lambda: NOON,
        unused,
        leeway_s=60,
    )
    sent = {
        "userId": "u1",
        "timestamp": at.isoformat(timespec="microseconds"),
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "scoreGiven": 1,
        "scoreMaximum": 2,
    }
    grant = Grant(Tool(), frozenset({SCORE}))  # type: ignore[arg-type]
    services.score(grant, "course", "item", json.dumps(sent).encode())


def test_a_score_may_be_a_minute_ahead_and_not_more() -> None:
    grades, latest = Grades(), NOON + timedelta(seconds=60)
    post(grades, latest)
    with pytest.raises(BadRequest, match="in the future"):
        post(grades, latest + timedelta(microseconds=1))
    assert grades.taken == [int(latest.timestamp()) * 1_000_000]
