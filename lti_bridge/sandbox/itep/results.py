"""The end of a test at the pretend iTEP: its state, its levels, and the results web-hook."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from lti_bridge.sandbox import hooks
from lti_bridge.sandbox.exam import Section
from lti_bridge.sandbox.itep.state import (
    COMPLETE,
    FINISHED,
    INCOMPLETE,
    OLD_WORDS,
    READY,
    Result,
    State,
    Test,
)

TOP_LEVEL = 6.0

_FORM = "application/x-www-form-urlencoded"
_CEFR = ("A1", "A1", "A2", "B1", "B2", "C1", "C2")


def of_sections(sections: Sequence[Section]) -> Result:
    """The result of answered questions."""
    shares = {s.name: s.marks / s.max_marks for s in sections}
    mean = sum(shares.values()) / len(shares)
    return Result(
        round(TOP_LEVEL * mean, 1),
        {name: (round(TOP_LEVEL * part, 1), 100 * part) for name, part in shares.items()},
    )


def of_level(level: float) -> Result:
    """A result with this overall level and no sections."""
    return Result(level, {})


def hand_in(state: State, test: Test, result: Result) -> bool:
    """End a test as its candidate does; False when it cannot be handed in (any more)."""
    with state.lock:
        if test.state not in (READY, INCOMPLETE):
            return False
        test.ended = time.time()
        test.started = test.started or test.ended
        test.state = FINISHED
        track = state.track(test.track)
    if track and track.notify_finished:
        notify(state, test)
    if not state.settings.graded_later:
        grade(state, test, result)
    return True


def grade(state: State, test: Test, result: Result) -> None:
    """Give a finished test its levels, or other ones."""
    with state.lock:
        test.state, test.result = COMPLETE, result
    notify(state, test)


def change(state: State, test: Test, to: str) -> None:
    """Invalidate, reset or stop a test as iTEP's staff do; a reset one may be taken again."""
    with state.lock:
        test.state = to
        if to == READY:
            test.started = test.ended = test.result = None
    notify(state, test)


def notify(state: State, test: Test) -> None:
    """Tell the customer's endpoint how the test stands; only with a tracking code."""
    with state.lock:
        track = state.track(test.track)
        body = urlencode({"data": json.dumps(_data(state, test))})
    if track and track.url:
        row = hooks.post(track.url, body, _FORM, dict(track.headers))
        with state.lock:
            state.hooks.append(row)


def _data(state: State, test: Test) -> dict[str, Any]:
    words = OLD_WORDS if state.settings.old_words else {}
    status = words.get(test.state, test.state)
    data: dict[str, Any] = {"OID": test.oid, "TestID": test.test_id, "Status": status}
    if test.started and test.ended:
        day = datetime.fromtimestamp(test.started, UTC)
        data |= {
            "Duration": round((test.ended - test.started) / 60),
            "TestDate": f"{day.month}/{day.day}/{day.year}",
            "TestMonth": day.month,
            "TestDay": day.day,
            "TestYear": day.year,
        }
    return data if test.result is None else {**data, **_levels(test, test.result)}


def _levels(test: Test, result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {
        "score_report_url": f"https://reports.example.org/{test.token}",
        "Overall_Level": result.overall,
        "Overall_cefr": _CEFR[max(0, min(int(result.overall), len(_CEFR) - 1))],
    }
    for name, (level, score) in result.sections.items():
        told |= {f"{name}_Level": level, f"{name}_Score": score}
    return told
