"""The front page, the files that pages need, and what no address takes."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from flask import Blueprint, Response, request

from lti_bridge.errors import BadRequest
from lti_bridge.web.rendering import Pages
from lti_bridge.web.stylesheet import (
    StaticFile,
    load_alone_script,
    load_frame_script,
    load_stylesheet,
)

# Bytes of a body, by how the address begins, of all that take forms. The doors that programs call
# have limits of their own, which they answer in their own way.
FORMS = {
    "/admin/": 65_536,
    "/course/": 262_144,
    "/hooks/": 262_144,
    "/lti/launch": 262_144,
    "/lti/login": 65_536,
    "/platform/authorize": 65_536,
    "/platform/return/": 65_536,
}
MAX_FIELDS = 1000  # of a query, and of a form
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


def check_request() -> None:
    """Before any request: it may be no larger than its address needs, and hold no NUL.

    Reading a form takes time for each field, and no database text can hold NUL. Raises BadRequest,
    and Flask's own 413.
    """
    path, mimetype = request.path, request.mimetype
    form = mimetype == "application/x-www-form-urlencoded"
    for begin, limit in FORMS.items():
        if path.startswith(begin):
            request.max_content_length = limit
            if mimetype.startswith("multipart/"):
                raise BadRequest("a form with parts")
    for sent in (request.query_string, request.get_data() if form else b""):
        if sent.count(b"&") >= MAX_FIELDS:
            raise BadRequest("too many fields")
        if b"\0" in sent or b"%00" in sent:
            raise BadRequest("a NUL character")
    if "\0" in path:
        raise BadRequest("a NUL character")


# Where browsers come; at a former address they are sent on, so that cookies are kept at one host.
BROWSERS = (
    "/admin/",
    "/course/",
    "/lti/launch",
    "/lti/login",
    "/platform/authorize",
    "/platform/deep-link",
    "/platform/return/",
)


def send_on(public_url: str, former_urls: Sequence[str]) -> Response | None:
    """Before any request: send a browser that came to a former address to the present one.

    307, so that forms come along. Programs are answered where they are.
    """
    hosts = {urlsplit(url).netloc for url in former_urls} - {urlsplit(public_url).netloc}
    if request.host not in hosts or not request.path.startswith(BROWSERS):
        return None
    query = request.query_string.decode("ascii", "replace")
    where = public_url + quote(request.path) + (f"?{query}" if query else "")
    response = Response(status=307, headers={"Location": where})
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _answer(file: StaticFile, stamp: str, mimetype: str) -> Response:
    # During an update, pages of the version before may still ask by their old stamp.
    keep = _FOR_EVER if stamp == file.stamp else "no-cache"
    response = Response(file.body, mimetype=mimetype)
    response.headers["Cache-Control"] = keep
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
