"""The front page and the files that pages need."""

from __future__ import annotations

from flask import Blueprint, Response

from lti_bridge.web.rendering import Pages
from lti_bridge.web.stylesheet import StaticFile, load_frame_script, load_stylesheet

_FOR_EVER = "public, max-age=31536000, immutable"


def make_blueprint(pages: Pages) -> Blueprint:
    """The routes `/`, `/favicon.ico` and `/static/bridge/…`."""
    blueprint = Blueprint("bridge_pages", __name__)

    @blueprint.get("/")
    def front() -> Response:
        return pages.front()

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        return Response(status=204, headers={"Cache-Control": _FOR_EVER})

    @blueprint.get("/static/bridge/<stamp>/bridge.css")
    def stylesheet(stamp: str) -> Response:
        return _answer(load_stylesheet(), stamp, "text/css")

    @blueprint.get("/static/bridge/<stamp>/frame.js")
    def frame_script(stamp: str) -> Response:
        return _answer(load_frame_script(), stamp, "text/javascript")

    return blueprint


def _answer(file: StaticFile, stamp: str, mimetype: str) -> Response:
    # During an update, pages of the version before may still ask by their old stamp.
    keep = _FOR_EVER if stamp == file.stamp else "no-cache"
    response = Response(file.body, mimetype=mimetype)
    response.headers["Cache-Control"] = keep
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
