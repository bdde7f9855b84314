"""The addresses by which an LMS and the bridge get to know each other."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from lti_bridge.lms.config_documents import Document, canvas_json, cartridge_xml
from lti_bridge.lms.register import Registering

REGISTER_PATH = "/lti/register"
CANVAS_PATH = "/lti/config.json"
CARTRIDGE_PATH = "/lti/config.xml"
DOCUMENT_MAX_AGE_S = 3600


def blueprint(
    registering: Registering, registered: Callable[[str, str, bool], Response]
) -> Blueprint:
    """Dynamic registration, and the two documents; `registered` makes the page at its end."""
    routes = Blueprint("lms_register", __name__)
    canvas, cartridge = canvas_json(registering.tool), cartridge_xml(registering.tool)

    @routes.get(REGISTER_PATH, defaults={"invitation": ""})
    @routes.get(f"{REGISTER_PATH}/<invitation>")
    def register(invitation: str) -> Response:
        """Opened by an LMS with an invitation in the address (LTI Dynamic Registration 1.0).

        It stands in the path, because LMSs exist that add their own query with a second `?`.
        Invitations of before have it in the query.
        """
        values = {name: request.args.getlist(name) for name in request.args}
        if invitation:
            values["invitation"] = [invitation]
        done = registering.register(values)
        return registered(done.name, done.issuer, done.active)

    @routes.get(CANVAS_PATH)
    def canvas_document() -> Response:
        """The LTI 1.3 configuration that Canvas reads by address."""
        return _serve(canvas)

    @routes.get(CARTRIDGE_PATH)
    def cartridge_document() -> Response:
        """The LTI 1.1 cartridge that LMSs read by address."""
        return _serve(cartridge)

    return routes


def _serve(document: Document) -> Response:
    response = Response(document.body, content_type=document.content_type)
    response.headers["Cache-Control"] = f"public, max-age={DOCUMENT_MAX_AGE_S}"
    response.headers["ETag"] = document.etag
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response
