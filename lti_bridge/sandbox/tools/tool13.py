"""The pretend LTI 1.3 tool: a quiz that believes nothing unverified and returns its score."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam, page
from lti_bridge.sandbox.exam import Question
from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.tools import tool13_grades
from lti_bridge.sandbox.tools.tool13_items import REQUEST, Choosing
from lti_bridge.sandbox.tools.tool13_oidc import CLAIM, Door, LaunchRefused, Platform, ToolKey

_MAX_BODY = 1_000_000
_QUESTIONS = (
    Question("Tea", "Which tea is not roasted?", ("Green", "Hojicha", "Both are"), 0),
    Question("Tea", "How hot is water for black tea?", ("40 °C", "70 °C", "95 °C"), 2),
    Question("Tea", "Where does rooibos grow?", ("China", "South Africa", "Peru"), 1),
)


@dataclass(frozen=True)
class Tool13Settings:
    """The tool's one customer: the platform's issuer, and the ids that it gave."""

    issuer: str
    client_id: str = "sandbox-tool"
    deployment_id: str = "1"


@dataclass
class Sitting:
    """A launch with what became of it; `message` says how the grade was taken."""

    claims: Mapping[str, Any]
    handed_in: bool = False
    score: str = ""
    message: str = ""
    sent: dict[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """Everything the tool remembers; `refused` are the reasons of launches it did not believe,
    `asked` the claims of requests to choose."""

    door: Door
    key: ToolKey
    choosing: Choosing
    sittings: dict[str, Sitting] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)


def make_app(settings: Tool13Settings) -> Callable[[str], Flask]:
    """A builder for `serving.start`: /login, /launch, /jwks, /take/<token>, /control/state."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        base = base_url.rstrip("/")
        platform = Platform.at(settings.issuer, settings.client_id, settings.deployment_id)
        door = Door(platform, f"{base}/launch", lambda url: url.startswith(f"{base}/launch"))
        key = ToolKey()
        state = State(door, key, Choosing(base, platform, key))
        everything = Blueprint("tool13", __name__)
        _install_door(everything, state)
        _install_pages(everything, state)
        app.register_blueprint(everything)
        app.register_blueprint(state.choosing.blueprint())
        return app

    return build


def _install_door(door: Blueprint, state: State) -> None:
    def refused(error: LaunchRefused) -> tuple[str, int]:
        state.refused.append(str(error))
        return render_template("tool13/refused.html", reason=str(error)), 401

    @door.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse | tuple[str, int]:
        try:
            return state.door.login(request.values.to_dict())
        except LaunchRefused as error:
            return refused(error)

    @door.post("/launch")
    def launch() -> AnyResponse | tuple[str, int]:
        try:
            claims = state.door.launch(request.form.to_dict(), request.cookies)
        except LaunchRefused as error:
            return refused(error)
        if claims[f"{CLAIM}message_type"] == REQUEST:
            state.asked.append(claims)
            return redirect(state.choosing.begin(claims), 303)
        token = secrets.token_urlsafe(24)
        state.sittings[token] = Sitting(claims)
        return redirect(f"/take/{token}", 303)

    @door.get("/jwks")
    def jwks() -> Response:
        return jsonify(state.key.key_set())

    @door.get("/control/state")
    def rows() -> Response:
        launches = [asdict(sitting) for sitting in state.sittings.values()]
        return jsonify(launches=launches, refused=state.refused, asked=state.asked)


def _install_pages(pages: Blueprint, state: State) -> None:
    @pages.get("/take/<token>")
    def show(token: str) -> str:
        sitting = state.sittings.get(token) or abort(404)
        presentation = sitting.claims.get(f"{CLAIM}launch_presentation", {})
        back = web_address(presentation.get("return_url", ""))
        return render_template("tool13/take.html", sitting=sitting, questions=_QUESTIONS, back=back)

    @pages.post("/take/<token>")
    def hand_in(token: str) -> AnyResponse:
        sitting = state.sittings.get(token) or abort(404)
        with state.door.lock:
            first, sitting.handed_in = not sitting.handed_in, True
        if first:
            _hand_in(state, sitting)
        return redirect(f"/take/{token}", 303)


def _hand_in(state: State, sitting: Sitting) -> None:
    sections = exam.mark(_QUESTIONS, request.form)
    top = sum(section.max_marks for section in sections)
    marks = exam.wished_score(request.form)
    if marks is None:
        marks = sum(section.marks for section in sections)
    sitting.score = f"{marks:g} of {top:g}"
    sent = tool13_grades.report(
        state.door.platform, state.key, sitting.claims, repr(marks), repr(top)
    )
    if sent is None:
        sitting.message = "Your course did not ask for a grade, so none was sent."
        return
    sitting.sent, sitting.message = asdict(sent), sent.in_words
