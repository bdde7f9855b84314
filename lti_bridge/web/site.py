"""What people get: the answer to a launch, the preview, the way back, and every error."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from lti_bridge.core.handoff import Ask, Handoff
from lti_bridge.core.launch import Launch
from lti_bridge.core.launching import Launching, Opened, Preview
from lti_bridge.core.substitution import variable_in
from lti_bridge.errors import (
    BadRequest,
    BridgeError,
    LaunchRefused,
    MethodNotAllowed,
    NotFound,
    PageExpired,
    TooLarge,
)
from lti_bridge.store.engine import reachable
from lti_bridge.store.store import Store
from lti_bridge.web.rendering import Pages
from lti_bridge.web.routes import make_blueprint
from lti_bridge.web.views import InstructorView, PreviewForm

log = logging.getLogger("lti_bridge.site")

MAX_MESSAGE = 2000
HTTP_ERRORS: dict[int, type[BridgeError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
}
GO_ON_PATH = "/course/go-on"
JSON = "application/json"


class Site:
    """The pages around the launch core. `new_reference` returns a short id for people."""

    def __init__(
        self,
        pages: Pages,
        launching: Launching,
        store: Store,
        new_reference: Callable[[], str],
    ) -> None:
        self.pages = pages
        self.launching = launching
        self.store = store
        self.new_reference = new_reference

    def launched(self, launch: Launch, frame_ancestors: tuple[str, ...]) -> Response:
        """Answer a verified launch; from here on an error page knows the way back."""
        g.frame_ancestors = frame_ancestors
        _remember(launch)
        opened = self.launching.open(launch)
        handoff = self.launching.hand_off(opened)
        log.info(
            "launch.opened",
            extra={
                "ref": self.reference(),
                "registration": launch.registration,
                "activity": opened.activity.id,
                "connection": opened.connection.name,
                "attempt": opened.attempt.id if opened.attempt else "",
                "kind": launch.standing,
            },
        )
        if isinstance(handoff, Preview):
            return self._instructor(handoff, frame_ancestors)
        return self._handed_off(handoff, frame_ancestors)

    def _handed_off(self, handoff: Handoff, frame_ancestors: tuple[str, ...]) -> Response:
        if isinstance(handoff, Ask):
            action = self.launching.public_url + GO_ON_PATH
            return self.pages.ask(handoff, action, frame_ancestors=frame_ancestors)
        return self.pages.handoff(handoff, frame_ancestors=frame_ancestors)

    def returned(self, handle: str) -> Response:
        """The page for a student who comes back from a provider (LTI 1.1.1 §3, return URL)."""
        found = self.store.launch(handle)
        if found is None:
            raise PageExpired("no such launch")
        for name in ("lti_log", "lti_errorlog"):
            if text := request.values.get(name, "")[:MAX_MESSAGE]:
                log.info("provider.returned", extra={"ref": self.reference(), "reason": text})
        return self.pages.returned(
            title="Welcome back",
            message=(
                "If you have handed in your test, your grade goes to your course by itself. "
                "You may close this window."
            ),
            back_url=found.return_url,
            lti_msg=request.values.get("lti_msg", "")[:MAX_MESSAGE],
            lti_errormsg=request.values.get("lti_errormsg", "")[:MAX_MESSAGE],
        )

    def blueprint(self) -> Blueprint:
        """The routes of this site."""
        routes = Blueprint("site", __name__)
        routes.register_blueprint(make_blueprint(self.pages))

        @routes.post(GO_ON_PATH)
        def go_on() -> Response:
            """The second click of a launch; the token is the proof of the first, not long ago."""
            opened = self.launching.go_on(request.form.get("token", ""))
            _remember(opened.launch)
            return self._handed_off(self.launching.start(opened), ())

        @routes.get("/healthz")
        def healthz() -> Response:
            """Whether the process answers."""
            return Response("ok\n", content_type="text/plain")

        @routes.get("/readyz")
        def readyz() -> Response:
            """Whether launches and grades can be served."""
            if reachable(self.store.database):
                return Response("ready\n", content_type="text/plain")
            return Response("the database does not answer\n", 503, content_type="text/plain")

        return routes

    def http_error(self, error: HTTPException) -> Response:
        """The page for an error of the web framework itself."""
        named = HTTP_ERRORS.get(error.code or 500, BadRequest)
        if (error.code or 500) >= 500:
            named = BridgeError
        response = self._error(named(f"HTTP {error.code}"))
        if error.code == 405 and getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
        return response

    def failed(self, error: Exception) -> Response:
        """The page for anything that went wrong."""
        if isinstance(error, BridgeError):
            return self._error(error)
        log.exception("request.broke", extra={"ref": self.reference(), "path": request.path})
        return self._error(BridgeError(type(error).__name__))

    def reference(self) -> str:
        """This request's reference id: on the page, and in every log line about it."""
        if "reference" not in g:
            g.reference = self.new_reference()
        return str(g.reference)

    def _error(self, error: BridgeError) -> Response:
        level = logging.WARNING if error.status < 500 else logging.ERROR
        log.log(
            level,
            "request.refused" if isinstance(error, LaunchRefused) else "request.failed",
            extra={
                "ref": self.reference(),
                "code": error.code,
                "status": error.status,
                "path": request.path,
                "registration": g.get("registration", ""),
                "reason": error.detail,
            },
        )
        return self.pages.error(
            error,
            reference=self.reference(),
            back_url=g.get("back_url", ""),
            frame_ancestors=g.get("frame_ancestors", ()),
            as_json=request.accept_mimetypes.best_match(("text/html", JSON)) == JSON,
        )

    def _instructor(self, preview: Preview, frame_ancestors: tuple[str, ...]) -> Response:
        opened = preview.opened
        custom = tuple(
            (name, _shown(name, value, opened), variable_in(value) in preview.resolved.unresolved)
            for name, value in sorted(preview.resolved.values.items())
        )
        view = InstructorView(
            activity_title=opened.activity.title,
            activity_id=opened.activity.id,
            connection=opened.connection.name,
            provider_kind=opened.connection.kind,
            course_title=opened.launch.context.title,
            link_title=opened.launch.resource_link.title,
            grade_policy=opened.activity.grade,
            custom=custom,
            preview=PreviewForm(
                self.launching.public_url + GO_ON_PATH, (("token", preview.token),)
            ),
            back_url=opened.launch.presentation.return_url,
        )
        return self.pages.instructor(view, frame_ancestors=frame_ancestors)


def _shown(name: str, value: str, opened: Opened) -> str:
    return "(not shown)" if name in opened.connection.hidden else value


def _remember(launch: Launch) -> None:
    """What an error page of this request needs: whose launch it was, and the way back."""
    g.back_url = launch.presentation.return_url
    g.registration = launch.registration
