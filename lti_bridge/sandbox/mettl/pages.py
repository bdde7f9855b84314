"""The pages of the pretend Mettl that a candidate sees at the personal link."""

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, staff
from lti_bridge.sandbox.mettl import flow
from lti_bridge.sandbox.mettl import result as mettl_result
from lti_bridge.sandbox.mettl.call import Desk
from lti_bridge.sandbox.mettl.state import COMPLETED, FIRST_NAME, TO_BE_TAKEN, Attempt, Result


def install(pages: Blueprint, desk: Desk) -> None:
    """Add the candidate's pages, and the desk of who marks."""
    _install_staff(pages, desk)

    def find(token: str) -> Attempt:
        return desk.state.attempt_by_token(token) or abort(404)

    @pages.get("/take/<token>")
    def show(token: str) -> str:
        return _page(desk, find(token))

    @pages.post("/take/<token>/start")
    def start(token: str) -> AnyResponse:
        attempt = find(token)
        filled = {name: request.form.get(name, "").strip() for name in attempt.missing()}
        if attempt.expired or not all(filled.values()):
            abort(400)
        flow.start(desk, attempt, filled)
        return redirect(desk.test_url(attempt), 303)

    @pages.post("/take/<token>")
    def hand_in(token: str) -> AnyResponse:
        attempt = find(token)
        if attempt.status == TO_BE_TAKEN:
            abort(400)
        flow.hand_in(desk, attempt, _posted(attempt))
        return redirect(desk.state.settings.exit_redirection_url or desk.test_url(attempt), 303)


def _install_staff(pages: Blueprint, desk: Desk) -> None:
    def papers() -> list[staff.Paper]:
        with desk.state.lock:
            return [_paper(a) for a in desk.state.attempts.values() if a.ended]

    def mark(key: str, score: float) -> None:
        with desk.state.lock:
            attempt = desk.state.attempts[int(key)]
        flow.grade(desk, attempt, mettl_result.of_marks(attempt.schedule.assessment, score))

    staff.install(pages, "Mettl", papers, mark)


def _paper(attempt: Attempt) -> staff.Paper:
    assessment, result = attempt.schedule.assessment, attempt.result
    top = sum(question.marks for question in assessment.questions)
    return staff.Paper(
        key=str(attempt.candidate_instance_id),
        who=str(attempt.registration[FIRST_NAME]),
        what=assessment.name,
        label=f"Marks out of {top:g}",
        marks=f"{result.total_marks:g} of {result.max_marks:g}" if result else "",
    )


def _posted(attempt: Attempt) -> Result:
    assessment = attempt.schedule.assessment
    marks = exam.wished_score(request.form)
    if marks is not None:
        return mettl_result.of_marks(assessment, marks)
    return mettl_result.of_sections(exam.mark(assessment.questions, request.form))


def _page(desk: Desk, attempt: Attempt) -> str:
    names = {"attempt": attempt, "assessment": attempt.schedule.assessment}
    if attempt.status == COMPLETED:
        back = desk.state.settings.exit_redirection_url
        return render_template("mettl/done.html", back=back, **names)
    if attempt.status == TO_BE_TAKEN:
        return render_template("mettl/start.html", missing=attempt.missing(), **names)
    return render_template("mettl/test.html", **names)
