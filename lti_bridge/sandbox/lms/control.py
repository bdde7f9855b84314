"""Test controls under /control: faults, a log of service requests, spoiled launches."""

import ipaddress
import socket
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask, Response, abort, g, jsonify, make_response, request

from lti_bridge.sandbox.lms import launch as lms_launch
from lti_bridge.sandbox.lms import launch11, launch13
from lti_bridge.sandbox.lms.course import SERVICES
from lti_bridge.sandbox.lms.state import Lms

_SERVICES = ("/lti/ags", "/lti/nrps", "/lti/outcomes")
_KEEPS_NO_BODY = "/lti/token"  # its body is a credential


def blueprint(lms: Lms) -> Blueprint:
    """The /control endpoints; JSON in, JSON out, loopback callers only."""
    bp = Blueprint("control", __name__, url_prefix="/control")

    @bp.before_request
    def loopback_only() -> None:
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
            abort(403, "Only from this machine")

    @bp.post("/fault")
    def fault() -> dict[str, Any]:
        """Break a service: {path, status | drop, times (-1 = until cleared), delay_s}."""
        sent = request.get_json()
        unknown = set(sent) - {"path", "status", "drop", "times", "delay_s"}
        if unknown or not sent.get("path"):
            abort(400, f"Unknown or missing keys: {sorted(unknown) or 'path'}")
        with lms.state.lock:
            lms.state.faults.append({"times": 1, "delay_s": 0, **sent})
        return {"ok": True}

    @bp.post("/clear")
    def clear() -> dict[str, Any]:
        """Forget faults, log and pending tampering; {"tokens": true, "grades": true} those too."""
        asked = request.get_json(silent=True) or {}
        with lms.state.lock:
            lms.state.faults.clear()
            lms.state.log.clear()
            lms.state.tamper.clear()
            for item in lms.state.items.values() if asked.get("grades") else ():
                item.grades.clear()
        if asked.get("tokens"):
            lms.state.revoke_tokens()
        return {"ok": True}

    @bp.get("/log")
    def log() -> Response:
        with lms.state.lock:
            return jsonify(list(lms.state.log))

    @bp.post("/delete-item")
    def delete_item() -> dict[str, Any]:
        """Delete a gradebook column with its grades, as a teacher may: {"item": id}."""
        with lms.state.lock:
            found = lms.state.items.pop(request.get_json().get("item"), None)
        return {"ok": found is not None}

    @bp.post("/grade")
    def grade() -> dict[str, Any]:
        """Enter a grade by hand, as a teacher may: {"item", "user", "points"}; null clears."""
        sent = request.get_json()
        points = None if sent["points"] is None else Decimal(str(sent["points"]))
        with lms.state.lock:
            item = lms.state.items[sent["item"]]
        lms.family.by_hand(item, sent["user"], points, sent.get("comment", ""))
        return {"ok": True}

    @bp.post("/course")
    def course() -> dict[str, Any]:
        """What holds for the course: {"concluded", "history": [ids], "slow_history"}."""
        sent = request.get_json()
        if unknown := set(sent) - {"concluded", "history", "slow_history"}:
            abort(400, f"Unknown keys: {sorted(unknown)}")
        with lms.state.lock:
            for name, value in sent.items():
                setattr(lms.state, name, value)
        return {"ok": True}

    @bp.post("/lacks")
    def lacks() -> dict[str, Any]:
        """What nobody has switched on for the tool: {"lacks": [of SERVICES]}."""
        sent = frozenset(request.get_json()["lacks"])
        if unknown := sent - set(SERVICES):
            abort(400, f"Unknown: {sorted(unknown)}; known: {', '.join(SERVICES)}")
        with lms.state.lock:
            lms.state.lacks = sent
        return {"ok": True}

    @bp.post("/lock")
    def lock() -> dict[str, Any]:
        """Lock a cell, or a whole column: {"item", "user", "locked"}, as a teacher may."""
        sent = request.get_json()
        cell = (sent["item"], sent.get("user", ""))
        with lms.state.lock:
            (lms.state.locked.add if sent.get("locked", True) else lms.state.locked.discard)(cell)
        return {"ok": True}

    @bp.post("/item")
    def item() -> dict[str, Any]:
        """Change a column: {"item", "maximum", "attempts"}."""
        sent = request.get_json()
        with lms.state.lock:
            found = lms.state.items[sent["item"]]
            found.maximum = Decimal(str(sent.get("maximum", found.maximum)))
            found.attempts = int(sent.get("attempts", found.attempts))
        return {"ok": True}

    @bp.post("/delete-link")
    def delete_link() -> dict[str, Any]:
        """Delete an activity with its columns: {"link": id}."""
        gone = request.get_json()["link"]
        with lms.state.lock:
            lms.state.gone.add(gone)
            found = [one.id for one in lms.state.items.values() if one.link_id == gone]
            for number in found:
                del lms.state.items[number]
            lms.state.orphaned.update(found)
        return {"ok": bool(found)}

    @bp.post("/status")
    def status() -> dict[str, Any]:
        """List a member as Active, Inactive or Deleted: {"user": id, "status"}; "" says nothing."""
        sent = request.get_json()
        with lms.state.lock:
            lms.state.statuses[sent["user"]] = sent["status"]
        return {"ok": True}

    @bp.post("/tutor")
    def tutor() -> dict[str, Any]:
        """Let somebody help with the course, in a family that has tutors: {"user": id}."""
        with lms.state.lock:
            lms.state.tutors.add(request.get_json()["user"])
        return {"ok": True}

    @bp.post("/tamper")
    def tamper() -> dict[str, Any]:
        """Spoil the next launch: {"launch": name} for 1.1, {"id_token": {…}} for 1.3."""
        _check_tamper(request.get_json())
        with lms.state.lock:
            lms.state.tamper.update(request.get_json())
        return {"ok": True}

    @bp.post("/launch")
    def launch() -> Response:
        return _launch(lms, request.get_json())

    return bp


def _check_tamper(sent: dict[str, Any]) -> None:
    name, token = sent.get("launch"), sent.get("id_token", {})
    known = {"header", "claims", "remove", "sign_with", "form", "lti1p1"}
    if set(sent) - {"launch", "id_token"} or set(token) - known:
        abort(400, "Unknown key")
    if name is not None and name not in launch11.TAMPERS:
        abort(400, f"Known names: {', '.join(launch11.TAMPERS)}")
    if token.get("sign_with", "own-key") not in ("own-key", "other-key", "hs256", "none"):
        abort(400, "sign_with is own-key, other-key, hs256 or none")


def _launch(lms: Lms, sent: dict[str, Any]) -> Response:
    """What the browser would post for {link, user, extra, target}; also logs that user in."""
    link, user = lms.link(sent.get("link")), lms.find_user(sent.get("user", ""))
    if link is None or user is None:
        abort(404, "No such link or user")
    target, extra = sent.get("target", "window"), sent.get("extra", {})
    if link.lti == "1.1":
        fields = launch11.build(lms, link, user, target, extra)
        answer = {"action": link.url or lms_launch.launch_url(lms), "fields": fields}
    else:
        fields = launch13.login_fields(lms, link, user, target, extra)
        answer = {"login_url": lms_launch.login_url(lms), "fields": fields}
    answer["cookie"] = {"name": lms.cookie, "value": user.id}
    response = make_response(jsonify(answer))
    response.set_cookie(lms.cookie, user.id, httponly=True, samesite="Lax")
    return response


def install(app: Flask, lms: Lms) -> None:
    """Log every request under /lti/ and play the faults that were asked for."""

    @app.before_request
    def fault() -> Response | None:
        if not request.path.startswith("/lti/"):
            return None
        g.log_time = datetime.now(UTC).isoformat(timespec="milliseconds")
        g.fault = {}
        if request.path.startswith(_SERVICES) and (refused := lms.family.enter()):
            return refused
        g.fault = _take_fault(lms, request.path)
        time.sleep(g.fault.get("delay_s", 0))
        status = g.fault.get("status")
        return Response("The pretend LMS is out of order", status) if status else None

    @app.after_request
    def record(response: Response) -> Response:
        if "fault" in g:
            lms.family.leave()
            with lms.state.lock:
                lms.state.log.append(_entry(response))
            if g.fault.get("drop"):
                _hang_up()
        return response


def _take_fault(lms: Lms, path: str) -> dict[str, Any]:
    with lms.state.lock:
        for fault in lms.state.faults:
            if path.startswith(fault["path"]) and fault["times"] != 0:
                fault["times"] -= 1 if fault["times"] > 0 else 0
                return dict(fault)
    return {}


def _entry(response: Response) -> dict[str, Any]:
    readable = request.path != _KEEPS_NO_BODY
    return {
        "time": g.log_time,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "dropped": bool(g.fault.get("drop")),
        "user": g.get("log_user"),
        "value": g.get("log_value"),
        "body": request.get_data(as_text=True) if readable else "",
    }


def _hang_up() -> None:
    """Close the connection under the server, so that the caller never gets the answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
