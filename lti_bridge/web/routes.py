"""The front page and the files that pages need."""

from __future__ import annotations

from flask import Blueprint, Response, request

from lti_bridge.errors import BadRequest
from lti_bridge.web.rendering import Pages
from lti_bridge.web.stylesheet import (
    StaticFile,
    load_alone_script,
    load_frame_script,
    load_stylesheet,
)

PEOPLES = "/course/"  # where the forms of the bridge's own pages go
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

    @blueprint.get("/static/bridge/<stamp>/alone.js")
    def alone_script(stamp: str) -> Response:
        return _answer(load_alone_script(), stamp, "text/javascript")

    return blueprint


def refuse_nul() -> None:
    """Before any request: no database text can hold NUL, and nobody needs it. Raises BadRequest.

    Forms are looked at for the pages of people only; other doors read theirs themselves.
    """
    form = request.form.values() if request.path.startswith(PEOPLES) else ()
    if b"%00" in request.query_string or any("\0" in one for one in (request.path, *form)):
        raise BadRequest("a NUL character")


def _answer(file: StaticFile, stamp: str, mimetype: str) -> Response:
    # During an update, pages of the version before may still ask by their old stamp.
    keep = _FOR_EVER if stamp == file.stamp else "no-cache"
    response = Response(file.body, mimetype=mimetype)
    response.headers["Cache-Control"] = keep
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
