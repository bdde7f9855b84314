"""The pretend demo provider: sessions are bought by an API, taken on a page, and told about."""

from collections.abc import Callable

from flask import Blueprint, Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import demo_api, exam, faults, page
from lti_bridge.sandbox.demo_state import (
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
        demo_api.install(everything, state, base_url.rstrip("/"))
        _install_pages(everything, state)
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


def _mark(state: State, session: Session) -> None:
    test = state.tests[session.asked["test"]]
    if test.manual:
        return state.change(session, HANDED_IN)
    sections = exam.mark(test.questions, request.form)
    maximum = sum(section.max_marks for section in sections)
    score = exam.wished_score(request.form)
    if score is None:
        score = sum(section.marks for section in sections)
    return state.change(session, MARKED, score, maximum)
