"""A pretend LTI 1.1 tool that lets instructors choose (Content-Item 1.0), and shows launches."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import page
from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.tools import items
from lti_bridge.sandbox.tools.oauth import LaunchRefused, Verifier, body_pairs, signature

_MAX_BODY = 1_000_000
_SELECTION = "ContentItemSelectionRequest"


@dataclass(frozen=True)
class Tool11Settings:
    """The tool's one customer."""

    consumer_key: str
    shared_secret: str


@dataclass
class State:
    """What the tool remembers: who chooses, and the parameters of launches that it believed."""

    asked: dict[str, Mapping[str, str]] = field(default_factory=dict)
    launches: list[dict[str, str]] = field(default_factory=list)


def make_app(settings: Tool11Settings) -> Callable[[str], Flask]:
    """A builder for `serving.start`: /launch, /choose/<token>, /control/state."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        app.register_blueprint(_pages(settings, base_url.rstrip("/")))
        return app

    return build


def _pages(settings: Tool11Settings, base: str) -> Blueprint:
    pages = Blueprint("tool11", __name__)
    state = State()
    verifier = Verifier(settings.consumer_key, settings.shared_secret)
    lock = threading.Lock()

    @pages.post("/launch")
    def launch() -> AnyResponse | tuple[str, int] | str:
        query = request.query_string.decode()
        url = f"{base}/launch" + (f"?{query}" if query else "")
        pairs = body_pairs(request.get_data(as_text=True))
        try:
            with lock:
                verifier.verify(url, pairs)
        except LaunchRefused as error:
            return render_template("tool13/refused.html", reason=str(error)), 401
        if dict(pairs).get("lti_message_type") == _SELECTION:
            token = secrets.token_urlsafe(24)
            state.asked[token] = dict(pairs)
            return redirect(f"/choose/{token}", 303)
        state.launches.append({**dict(body_pairs(query)), **dict(pairs)})
        return "launched"

    @pages.get("/choose/<token>")
    def choose(token: str) -> str:
        asked = state.asked.get(token) or abort(404)
        settings = {"accept_multiple": asked.get("accept_multiple") == "true"}
        return render_template("tool13/choose.html", chapters=items.CHAPTERS, settings=settings)

    @pages.post("/choose/<token>")
    def answer(token: str) -> str:
        asked = state.asked.pop(token, None) or abort(404)
        action = web_address(asked["content_item_return_url"])
        fields = _answer(settings, asked, base, request.form.getlist("chapter"))
        return render_template("tool13/answer.html", action=action, fields=fields)

    @pages.get("/control/state")
    def rows() -> Response:
        return jsonify(launches=state.launches)

    return pages


def _answer(
    settings: Tool11Settings, asked: Mapping[str, str], base: str, chosen: list[str]
) -> dict[str, str]:
    fields = {
        "lti_message_type": "ContentItemSelection",
        "lti_version": "LTI-1p0",
        "data": asked["data"],
        "oauth_version": "1.0",
        "oauth_nonce": secrets.token_hex(16),
        "oauth_timestamp": str(int(time.time())),
        "oauth_consumer_key": settings.consumer_key,
        "oauth_signature_method": "HMAC-SHA1",
    }
    if chosen:
        fields["content_items"] = items.items11(base, chosen)
    else:
        fields["lti_errormsg"] = "You <b>left</b> without a quiz."
    if "forget" in request.form:
        del fields["data"]
    url = asked["content_item_return_url"]
    fields["oauth_signature"] = signature("POST", url, fields.items(), settings.shared_secret)
    return fields
