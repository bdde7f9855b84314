"""Basic Outcomes as the pretend tools send them, written from LTI 1.1.1 alone."""

import secrets
from dataclasses import dataclass
from typing import Any

import urllib3
from lxml import etree

from lti_bridge.sandbox.tools import oauth

OPERATIONS = ("replace", "read", "delete")

_NS = "http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"
_TIMEOUT = urllib3.Timeout(connect=5, read=20)


@dataclass(frozen=True)
class Answer:
    """An outcome service's answer; status 0 when there was none."""

    status: int
    content_type: str
    body: str
    code_major: str = ""
    description: str = ""
    score: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the service said it did what was asked."""
        return 200 <= self.status < 300 and self.code_major == "success"

    @property
    def in_words(self) -> str:
        """What the candidate reads about the grade."""
        if self.accepted:
            return "Your grade was sent to your course."
        if self.status == 0:
            return "Your course could not be reached, so your grade was not sent."
        return f"Your course did not take your grade. {self.description}".strip()


def message(operation: str, sourcedid: str, score: str = "") -> bytes:
    """The request document; `score` is the text as it shall stand, right or wrong."""
    root = etree.Element(_tag("imsx_POXEnvelopeRequest"), nsmap={None: _NS})
    info = _path(root, "imsx_POXHeader", "imsx_POXRequestHeaderInfo")
    _path(info, "imsx_version").text = "V1.0"
    _path(info, "imsx_messageIdentifier").text = secrets.token_hex(12)
    record = _path(root, "imsx_POXBody", f"{operation}ResultRequest", "resultRecord")
    _path(record, "sourcedGUID", "sourcedId").text = sourcedid
    if operation == "replace":
        result = _path(record, "result", "resultScore")
        _path(result, "language").text = "en"
        _path(result, "textString").text = score
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document


def send(url: str, body: bytes, consumer_key: str, secret: str) -> Answer:
    """POST a signed outcome document and read the answer."""
    header = oauth.authorization(url, body, consumer_key, secret)
    sent = _parse(body)
    try:
        reply = urllib3.request(
            "POST",
            url,
            body=body,
            headers={"Authorization": header, "Content-Type": "application/xml"},
            redirect=False,
            retries=False,
            timeout=_TIMEOUT,
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return Answer(0, "", "", description=type(error).__name__)
    return _read(reply, None if sent is None else _text(sent, "imsx_messageIdentifier"))


def _parse(document: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        return None


def _read(reply: urllib3.BaseHTTPResponse, request_id: str | None) -> Answer:
    text = reply.data.decode("utf-8", "replace")
    status, content_type = reply.status, reply.headers.get("Content-Type", "")
    root = _parse(reply.data)
    if root is None:
        return Answer(status, content_type, text)
    if (_text(root, "imsx_messageRefIdentifier") or request_id) != request_id:
        return Answer(status, content_type, text, description="The answer is to another message.")
    return Answer(
        status,
        content_type,
        text,
        code_major=_text(root, "imsx_codeMajor") or "",
        description=_text(root, "imsx_description") or "",
        score=_text(root, "textString"),
    )


def _text(root: Any, name: str) -> str | None:
    found = root.find(f".//{_tag(name)}")
    return None if found is None else (found.text or "").strip()


def _path(parent: Any, *names: str) -> Any:
    for name in names:
        parent = etree.SubElement(parent, _tag(name))
    return parent


def _tag(name: str) -> str:
    return f"{{{_NS}}}{name}"
