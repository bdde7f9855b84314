"""The pretend LMS: one course whose links launch the bridge over LTI 1.1 and 1.3."""

from collections.abc import Callable

from flask import Flask

from lti_bridge.sandbox import page
from lti_bridge.sandbox.lms import (
    ags,
    control,
    copies,
    deep_linking,
    launch13,
    notices,
    nrps,
    outcomes,
    pages,
    registration,
    token,
)
from lti_bridge.sandbox.lms.course import Elsewhere, LinkSpec, LmsSettings
from lti_bridge.sandbox.lms.state import Lms

__all__ = ["Elsewhere", "LinkSpec", "LmsSettings", "make_app"]

_PARTS = (
    deep_linking,
    pages,
    launch13,
    token,
    outcomes,
    ags,
    nrps,
    notices,
    copies,
    control,
    registration,
)
_REQUEST_LIMIT = 256 * 1024


def make_app(settings: LmsSettings) -> Callable[[str], Flask]:
    """A builder for `serving.start`; the base URL it gets is the issuer."""

    def build(base_url: str) -> Flask:
        app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = _REQUEST_LIMIT
        lms = Lms(settings, base_url.rstrip("/"))
        page.install(app)
        control.install(app, lms)
        for part in _PARTS:
            app.register_blueprint(part.blueprint(lms))
        return app

    return build
