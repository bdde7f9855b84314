"""The pretend Isograd: an LTI tool and a REST API over the same candidates and tests."""

from collections.abc import Callable

from flask import Blueprint, Flask

from lti_bridge.sandbox import (
    isograd_api,
    isograd_control,
    isograd_lti,
    isograd_pages,
    page,
)
from lti_bridge.sandbox.isograd_actions import Desk
from lti_bridge.sandbox.isograd_lti13 import Isograd13
from lti_bridge.sandbox.isograd_state import IsogradSettings, State

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
        isograd_control.install(everything, desk.state)
        lti13 = Isograd13(settings.platform, desk.base_url) if settings.platform else None
        if lti13:
            lti13.install(everything, desk.state)
        isograd_lti.install(everything, desk, lti13)
        isograd_api.install(everything, desk)
        isograd_pages.install(everything, desk)
        app.register_blueprint(everything)
        return app

    return build
