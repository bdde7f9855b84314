"""The pages of the pretend Mettl that a candidate sees at the personal link."""

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, mettl_flow, mettl_result
from lti_bridge.sandbox.mettl_call import Desk
from lti_bridge.sandbox.mettl_state import COMPLETED, TO_BE_TAKEN, Attempt, Result


def install(pages: Blueprint, desk: Desk) -> None:
    """Add the candidate's pages."""

    def find(token: str) -> Attempt:
        return desk.state.attempt_by_token(token) or abort(404)

    @pages.get("/take/<token>")
    def show(token: str) -> str:
        return _page(find(token))

    @pages.post("/take/<token>/start")
    def start(token: str) -> AnyResponse:
        attempt = find(token)
        filled = {name: request.form.get(name, "").strip() for name in attempt.missing()}
        if attempt.expired or not all(filled.values()):
            abort(400)
        mettl_flow.start(desk, attempt, filled)
        return redirect(desk.test_url(attempt), 303)

    @pages.post("/take/<token>")
    def hand_in(token: str) -> AnyResponse:
        attempt = find(token)
        if attempt.status == TO_BE_TAKEN:
            abort(400)
        mettl_flow.hand_in(desk, attempt, _posted(attempt))
        return redirect(desk.state.settings.exit_redirection_url or desk.test_url(attempt), 303)


def _posted(attempt: Attempt) -> Result:
    assessment = attempt.schedule.assessment
    marks = exam.wished_score(request.form)
    if marks is not None:
        return mettl_result.of_marks(assessment, marks)
    return mettl_result.of_sections(exam.mark(assessment.questions, request.form))


def _page(attempt: Attempt) -> str:
    names = {"attempt": attempt, "assessment": attempt.schedule.assessment}
    if attempt.status == COMPLETED:
        return render_template("mettl/done.html", **names)
    if attempt.status == TO_BE_TAKEN:
        return render_template("mettl/start.html", missing=attempt.missing(), **names)
    return render_template("mettl/test.html", **names)
