"""The pretend Mettl's REST API, v1 and v2: the account, its assessments, and the call envelope."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from lti_bridge.sandbox.mettl import candidates, schedules, signing
from lti_bridge.sandbox.mettl.call import Call, Desk, page
from lti_bridge.sandbox.mettl.signing import ApiError
from lti_bridge.sandbox.mettl.state import Assessment

Action = Callable[..., dict[str, Any]]


def install(api: Blueprint, desk: Desk) -> None:
    """Add every call, once per version."""
    for version in ("v1", "v2"):
        for method, path, action in _CALLS:
            api.add_url_rule(
                f"/{version}{path}",
                endpoint=f"{version}-{action.__name__}",
                view_func=_signed(desk, version, action),
                methods=[method],
            )


def _signed(desk: Desk, version: str, action: Action) -> Callable[..., Response]:
    def view(**names: str) -> Response:
        state = desk.state
        try:
            fields = signing.check(state.settings, version, request)
            call = Call(desk, version, signing.typed_url(request), fields)
            with state.lock:
                state.calls[action.__name__] += 1
                return jsonify(status="SUCCESS", **action(call, **names))
        except ApiError as error:
            # The real one says so with HTTP 200, too.
            return jsonify(status="ERROR", error={"code": error.code, "message": str(error)})

    return view


def account(call: Call) -> dict[str, Any]:
    """GET account."""
    fields = {name for a in call.desk.state.settings.assessments for name in a.mandatory_fields}
    return {
        "accountInfo": {
            "name": "Sandbox account",
            "email": "owner@example.org",
            "accountType": "Sandbox",
            "candidateRegistrationFields": [{"name": name} for name in sorted(fields)],
        }
    }


def assessments(call: Call) -> dict[str, Any]:
    """GET assessments."""
    orders: Mapping[str, Callable[[Assessment], Any]] = {
        "createdAt": lambda a: a.id,
        "testTaken": lambda a: a.id,
        "name": lambda a: a.name,
    }
    rows, paging = page(call, call.desk.state.settings.assessments, orders)
    return {"assessments": [_assessment(call, row) for row in rows], "paging": paging}


def assessment(call: Call, assessment_id: str) -> dict[str, Any]:
    """GET assessments/{id}."""
    return {"assessment": _assessment(call, call.desk.assessment(assessment_id))}


def _assessment(call: Call, row: Assessment) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "questionCount": len(row.questions),
        "maxMarks": sum(q.marks for q in row.questions),
        "settings": {"exitRedirectionURL": call.desk.state.settings.exit_redirection_url or None},
        "registrationFields": [{"name": n, "required": True} for n in row.mandatory_fields],
    }


_SCHEDULE = "/schedules/<access_key>"
_CALLS: tuple[tuple[str, str, Action], ...] = (
    ("GET", "/account", account),
    ("GET", "/assessments", assessments),
    ("GET", "/assessments/<assessment_id>", assessment),
    ("GET", "/assessments/<assessment_id>/schedules", schedules.schedules_of),
    ("POST", "/assessments/<assessment_id>/schedules", schedules.create),
    ("GET", "/schedules", schedules.schedules),
    ("GET", _SCHEDULE, schedules.schedule),
    ("POST", f"{_SCHEDULE}/edit", schedules.edit),
    ("POST", f"{_SCHEDULE}/candidates", candidates.register),
    ("GET", f"{_SCHEDULE}/candidates", candidates.candidates),
    ("GET", f"{_SCHEDULE}/candidates/<email>", candidates.candidate),
    ("DELETE", f"{_SCHEDULE}/candidates/<email>", candidates.delete),
)
