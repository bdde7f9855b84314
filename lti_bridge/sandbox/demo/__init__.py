"""The pretend demo provider: sessions are bought by an API, taken on a page, and told about."""

from collections.abc import Callable

from flask import Blueprint, Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, faults, page, staff
from lti_bridge.sandbox.demo import api
from lti_bridge.sandbox.demo.state import (
    HANDED_IN,
    MARKED,
    OPEN,
    STARTED,
    DemoSettings,
    Session,
    State,
    Test,
)

__all__ = ["DemoSettings", "Test", "make_app"]

_MAX_BODY = 1_000_000


def make_app(settings: DemoSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        state = State(settings)
        everything = Blueprint("demo", __name__)
        faults.install(everything, state.faults)
        faults.install_rows(everything, state)
        api.install(everything, state, base_url.rstrip("/"))
        _install_pages(everything, state)
        _install_staff(everything, state)
        app.register_blueprint(everything)
        return app

    return build


def _install_pages(pages: Blueprint, state: State) -> None:
    @pages.get("/take/<token>")
    def show(token: str) -> str:
        session = state.by_token(token) or abort(404)
        if session.state == OPEN:
            state.change(session, STARTED)
        test = state.tests[session.asked["test"]]
        return render_template("demo/test.html", session=session, test=test)

    @pages.post("/take/<token>")
    def hand_in(token: str) -> AnyResponse:
        session = state.by_token(token) or abort(404)
        with state.lock:
            over = session.state not in (OPEN, STARTED)
            session.state = session.state if over else HANDED_IN
        if not over:
            _mark(state, session)
        return redirect(f"/take/{token}", 303)


def _install_staff(pages: Blueprint, state: State) -> None:
    def papers() -> list[staff.Paper]:
        with state.lock:
            found = [s for s in state.sessions.values() if s.state in (HANDED_IN, MARKED)]
            return [_paper(session, state.tests[session.asked["test"]]) for session in found]

    def mark(key: str, score: float) -> None:
        with state.lock:
            session = state.sessions[key]
        state.change(session, MARKED, score, state.tests[session.asked["test"]].maximum)

    staff.install(pages, "Demo provider", papers, mark)


def _paper(session: Session, test: Test) -> staff.Paper:
    marks = "" if session.score is None else f"{session.score:g} of {session.maximum:g}"
    who = session.asked.get("name") or session.id
    return staff.Paper(session.id, who, test.title, f"Marks out of {test.maximum:g}", marks)


def _mark(state: State, session: Session) -> None:
    test = state.tests[session.asked["test"]]
    if test.manual:
        return state.change(session, HANDED_IN)
    sections = exam.mark(test.questions, request.form)
    score = exam.wished_score(request.form)
    if score is None:
        score = sum(section.marks for section in sections)
    return state.change(session, MARKED, score, test.maximum)
