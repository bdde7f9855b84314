"""What happens at the end of a test: its grade is kept, then sent, then the call-back is made."""

import time
from typing import Any

from lti_bridge.sandbox import hooks
from lti_bridge.sandbox.isograd.grades import FORMS, Grade
from lti_bridge.sandbox.isograd.state import (
    COMPLETED,
    MARKING,
    NOT_STARTED,
    STARTED,
    Sitting,
    State,
)
from lti_bridge.sandbox.tools import outcome


def hand_in(state: State, sitting: Sitting, grade: Grade) -> bool:
    """End a test as its candidate does; False when it had ended before.

    A test that a person marks waits for `mark`, and its `grade` here counts for nothing.
    """
    manual = FORMS[sitting.tst_frm_id].manual
    with state.lock:
        if sitting.sta_id not in (NOT_STARTED, STARTED):
            return False
        sitting.ended = time.time()
        sitting.started = sitting.started or sitting.ended
        sitting.sta_id = MARKING if manual else COMPLETED
        sitting.grade = None if manual else grade
        sitting.message = "Your answers are saved."
    if manual:
        sitting.message = "Your answers are saved. A person will mark them."
    else:
        _tell(state, sitting, grade)
    if sitting.cal_bac_pag:
        row = hooks.get(sitting.cal_bac_pag)
        with state.lock:
            state.callbacks.append(row)
    return True


def mark(state: State, sitting: Sitting, grade: Grade) -> None:
    """Give a handed-in test its grade, or another one; the document names no ping for this."""
    with state.lock:
        sitting.sta_id = COMPLETED
        sitting.grade = grade
    _tell(state, sitting, grade)


def tell(state: State, url: str, body: bytes) -> outcome.Answer:
    """Send an outcome document with the account's key, and remember it."""
    settings = state.settings
    answer = outcome.send(url, body, settings.consumer_key, settings.shared_secret)
    row: dict[str, Any] = {"url": url, "request": body.decode("utf-8", "replace")}
    with state.lock:
        state.outcomes.append({**row, "status": answer.status, "answer": answer.body})
    return answer


def is_preview(launch: dict[str, str]) -> bool:
    """Whether somebody who teaches only looks: no grade is expected for them."""
    teaches = "instructor" in launch.get("roles", "").lower()
    return teaches and not launch.get("lis_result_sourcedid")


def _tell(state: State, sitting: Sitting, grade: Grade) -> None:
    launch = state.launch_of(sitting)
    claims = None if sitting.launch is None else state.launches[sitting.launch].get("claims")
    sourcedid, url = launch.get("lis_result_sourcedid"), launch.get("lis_outcome_service_url")
    if is_preview(launch):
        sitting.message = "This was a preview, so nothing was sent to your course."
    elif claims and state.tell13:
        sitting.message = state.tell13(claims, grade)
    elif sourcedid and url:
        body = outcome.message("replace", sourcedid, grade.outcome)
        sitting.message = tell(state, url, body).in_words
    elif launch:
        sitting.message = "Your course did not ask for a grade, so none was sent."
    else:
        sitting.message = "Your result is saved."
