"""Every error as a page or as JSON, with a reference id, and with the way back of its launch."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from lti_bridge.core.journal import hop as hops
from lti_bridge.core.journal.facts import of_launch
from lti_bridge.core.launch.message import Launch
from lti_bridge.errors import (
    BadRequest,
    BridgeError,
    LaunchRefused,
    MethodNotAllowed,
    NotFound,
    PageExpired,
    TooLarge,
)
from lti_bridge.web.rendering import Pages

log = logging.getLogger("lti_bridge.site")

HTTP_ERRORS: dict[int, type[BridgeError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
}
JSON = "application/json"


class ErrorPages:
    """What an error page tells, and what this request has said of itself until then.

    `new_reference` returns a short id for people. `framing` says for a registration and a launch's
    return URL which origins may frame a page, `trusted` whether a registration still is one.
    """

    def __init__(
        self,
        pages: Pages,
        new_reference: Callable[[], str],
        framing: Callable[[str, str], tuple[str, ...]],
        trusted: Callable[[str], bool],
    ) -> None:
        self.pages = pages
        self.new_reference = new_reference
        self.framing = framing
        self.trusted = trusted

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
            sender = error.sender if isinstance(error, LaunchRefused) else None
            if sender is not None and self.trusted(sender.registration):
                hops.note(registration=sender.registration, proved=True)
                self.remember_lms(*sender)
            return self._error(error)
        log.exception("request.broke", extra={"ref": self.reference(), "path": request.path})
        return self._error(BridgeError(type(error).__name__))

    def remember(self, launch: Launch) -> tuple[str, ...]:
        """Keep what an error page needs: whose launch, the way back; who may frame the answer.

        Raises PageExpired for a launch that was held when its LMS was retired.
        """
        if not self.trusted(launch.registration):
            raise PageExpired("the LMS is not trusted any more")
        hops.note(**of_launch(launch))
        return self.remember_lms(launch.registration, launch.presentation.return_url)

    def remember_lms(self, registration: str, return_url: str) -> tuple[str, ...]:
        """As `remember`, where there is no launch."""
        g.back_url = return_url
        g.registration = registration
        g.frame_ancestors = self.framing(registration, return_url)
        return tuple(g.frame_ancestors)

    def reference(self) -> str:
        """This request's reference id: on the page, and in every log line about it."""
        if "reference" not in g:
            g.reference = self.new_reference()
        return str(g.reference)

    def log_refusal(self, error: BridgeError) -> None:
        """Write down why, under the reference id; a refusal is a warning, a failure an error."""
        g.code = error.code
        hops.failed(error)
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

    def _error(self, error: BridgeError) -> Response:
        self.log_refusal(error)
        return self.pages.error(
            error,
            reference=self.reference(),
            back_url=g.get("back_url", ""),
            frame_ancestors=g.get("frame_ancestors", ()),
            as_json=request.accept_mimetypes.best_match(("text/html", JSON)) == JSON,
        )
