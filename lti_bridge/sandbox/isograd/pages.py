"""The pages of the pretend Isograd that a candidate sees: the test, its end, and the account."""

import time

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox.isograd import finish
from lti_bridge.sandbox.isograd.actions import Desk
from lti_bridge.sandbox.isograd.grades import (
    FORMS,
    QUESTIONS,
    Form,
    Grade,
    count_correct,
    grade_of_correct,
    grade_of_score,
)
from lti_bridge.sandbox.isograd.state import COMPLETED, NOT_STARTED, STARTED, Sitting
from lti_bridge.sandbox.page import web_address

_REPORT = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def install(pages: Blueprint, desk: Desk) -> None:
    """Add the candidate's pages."""
    _install_test(pages, desk)
    _install_account(pages, desk)


def _install_test(pages: Blueprint, desk: Desk) -> None:
    state = desk.state

    def find(token: str) -> Sitting:
        return state.sitting_by_token(token) or abort(404)

    @pages.get("/test/<token>")
    def show_test(token: str) -> str:
        sitting = find(token)
        with state.lock:
            if sitting.sta_id == NOT_STARTED:
                sitting.sta_id, sitting.started = STARTED, time.time()
        return _page(desk, sitting)

    @pages.post("/test/<token>")
    def hand_in(token: str) -> AnyResponse:
        sitting = find(token)
        finish.hand_in(state, sitting, _posted_grade(FORMS[sitting.tst_frm_id]))
        return redirect(web_address(sitting.rtn_pag) or desk.test_url(sitting), 303)

    @pages.get("/report/<token>.pdf")
    def report(token: str) -> Response:
        if find(token).sta_id != COMPLETED:
            abort(404)
        return Response(_REPORT, mimetype="application/pdf")


def _install_account(pages: Blueprint, desk: Desk) -> None:
    state = desk.state

    @pages.get("/continuelogin/<token>")
    def account(token: str) -> str:
        with state.lock:
            expires, can_id = state.logins.get(token, (0.0, 0))
            candidate = state.candidates.get(can_id)
        if not candidate or expires < time.time():
            abort(404)
        return render_template(
            "isograd/account.html",
            candidate=candidate,
            rows=[(FORMS[s.tst_frm_id], s) for s in state.sittings_of(candidate)],
        )

    @pages.get("/administration")
    def administration() -> str:
        return render_template("isograd/administration.html", account=request.args["account"])


def _posted_grade(form: Form) -> Grade:
    """The grade for the chosen answers, or for the score text that somebody wants to try out."""
    score = "".join(c for c in request.form.get("score", "") if c.isprintable())[:100]
    if score:
        return grade_of_score(form, score)
    answers = [request.form.get(f"q{n}", "") for n, _ in enumerate(QUESTIONS, start=1)]
    return grade_of_correct(form, count_correct(answers))


def _page(desk: Desk, sitting: Sitting) -> str:
    launch = desk.state.launch_of(sitting)
    common = {
        "sitting": sitting,
        "form": FORMS[sitting.tst_frm_id],
        "preview": finish.is_preview(launch),
        "course": launch.get("context_title", ""),
    }
    if sitting.sta_id in (NOT_STARTED, STARTED):
        return render_template("isograd/test.html", questions=QUESTIONS, **common)
    back = sitting.rtn_pag or launch.get("launch_presentation_return_url", "")
    return render_template("isograd/result.html", back=web_address(back), **common)
