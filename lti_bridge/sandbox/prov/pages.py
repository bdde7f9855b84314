"""The pages of the pretend Prov: the exam of an event, and the desk of who scores it."""

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, staff
from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.prov import results
from lti_bridge.sandbox.prov.state import QUESTIONS, Event, State


def install(pages: Blueprint, state: State) -> None:
    """Add the pages."""
    _install_staff(pages, state)

    @pages.get("/exam/<token>")
    def show(token: str) -> str:
        event = state.event(token=token) or abort(404)
        return render_template(
            "prov/exam.html",
            event=event,
            title=_title(state, event),
            name=state.candidate_name(event),
            top=state.settings.max_score,
            questions=QUESTIONS,
            back=web_address(event.sent.get(state.settings.names.return_url, "")),
        )

    @pages.post("/exam/<token>")
    def hand_in(token: str) -> AnyResponse:
        event = state.event(token=token) or abort(404)
        results.hand_in(state, event, *_posted(state))
        return redirect(f"/exam/{token}", 303)


def _install_staff(pages: Blueprint, state: State) -> None:
    def papers() -> list[staff.Paper]:
        with state.lock:
            return [_paper(state, event) for event in state.events.values() if event.handed_in]

    def mark(key: str, score: float) -> None:
        with state.lock:
            event = state.events[key]
        results.finish(state, event, score, {})

    staff.install(pages, "Prov", papers, mark)


def _paper(state: State, event: Event) -> staff.Paper:
    return staff.Paper(
        key=event.event_id,
        who=state.candidate_name(event) or event.candidate_id,
        what=_title(state, event),
        label=f"Score, up to {state.settings.max_score:g}",
        marks="" if event.score is None else f"{event.score:g}",
    )


def _title(state: State, event: Event) -> str:
    return str(event.sent.get(state.settings.names.exam_name) or event.exam_code)


def _posted(state: State) -> tuple[float, dict[str, float]]:
    score = exam.wished_score(request.form)
    if score is not None:
        return score, {}
    return results.of_sections(state, exam.mark(QUESTIONS, request.form))
