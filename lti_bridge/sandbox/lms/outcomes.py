"""The Basic Outcomes service: POX messages that write, read and delete one grade."""

import re
import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from flask import Blueprint, Response, g, render_template, request
from lxml import etree

from lti_bridge.sandbox.lms import launch
from lti_bridge.sandbox.lms.bearer import token_scopes
from lti_bridge.sandbox.lms.claims import BO_SCOPE
from lti_bridge.sandbox.lms.oauth1 import BadSignature, check_body_signed
from lti_bridge.sandbox.lms.state import Item, Lms

_NS = "{http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0}"
_OPERATIONS = ("replaceResult", "readResult", "deleteResult")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?")
_LTI_XML = "application/vnd.ims.lti.v1.outcome+xml"


class _Failure(Exception):
    """A message that changes nothing and is answered with `failure`; the text says why."""


@dataclass
class _Reply:
    """What the answering envelope says."""

    operation: str = "unknown"
    reference: str = ""
    major: str = "failure"
    description: str = ""
    score: str | None = None


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/outcomes`."""
    bp = Blueprint("outcomes", __name__)

    @bp.route("/lti/outcomes", methods=["GET", "POST"])
    def outcomes() -> Response:
        reply = _Reply()
        try:
            version = _authenticate(lms)
            _handle(lms, version, request.get_data(), reply)
        except _Failure as failure:
            reply.description = str(failure)
        text = render_template("lms/outcome.xml", reply=reply, message_id=secrets.token_hex(8))
        return lms.family.outcome_answer(text, reply.major)

    return bp


def _authenticate(lms: Lms) -> Literal["1.1", "1.3"]:
    """Which LTI version's rules the sender proved itself by."""
    authorization = request.headers.get("Authorization", "")
    if request.method != "POST" or not authorization:
        raise _Failure("A consumer key or an access token is missing or wrong")
    if authorization.startswith("Bearer "):
        if BO_SCOPE not in (token_scopes(lms) or ()):
            raise _Failure("A consumer key or an access token is missing or wrong")
        if request.mimetype not in (_LTI_XML, "application/xml"):
            raise _Failure("The content type is wrong")
        return "1.3"
    if request.mimetype != "application/xml":
        raise _Failure("The message signature is not valid: content type is not application/xml")
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    url = f"{launch.outcome_url(lms)}{query}"
    key, secret = lms.settings.consumer_key, lms.settings.shared_secret
    try:
        check_body_signed(lms.state, authorization, url, request.get_data(), key, secret)
    except BadSignature as bad:
        raise _Failure(f"The message signature is not valid: {bad}") from bad
    return "1.1"


def _handle(lms: Lms, version: str, body: bytes, reply: _Reply) -> None:
    operation, element = _read_envelope(body, reply)
    reply.operation = operation
    if operation not in _OPERATIONS:
        reply.major, reply.description = "unsupported", f"{operation} is not supported"
        return
    item, user_id = _find_cell(lms, version, element)
    g.log_user = user_id
    if operation == "readResult":
        reply.score = _score_text(lms, item, user_id)
    else:
        score = _read_score(element) if operation == "replaceResult" else None
        if refused := lms.family.outcome_refusal(item, user_id):
            raise _Failure(refused)
        lms.family.outcome_score(item, user_id, score)
    reply.major, reply.description = "success", f"{operation} is done"


def _read_envelope(body: bytes, reply: _Reply) -> tuple[str, etree._Element]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _Failure("The message is not XML") from error
    if root.getroottree().docinfo.doctype or root.tag != f"{_NS}imsx_POXEnvelopeRequest":
        raise _Failure("The message is not a POX request")
    reference = f"{_NS}imsx_POXHeader/{_NS}imsx_POXRequestHeaderInfo/{_NS}imsx_messageIdentifier"
    reply.reference = root.findtext(reference, "").strip()
    if not reply.reference:
        raise _Failure("The message has no identifier")
    operations = root.findall(f"{_NS}imsx_POXBody/*")
    if len(operations) != 1:
        raise _Failure("The message must hold one operation")
    return etree.QName(operations[0]).localname.removesuffix("Request"), operations[0]


def _find_cell(lms: Lms, version: str, element: etree._Element) -> tuple[Item, str]:
    sourcedid = element.findtext(f"{_NS}resultRecord/{_NS}sourcedGUID/{_NS}sourcedId", "")
    try:
        link_id, user_id = lms.family.cell(sourcedid.strip())
    except ValueError as error:
        raise _Failure(str(error)) from error
    link = lms.link(link_id)
    if link is None or link.lti != version:
        raise _Failure("The sourcedId belongs to another tool")
    item = lms.state.item_of_link(link_id)
    if not link.offers_bo or item is None:
        raise _Failure("This activity takes no grades")
    return item, user_id


def _read_score(element: etree._Element) -> Decimal:
    path = f"{_NS}resultRecord/{_NS}result/{_NS}resultScore/{_NS}textString"
    text = element.findtext(path, "").strip()
    g.log_value = text
    if not _NUMBER.fullmatch(text):
        raise _Failure("The score is not a number")
    score = Decimal(text)
    if score > 1:
        raise _Failure("The score is not between 0 and 1")
    return score


def _score_text(lms: Lms, item: Item, user_id: str) -> str:
    with lms.state.lock:
        grade = item.grades.get(user_id)
    if grade is None or grade.points is None:
        return ""
    score = (grade.points / item.maximum).quantize(Decimal("0.0000001"))
    return f"{score.normalize():f}"
