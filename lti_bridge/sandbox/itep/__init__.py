"""The pretend iTEP: one signed endpoint for test IDs, the candidate's test, and web-hooks."""

from collections.abc import Callable

from flask import Blueprint, Flask

from lti_bridge.sandbox import faults, page
from lti_bridge.sandbox.itep import control, fulfillment, pages
from lti_bridge.sandbox.itep.state import ItepSettings, State, Track

__all__ = ["ItepSettings", "Track", "make_app"]

_MAX_BODY = 1_000_000


def make_app(settings: ItepSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        state = State(settings)
        everything = Blueprint("itep", __name__)
        faults.install(everything, state.faults)
        faults.install_rows(everything, state)
        control.install(everything, state)
        fulfillment.install(everything, state, base_url.rstrip("/"))
        pages.install(everything, state)
        app.register_blueprint(everything)
        return app

    return build
