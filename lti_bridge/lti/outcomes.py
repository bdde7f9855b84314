"""The XML of Basic Outcomes, both sides: requests and answers (LTI 1.1.1, section 6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lxml import etree

from lti_bridge import errors

NAMESPACE = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"
# That of the draft, which older libraries still write (ims-lti for Ruby and Python, LtiLibrary).
DRAFT_NAMESPACE = "http://www.imsglobal.org/lis/oms1p0/pox"
# Moodle, Canvas and Sakai look at no namespace at all. One document has one, and every element
# of it is there: readers must not be able to disagree on which element counts.
_TAKEN = (f"{{{NAMESPACE}", f"{{{DRAFT_NAMESPACE}", "")  # as `_space` has them
CONTENT_TYPE = "application/xml"
CONTENT_TYPE_13 = "application/vnd.ims.lti.v1.outcome+xml"
REPLACE = "replaceResult"
READ = "readResult"
DELETE = "deleteResult"
OPERATIONS = (REPLACE, READ, DELETE)

_MAX_BYTES = 64 * 1024
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
_SCORE = re.compile(r"(?:[0-9]{1,64}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,2})?")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# lxml's stubs are not installed, and its elements are used here only.
_Element = Any


@dataclass(frozen=True, slots=True)
class OutcomeRequest:
    """A tool's request. `operation` is one of OPERATIONS, else the unknown element's name.

    `score_text` is what the tool sent, unchecked; None when there is none.
    """

    operation: str
    message_id: str
    sourced_id: str
    score_text: str | None


@dataclass(frozen=True, slots=True)
class OutcomeResponse:
    """An LMS's answer. `score_text` is None without a score element, "" when there is no grade.

    `code_major` is lower case; success, processing, failure and unsupported have a meaning.
    """

    code_major: str
    severity: str
    code_minor: str
    description: str
    message_ref: str
    score_text: str | None


def build_request(
    operation: str,
    sourced_id: str,
    message_id: str,
    score: Decimal | None,
    *,
    text: str | None = None,
) -> bytes:
    """A request for an LMS; `score` (0..1) and the feedback `text` only go with replaceResult.

    `text` needs an LMS that announced it (ext_outcome_data_values_accepted). Raises
    DeliveryRefused when `sourced_id` holds a character that XML 1.0 cannot carry.
    """
    if _NOT_XML.search(sourced_id):
        raise errors.DeliveryRefused("outcome: the sourcedId cannot be written in XML")
    result = ""
    if score is not None:
        result = _score_element(score_text(score))
        if text is not None:
            result += _element("resultData", _element("text", _escaped(text)))
        result = _element("result", result)
    record = _element("sourcedGUID", _element("sourcedId", _escaped(sourced_id))) + result
    header = _element("imsx_messageIdentifier", _escaped(message_id))
    body = _element(f"{operation}Request", _element("resultRecord", record))
    return _envelope("Request", header, body)


def parse_request(body: bytes) -> OutcomeRequest:
    """Read a tool's request; raises BadRequest, which names the element, when it is malformed.

    It is in the namespace of the specification, in that of its draft, or in none.
    """
    declared = _ENCODING.match(body.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].lower() != b"utf-8":
        raise _malformed("the XML declaration names another encoding than UTF-8")
    return _request(_parsed(body))


def build_response(
    code_major: str,
    severity: str,
    description: str,
    message_id: str,
    message_ref: str,
    operation_ref: str,
    *,
    score: str | None = None,
) -> bytes:
    """An answer for a tool; `score` is the text of a readResult, "" meaning no grade."""
    status = "".join(
        [
            _element(name, _escaped(text))
            for name, text in (
                ("imsx_codeMajor", code_major),
                ("imsx_severity", severity),
                ("imsx_description", description),
                ("imsx_messageRefIdentifier", message_ref),
                ("imsx_operationRefIdentifier", operation_ref),
            )
        ]
    )
    header = _element("imsx_messageIdentifier", _escaped(message_id))
    header += _element("imsx_statusInfo", status)
    body = f"<{operation_ref}Response/>" if operation_ref in OPERATIONS else ""
    if body and score is not None:
        body = _element(f"{operation_ref}Response", _element("result", _score_element(score)))
    return _envelope("Response", header, body)


def parse_response(body: bytes) -> OutcomeResponse:
    """Read an LMS's answer; raises DeliveryFailed when it is none.

    LMSs leave out the namespace, put blank lines before the declaration and mix encodings, so
    none of these matters here: the codes are ASCII.
    """
    try:
        root = _parsed(body.decode("utf-8", "replace").strip("\ufeff \t\r\n").encode())
        status = _first(_first(root, "imsx_POXHeader"), "imsx_statusInfo")
        code_major = _text_of(status, "imsx_codeMajor").strip().lower()
        if not code_major:
            raise _malformed("no imsx_codeMajor")
    except errors.BadRequest as err:
        raise errors.DeliveryFailed(f"answer of the LMS: {err.detail}") from err
    score = _first(_first(_first(root, "imsx_POXBody"), "resultScore"), "textString")
    return OutcomeResponse(
        # LTI Core 1.3, appendix D, calls it unimplemented; the schema calls it unsupported.
        code_major="unsupported" if code_major == "unimplemented" else code_major,
        severity=_text_of(status, "imsx_severity").strip().lower(),
        code_minor=_text_of(status, "imsx_codeMinor").strip().lower(),
        description=_text_of(status, "imsx_description").strip(),
        message_ref=_text_of(status, "imsx_messageRefIdentifier").strip(),
        score_text=None if score is None else "".join(score.itertext()).strip(),
    )


def parse_score(text: str) -> Decimal:
    """A score of 0..1: ASCII digits with an optional point and exponent, nothing around them.

    Raises OutcomeRefused for everything else (sign, comma, percent, NaN, empty, above 1).
    """
    if not _SCORE.fullmatch(text):
        raise errors.OutcomeRefused("textString of resultScore is no decimal number like 0.85")
    score = Decimal(text)
    if score > 1:
        raise errors.OutcomeRefused("textString of resultScore is not between 0.0 and 1.0")
    return score


def score_text(score: Decimal) -> str:
    """A score (0..1) as the wire wants it: a point, no exponent, no trailing zeros."""
    text = format(score, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _envelope(direction: str, header: str, body: str) -> bytes:
    """The document of a request or a response; header and body are XML."""
    info = _element(f"imsx_POX{direction}HeaderInfo", _element("imsx_version", "V1.0") + header)
    body = _element("imsx_POXBody", body) if body else "<imsx_POXBody/>"
    root = f"imsx_POXEnvelope{direction}"
    head = f'{_DECLARATION}<{root} xmlns="{NAMESPACE}">{_element("imsx_POXHeader", info)}'
    return f"{head}{body}</{root}>".encode()


def _element(name: str, content: str) -> str:
    """An element without attributes; its content is XML."""
    return f"<{name}>{content}</{name}>"


def _score_element(text: str) -> str:
    return _element("resultScore", _element("language", "en") + _element("textString", text))


def _escaped(text: str) -> str:
    """A text as the content of an element, without what XML cannot carry."""
    text = _NOT_XML.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _parsed(body: bytes) -> _Element:
    """The root element, read as UTF-8 without DTD, entities or network; raises BadRequest."""
    if len(body) > _MAX_BYTES:
        raise _malformed("longer than 64 kB")
    # Before the parser sees it: libxml2 expands entities in attributes whatever is set.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise _malformed("DOCTYPE or NUL is not allowed")
    parser = etree.XMLParser(
        encoding="UTF-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as err:
        # No "from err": the text of lxml quotes the document, and so perhaps a sourcedId.
        line, column = err.position
        raise _malformed(f"not well-formed XML at line {line}, column {column}") from None


def _malformed(reason: str) -> errors.BadRequest:
    return errors.BadRequest(f"outcome: {reason}")


def _request(root: _Element) -> OutcomeRequest:
    if _name(root) != "imsx_POXEnvelopeRequest":
        raise _malformed("the root is not imsx_POXEnvelopeRequest")
    if _space(root) not in _TAKEN:
        raise _malformed(f"imsx_POXEnvelopeRequest is not in the namespace {NAMESPACE}")
    info = _only(_only(root, "imsx_POXHeader"), "imsx_POXRequestHeaderInfo")
    message_id = _leaf(_only(info, "imsx_messageIdentifier"))
    elements = list(_only(root, "imsx_POXBody").iterchildren("*"))
    if len(elements) != 1:
        raise _malformed(f"imsx_POXBody holds {len(elements)} elements, not one operation")
    asked = _name(elements[0])
    if _space(elements[0]) != _space(root):
        raise _malformed("the operation is not in the namespace of the root")
    operation = asked.removesuffix("Request")
    if operation not in OPERATIONS or operation == asked:
        return OutcomeRequest(asked, message_id, "", None)
    record = _only(elements[0], "resultRecord")
    sourced_id = _leaf(_only(_only(record, "sourcedGUID"), "sourcedId"))
    if sum(1 for _ in root.iter("{*}sourcedId")) != 1:
        raise _malformed("more than one sourcedId")
    score = _score_of(record) if operation == REPLACE else None
    return OutcomeRequest(operation, message_id, sourced_id, score)


def _score_of(record: _Element) -> str | None:
    """The score's text; result and resultScore may be missing (a tool may send only data)."""
    for name in ("result", "resultScore"):
        if next(record.iterchildren(f"{{*}}{name}"), None) is None:
            return None
        record = _only(record, name)
    return _leaf(_only(record, "textString"))


def _only(parent: _Element, name: str) -> _Element:
    """The one child of that name; one in another namespace is an error, not a stranger."""
    children = list(parent.iterchildren(f"{{*}}{name}"))
    if not children:
        raise _malformed(f"{name} is missing")
    if len(children) > 1:
        raise _malformed(f"{name} stands there {len(children)} times")
    if _space(children[0]) != _space(parent):
        raise _malformed(f"{name} is not in the namespace of the root")
    return children[0]


def _leaf(element: _Element) -> str:
    # A comment inside would split the text, and readers disagree on which half counts.
    if len(element):
        raise _malformed(f"{_name(element)} holds more than text")
    return element.text or ""


def _name(element: _Element) -> str:
    return str(element.tag.rpartition("}")[2])


def _space(element: _Element) -> str:
    """The namespace with the brace before it, as lxml writes it; empty for none."""
    return str(element.tag.rpartition("}")[0])


def _first(parent: _Element | None, name: str) -> _Element | None:
    return None if parent is None else next(parent.iter(f"{{*}}{name}"), None)


def _text_of(parent: _Element | None, name: str) -> str:
    element = _first(parent, name)
    return "" if element is None else "".join(element.itertext())
