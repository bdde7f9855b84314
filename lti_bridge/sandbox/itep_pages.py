"""The pages of the pretend iTEP that a candidate sees: the login, the test, and its end."""

import hmac
import time

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, itep_results
from lti_bridge.sandbox.itep_state import INCOMPLETE, QUESTIONS, READY, Result, State, Test


def install(pages: Blueprint, state: State) -> None:
    """Add the candidate's pages."""
    _install_login(pages, state)
    _install_test(pages, state)


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


def _install_test(pages: Blueprint, state: State) -> None:
    @pages.get("/test/<token>")
    def show_test(token: str) -> str:
        test = find(token)
        return render_template("itep/test.html", test=test, questions=QUESTIONS)

    @pages.post("/test/<token>")
    def hand_in(token: str) -> AnyResponse:
        itep_results.hand_in(state, find(token), _posted())
        return redirect(f"/test/{token}", 303)

    def find(token: str) -> Test:
        test = state.test_by_token(token)
        if test is None or test.state == READY:
            abort(404)
        return test


def _posted() -> Result:
    level = exam.wished_score(request.form)
    if level is not None:
        return itep_results.of_level(level)
    return itep_results.of_sections(exam.mark(QUESTIONS, request.form))
