"""The pretend Isograd: an LTI tool and a REST API over the same candidates and tests."""

from collections.abc import Callable

from flask import Blueprint, Flask

from lti_bridge.sandbox import page
from lti_bridge.sandbox.isograd import api, control, lti, pages
from lti_bridge.sandbox.isograd.actions import Desk
from lti_bridge.sandbox.isograd.lti13 import Isograd13
from lti_bridge.sandbox.isograd.state import IsogradSettings, State

__all__ = ["IsogradSettings", "make_app"]

_MAX_BODY = 1_000_000


def make_app(settings: IsogradSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`; launches must be signed for the base URL it gets."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        page.install(app)
        desk = Desk(State(settings), base_url.rstrip("/"))
        everything = Blueprint("isograd", __name__)
        control.install(everything, desk.state)
        lti13 = Isograd13(settings.platform, desk.base_url) if settings.platform else None
        if lti13:
            lti13.install(everything, desk.state)
        lti.install(everything, desk, lti13)
        api.install(everything, desk)
        pages.install(everything, desk)
        app.register_blueprint(everything)
        return app

    return build
