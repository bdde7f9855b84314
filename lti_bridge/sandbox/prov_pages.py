"""The page of the pretend Prov on which a candidate takes the exam of an event."""

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, prov_results
from lti_bridge.sandbox.prov_state import QUESTIONS, State


def install(pages: Blueprint, state: State) -> None:
    """Add the page."""

    @pages.get("/exam/<token>")
    def show(token: str) -> str:
        event = state.event(token=token) or abort(404)
        return render_template(
            "prov/exam.html",
            event=event,
            title=event.sent.get(state.settings.names.exam_name) or event.exam_code,
            name=state.candidate_name(event),
            top=state.settings.max_score,
            questions=QUESTIONS,
        )

    @pages.post("/exam/<token>")
    def hand_in(token: str) -> AnyResponse:
        event = state.event(token=token) or abort(404)
        prov_results.hand_in(state, event, *_posted(state))
        return redirect(f"/exam/{token}", 303)


def _posted(state: State) -> tuple[float, dict[str, float]]:
    score = exam.wished_score(request.form)
    if score is not None:
        return score, {}
    return prov_results.of_sections(state, exam.mark(QUESTIONS, request.form))
