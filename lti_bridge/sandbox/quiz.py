"""The pretend quiz: a plain LTI 1.1 tool of nobody in particular, which sends its grade back."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Blueprint, Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, page
from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.tools import outcome
from lti_bridge.sandbox.tools.oauth import LaunchRefused, Verifier, body_pairs

_MAX_BODY = 1_000_000
_QUESTIONS = (
    Question("Bread", "What makes bread rise?", ("Salt", "Yeast", "Butter"), 1),
    Question("Bread", "Which grain is in rye bread?", ("Rye", "Rice", "Maize"), 0),
    Question("Bread", "How hot is an oven for bread?", ("60 °C", "120 °C", "230 °C"), 2),
)


@dataclass(frozen=True)
class QuizSettings:
    """The key and the secret that the tool gave to its one customer."""

    consumer_key: str = "sandbox-quiz"
    shared_secret: str = "sandbox-quiz-secret"  # noqa: S105 - a pretend secret


@dataclass
class Sitting:
    """A launch with what became of it; `message` says how the grade was taken."""

    launch: Mapping[str, str]
    handed_in: bool = False
    score: str = ""
    message: str = ""


@dataclass
class State:
    """Every sitting by its token. Whoever reads then writes holds `lock` meanwhile."""

    verifier: Verifier
    lock: threading.RLock = field(default_factory=threading.RLock)
    sittings: dict[str, Sitting] = field(default_factory=dict)


def make_app(settings: QuizSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`; launches must be signed for the base URL it gets."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        state = State(Verifier(settings.consumer_key, settings.shared_secret))
        everything = Blueprint("quiz", __name__)
        _install_launch(everything, state, f"{base_url.rstrip('/')}/launch")
        _install_pages(everything, settings, state)
        app.register_blueprint(everything)
        return app

    return build


def _install_launch(door: Blueprint, state: State, url: str) -> None:
    @door.post("/launch")
    def launch() -> AnyResponse | tuple[str, int]:
        try:
            pairs = body_pairs(request.get_data(as_text=True))
            query = request.query_string.decode()
            with state.lock:
                state.verifier.verify(f"{url}?{query}" if query else url, pairs)
        except (LaunchRefused, UnicodeDecodeError) as error:
            return render_template("quiz/refused.html", reason=str(error)), 401
        token = secrets.token_urlsafe(24)
        with state.lock:
            state.sittings[token] = Sitting(dict(pairs))
        return redirect(f"/quiz/{token}", 303)


def _install_pages(pages: Blueprint, settings: QuizSettings, state: State) -> None:
    @pages.get("/quiz/<token>")
    def show(token: str) -> str:
        sitting = state.sittings.get(token) or abort(404)
        back = web_address(sitting.launch.get("launch_presentation_return_url", ""))
        return render_template("quiz/quiz.html", sitting=sitting, questions=_QUESTIONS, back=back)

    @pages.post("/quiz/<token>")
    def hand_in(token: str) -> AnyResponse:
        sitting = state.sittings.get(token) or abort(404)
        with state.lock:
            first, sitting.handed_in = not sitting.handed_in, True
        if first:
            _hand_in(settings, sitting)
        return redirect(f"/quiz/{token}", 303)


def _hand_in(settings: QuizSettings, sitting: Sitting) -> None:
    sections = exam.mark(_QUESTIONS, request.form)
    top = sum(section.max_marks for section in sections)
    marks = exam.wished_score(request.form)
    if marks is None:
        marks = sum(section.marks for section in sections)
    sitting.score = f"{marks:g} of {top:g}"
    sourcedid = sitting.launch.get("lis_result_sourcedid", "")
    url = sitting.launch.get("lis_outcome_service_url", "")
    if not (sourcedid and url):
        sitting.message = "Your course did not ask for a grade, so none was sent."
        return
    body = outcome.message("replace", sourcedid, repr(marks / top))
    answer = outcome.send(url, body, settings.consumer_key, settings.shared_secret)
    sitting.message = answer.in_words
