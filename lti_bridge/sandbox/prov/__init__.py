"""The pretend Prov: a generic API for candidates and events, an exam page, and results."""

from collections.abc import Callable

from flask import Blueprint, Flask

from lti_bridge.sandbox import faults, page
from lti_bridge.sandbox.prov import api, control, pages
from lti_bridge.sandbox.prov.state import Names, ProvSettings, State

__all__ = ["Names", "ProvSettings", "make_app"]

_MAX_BODY = 1_000_000


def make_app(settings: ProvSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        state = State(settings)
        everything = Blueprint("prov", __name__)
        faults.install(everything, state.faults)
        faults.install_rows(everything, state)
        control.install(everything, state)
        api.install(everything, state, base_url.rstrip("/"))
        pages.install(everything, state)
        app.register_blueprint(everything)
        return app

    return build
