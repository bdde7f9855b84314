"""The address that LMSs send notices to, by themselves and without a browser."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from flask import Blueprint, Response, request

from lti_bridge.core.journal.hop import failed, note
from lti_bridge.errors import BridgeError
from lti_bridge.lms.notices import Notices

log = logging.getLogger("lti_bridge.notices")

NOTICES_PATH = "/lti/notices/"
MAX_BODY = 262_144  # bytes: of as many notices as may come at once
JSON = "application/json"


def blueprint(notices: Notices, reference: Callable[[], str]) -> Blueprint:
    """The address of every registration; `reference` is what finds a request in the log."""
    routes = Blueprint("lms_notices", __name__)

    @routes.post(f"{NOTICES_PATH}<registration>")
    def take(registration: str) -> Response:
        """Signed notices (Platform Notification Service 1.0); those that are good count."""
        request.max_content_length = MAX_BODY
        try:
            refused = notices.receive(registration, request.get_data(cache=False))
        except BridgeError as error:
            return _answer(reference(), registration, [(None, error)])
        return _answer(reference(), registration, [(one.place, one.error) for one in refused])

    return routes


def _answer(
    reference: str, registration: str, refused: list[tuple[int | None, BridgeError]]
) -> Response:
    """200 when all were taken; else the first refusal's status, and which were refused."""
    if not refused:
        note(registration=registration, proved=True)
        return Response(status=200, content_type=JSON)
    told = []
    failed(refused[0][1])
    for place, error in refused:
        extra = {"ref": reference, "registration": registration, "code": error.code}
        log.warning("notice.refused", extra={**extra, "reason": error.detail})
        told.append({"notice": place, "error": error.code})
    body = {"error": refused[0][1].code, "refused": told, "reference": reference}
    return Response(json.dumps(body), refused[0][1].status, content_type=JSON)
