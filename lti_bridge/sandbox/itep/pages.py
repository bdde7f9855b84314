"""The pages of the pretend iTEP: the login, the test and its end, its mails, and its staff."""

import hmac
import time

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, staff
from lti_bridge.sandbox.itep import results
from lti_bridge.sandbox.itep.state import (
    COMPLETE,
    FINISHED,
    INCOMPLETE,
    QUESTIONS,
    READY,
    Result,
    State,
    Test,
)


def install(pages: Blueprint, state: State) -> None:
    """Add the candidate's pages, and the desk of who marks."""
    _install_login(pages, state)
    _install_test(pages, state)
    _install_staff(pages, state)


def _install_login(pages: Blueprint, state: State) -> None:
    @pages.get("/")
    def show_login() -> str:
        return render_template("itep/login.html", test_id=request.args.get("test-id", ""))

    @pages.post("/")
    def login() -> AnyResponse | tuple[str, int]:
        test_id = request.form.get("test-id", "").strip()
        given = request.form.get("password", "").strip()
        with state.lock:
            test = state.tests.get(test_id)
            expected = test.password if test else ""
            if not test or not hmac.compare_digest(given.encode(), expected.encode()):
                return render_template("itep/login.html", test_id=test_id, wrong=True), 403
            if test.state == READY:
                test.state, test.started = INCOMPLETE, time.time()
        return redirect(f"/test/{test.token}", 303)

    @pages.get("/mailbox")
    def mailbox() -> str:
        with state.lock:
            return render_template("itep/mailbox.html", outbox=state.outbox)


def _install_test(pages: Blueprint, state: State) -> None:
    @pages.get("/test/<token>")
    def show_test(token: str) -> str:
        test = find(token)
        return render_template("itep/test.html", test=test, questions=QUESTIONS)

    @pages.post("/test/<token>")
    def hand_in(token: str) -> AnyResponse:
        results.hand_in(state, find(token), _posted())
        return redirect(f"/test/{token}", 303)

    def find(token: str) -> Test:
        test = state.test_by_token(token)
        if test is None or test.state == READY:
            abort(404)
        return test


def _install_staff(pages: Blueprint, state: State) -> None:
    def papers() -> list[staff.Paper]:
        with state.lock:
            return [_paper(t) for t in state.tests.values() if t.state in (FINISHED, COMPLETE)]

    def mark(key: str, level: float) -> None:
        with state.lock:
            test = state.tests[key]
        results.grade(state, test, results.of_level(level))

    staff.install(pages, "iTEP", papers, mark)


def _paper(test: Test) -> staff.Paper:
    who = str((test.assigned_to or {}).get("student-name", test.test_id))
    marks = f"level {test.result.overall}" if test.result else ""
    label = f"Level, up to {results.TOP_LEVEL:g}"
    return staff.Paper(test.test_id, who, f"Test ID {test.test_id}", label, marks)


def _posted() -> Result:
    level = exam.wished_score(request.form)
    if level is not None:
        return results.of_level(level)
    return results.of_sections(exam.mark(QUESTIONS, request.form))
