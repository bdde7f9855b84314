"""The pretend LMS: one course whose links launch the bridge over LTI 1.1 and 1.3."""

from collections.abc import Callable

from flask import Flask

from lti_bridge.sandbox import (
    lms_ags,
    lms_control,
    lms_deep_linking,
    lms_launch13,
    lms_nrps,
    lms_outcomes,
    lms_pages,
    lms_registration,
    lms_token,
    page,
)
from lti_bridge.sandbox.lms_course import Elsewhere, LinkSpec, LmsSettings
from lti_bridge.sandbox.lms_state import Lms

__all__ = ["Elsewhere", "LinkSpec", "LmsSettings", "make_app"]

_PARTS = (
    lms_deep_linking,
    lms_pages,
    lms_launch13,
    lms_token,
    lms_outcomes,
    lms_ags,
    lms_nrps,
    lms_control,
    lms_registration,
)
_REQUEST_LIMIT = 256 * 1024


def make_app(settings: LmsSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`; the base URL it gets is the issuer."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _REQUEST_LIMIT
        lms = Lms(settings, base_url.rstrip("/"))
        page.install(app)
        lms_control.install(app, lms)
        for part in _PARTS:
            app.register_blueprint(part.blueprint(lms))
        return app

    return build
