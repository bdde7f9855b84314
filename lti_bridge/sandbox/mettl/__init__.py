"""The pretend Mettl: a signed REST API, the candidate's test page, and web-hooks."""

from collections.abc import Callable

from flask import Blueprint, Flask

from lti_bridge.sandbox import faults, page
from lti_bridge.sandbox.mettl import api, control, pages
from lti_bridge.sandbox.mettl.call import Desk
from lti_bridge.sandbox.mettl.state import Assessment, MettlSettings, State

__all__ = ["Assessment", "MettlSettings", "make_app"]

_MAX_BODY = 1_000_000


def make_app(settings: MettlSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`; calls must be signed for the address they are sent to."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        desk = Desk(State(settings), base_url.rstrip("/"))
        everything = Blueprint("mettl", __name__)
        faults.install(everything, desk.state.faults)
        faults.install_rows(everything, desk.state)
        control.install(everything, desk)
        api.install(everything, desk)
        pages.install(everything, desk)
        app.register_blueprint(everything)
        return app

    return build
