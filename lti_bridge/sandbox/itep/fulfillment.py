"""The one endpoint of the pretend iTEP: a signed request takes an available test ID."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from flask import Blueprint, Request, Response, jsonify, request

from lti_bridge.sandbox.itep import registration as itep_registration
from lti_bridge.sandbox.itep.registration import Refusal
from lti_bridge.sandbox.itep.state import ItepSettings, State, Test

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_KEYS = {"product-code", "email", "bcc", "track", "sequence", "assigned-to", "registration"}


def install(api: Blueprint, state: State, base_url: str) -> None:
    """Add the endpoint."""

    @api.post(state.settings.endpoint_path)
    def fulfil() -> tuple[Response, int]:
        try:
            with state.lock:
                process = _process(state.settings, request)
                state.calls[process] += 1
                asked = _document(request.get_data())
                _check_sequence(state, asked)
                test = _allocate(state, process, asked)
                if process == "STX":
                    _mail(state, test, asked, base_url)
                return jsonify(_answer(state.settings, test)), 200
        except Refusal as error:
            return jsonify(error=str(error)), error.status


def _process(settings: ItepSettings, asked: Request) -> str:
    """GTX or STX, by the name of the header whose value signs the body."""
    names = {"GTX": settings.header_name_gtx, "STX": settings.header_name_stx}
    found = [process for process, name in names.items() if name in asked.headers]
    if len(found) != 1:
        raise Refusal("Exactly one signature header is needed.", 401)
    given = asked.headers[names[found[0]]]
    expected = settings.sig_prefix + _signature(settings, asked.get_data())
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Refusal("Invalid signature.", 401)
    return found[0]


def _signature(settings: ItepSettings, body: bytes) -> str:
    digest = hmac.new(settings.secret.encode(), body, hashlib.sha256)
    if settings.sig_encoding == "base64":
        return base64.b64encode(digest.digest()).decode()
    text = digest.hexdigest()
    return text.upper() if settings.sig_encoding == "HEX" else text


def _document(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        asked = json.loads(text)
    except ValueError as error:
        raise Refusal("The body is not JSON.") from error
    if re.search(r"\s", _STRING.sub('""', text)):
        raise Refusal("The body must be compact JSON without white space.")
    if not isinstance(asked, dict) or set(asked) - _KEYS:
        raise Refusal("The body must be an object of known fields.")
    return asked


def _check_sequence(state: State, asked: dict[str, Any]) -> None:
    """In counter mode every signed request needs a higher number than the last one had."""
    if state.settings.sequence_mode != "counter":
        return
    number = asked.get("sequence")
    if type(number) is not int or number <= state.last_sequence:
        raise Refusal("Sequence must increase.", 409)
    state.last_sequence = number


def _allocate(state: State, process: str, asked: dict[str, Any]) -> Test:
    group, _, kind = str(asked.get("product-code")).partition("-")
    if group != process or kind not in state.settings.types:
        raise Refusal(f"Unknown product-code [{asked.get('product-code')}].")
    if process == "STX" and not re.fullmatch(r"[^@\s]+@[^@\s]+", str(asked.get("email"))):
        raise Refusal("A valid email is required.")
    if "track" in asked and state.track(asked["track"]) is None:
        raise Refusal(f"Unknown track [{asked['track']}].")
    assigned_to, registration = asked.get("assigned-to"), asked.get("registration", {})
    # Without assigned-to the ID would stay available for the next caller.
    if not (isinstance(assigned_to, dict) and assigned_to and isinstance(registration, dict)):
        raise Refusal("assigned-to and registration must be JSON objects.")
    itep_registration.check(state.settings, registration)
    free = state.available(kind)
    if not free:
        raise Refusal(f"No available test ID for [{kind}].")
    test = free[0]
    test.assigned_to, test.registration = assigned_to, registration
    test.track = asked.get("track", "")
    return test


def _mail(state: State, test: Test, asked: dict[str, Any], base_url: str) -> None:
    mail = {"to": asked["email"], "bcc": asked.get("bcc", "")}
    start = {"test-id": test.test_id, "password": test.password, "url": f"{base_url}/"}
    state.outbox.append({**mail, **start})


def _answer(settings: ItepSettings, test: Test) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for path, value in (
        (settings.response_test_id_path, test.test_id),
        (settings.response_password_path, test.password),
    ):
        *parents, name = path.split(".")
        place = answer
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return answer
