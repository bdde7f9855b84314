"""The Platform Notification Service: who wants notices where, and the notices themselves.

`/control/notice` makes a notice, sends it where the tool said, and tells how that was answered.
"""

import json
import secrets
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from lti_bridge.sandbox.lms import launch, launch13
from lti_bridge.sandbox.lms.bearer import needs
from lti_bridge.sandbox.lms.claims import LTI, NOTICE_SCOPE, NOTICE_TYPES
from lti_bridge.sandbox.lms.state import Lms

_LIFETIME_S = 3600
_TIMEOUT_S = 10
_COPY = "LtiContextCopyNotice"


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/notice-handlers/<deployment>` for tools, and `/control/notice`."""
    bp = Blueprint("notices", __name__)

    @bp.get("/lti/notice-handlers/<deployment>")
    @needs(lms, NOTICE_SCOPE)
    def handlers(deployment: str) -> Response:
        _check(lms, deployment)
        with lms.state.lock:
            set_up = {kind: lms.state.handlers.get(kind, {}) for kind in NOTICE_TYPES}
        listed = [
            {"notice_type": kind, "handler": one.get("handler", "")} for kind, one in set_up.items()
        ]
        client, number = lms.settings.client_id, lms.settings.client_id.isdecimal()
        return jsonify(
            client_id=int(client) if number else client,
            deployment_id=deployment,
            notice_handlers=listed,
        )

    @bp.put("/lti/notice-handlers/<deployment>")
    @needs(lms, NOTICE_SCOPE)
    def set_handler(deployment: str) -> Response:
        _check(lms, deployment)
        sent: Any = request.get_json()
        kind, handler, most = (sent.get(k) for k in ("notice_type", "handler", "max_batch_size"))
        if kind not in NOTICE_TYPES or not isinstance(handler, str):
            return _refused("notice_type or handler")
        if most is not None and (type(most) is not int or most < 1):
            return _refused("max_batch_size")
        if handler and urlsplit(handler).netloc != urlsplit(launch.launch_url(lms)).netloc:
            return _refused("the handler is not at the tool's domain")
        kept = {"notice_type": kind, "handler": handler, "max_batch_size": most}
        with lms.state.lock:
            lms.state.handlers[kind] = kept
        return jsonify(kept)

    @bp.get("/control/notice")
    def wanted() -> Response:
        """What the tool has asked for, by type of notice."""
        with lms.state.lock:
            return jsonify(dict(lms.state.handlers))

    @bp.post("/control/notice")
    def notice() -> ResponseReturnValue:
        """Send {"course", "from": [ids], "times", "spoil": {…}, "to", "keep": true}.

        `spoil` changes the signed notice as /control/tamper does an id_token. With `keep` nothing
        is sent, and the signed notices come back. `forget`: as if no tool had asked for any.
        """
        sent: dict[str, Any] = request.get_json()
        if sent.get("forget"):
            with lms.state.lock:
                lms.state.handlers.clear()
        spoil = sent.get("spoil", {})
        made = [_notice(lms, sent, spoil) for _ in range(sent.get("times", 1))]
        if sent.get("keep"):
            return jsonify(notices=made)
        return jsonify(answers=deliver(lms, made, sent.get("to", "")))

    return bp


def tell(lms: Lms, course: str, origins: list[str]) -> list[dict[str, Any]]:
    """Send a notice that a course was copied, if a tool wants it; how that was answered."""
    said = {"course": course, "from": origins}
    return deliver(lms, [_notice(lms, said, {})]) if lms.settings.notices else []


def deliver(lms: Lms, made: list[dict[str, str]], to: str = "") -> list[dict[str, Any]]:
    """Send notices in as many bodies as the tool's limit asks for; none where it wants none."""
    with lms.state.lock:
        handler = dict(lms.state.handlers.get(_COPY, {}))
    address = to or handler.get("handler", "")
    size = handler.get("max_batch_size") or 1
    batches = [made[at : at + size] for at in range(0, len(made), size)] if address else []
    return [_post(address, {"notices": batch}) for batch in batches]


def _notice(lms: Lms, said: dict[str, Any], spoil: dict[str, Any]) -> dict[str, str]:
    now = int(time.time())
    client = lms.settings.client_id
    course = said.get("course", "202")
    claims: dict[str, Any] = {
        "iss": lms.called,
        "aud": client,
        "azp": client,
        "iat": now,
        "exp": now + _LIFETIME_S,
        "nonce": secrets.token_hex(16),
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": lms.settings.deployment_id,
        f"{LTI}notice": {
            "id": str(uuid.uuid4()),
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "type": _COPY,
        },
        f"{LTI}context": {
            "id": course,
            "label": f"COURSE{course}",
            "title": f"Course {course}",
            "type": ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"],
        },
    }
    if origins := said.get("from", []):
        plain = lms.settings.notices != "objects"
        named = origins if plain else {"contexts": [{"id": one} for one in origins]}
        claims[f"{LTI}origin_contexts"] = named
    claims |= spoil.get("claims", {})
    for name in spoil.get("remove", []):
        claims.pop(name, None)
    header = {"typ": "JWT", "alg": "RS256", "kid": lms.keys.kid, **spoil.get("header", {})}
    return {"jwt": launch13.sign(lms, header, claims, spoil.get("sign_with", "own-key"))}


def _post(address: str, body: dict[str, Any]) -> dict[str, Any]:
    sent = urllib.request.Request(  # noqa: S310 - where the tool said
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(sent, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return {"status": answer.status, "body": answer.read(10_000).decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read(10_000).decode()}
    except OSError as error:  # it is not sent again: a notice is a hint
        return {"status": 0, "body": str(error)}


def _check(lms: Lms, deployment: str) -> None:
    if not lms.settings.notices or deployment != lms.settings.deployment_id:
        abort(404, "There is no such service")


def _refused(why: str) -> Response:
    body = json.dumps({"errors": {"type": "bad_request", "message": why}})
    return Response(body, 400, content_type="application/json")
