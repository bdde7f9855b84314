"""Whatever makes a grade due tells a worker at once, who else would come only with the clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flow import signing
from tests.flow.world import eventually
from tests.platform.services.platform import OUTCOME, OUTCOME_TYPE, Learner, Platform


def score(platform: Platform, learner: Learner) -> int:
    return platform.quiz.score(learner).status_code


def outcome(platform: Platform, learner: Learner) -> int:
    body = signing.document("replaceResult", learner.sourced_id, "0.5")
    answer = platform.quiz.call("POST", "/platform/outcomes", OUTCOME, body, OUTCOME_TYPE)
    assert b"success" in answer.data
    return answer.status_code


@pytest.mark.parametrize("report", [score, outcome])
def test_a_tools_grade_wakes_a_worker(
    platform: Platform, report: Callable[[Platform, Learner], int]
) -> None:
    learner = platform.open(user=f"wakes-{report.__name__}")
    queue = platform.bridge.waker.queue
    queue.flush()
    assert report(platform, learner) == 200
    eventually(lambda: queue.pending_count() > 0, True)
