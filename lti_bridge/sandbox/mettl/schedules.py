"""The schedules of the pretend Mettl: the `sc` JSON a customer sends, and what is told of it."""

from typing import Any
from urllib.parse import urlsplit

from lti_bridge.sandbox.mettl.call import Call, page
from lti_bridge.sandbox.mettl.signing import ApiError
from lti_bridge.sandbox.mettl.state import EMAIL, HOOKS, Assessment, Schedule


def schedules(call: Call) -> dict[str, Any]:
    """GET schedules."""
    return _listed(call, list(call.desk.state.schedules.values()))


def schedules_of(call: Call, assessment_id: str) -> dict[str, Any]:
    """GET assessments/{id}/schedules."""
    owner = call.desk.assessment(assessment_id)
    found = [s for s in call.desk.state.schedules.values() if s.assessment is owner]
    return _listed(call, found)


def schedule(call: Call, access_key: str) -> dict[str, Any]:
    """GET schedules/{access-key}."""
    return {"schedule": _full(call, call.desk.schedule(access_key))}


def create(call: Call, assessment_id: str) -> dict[str, Any]:
    """POST assessments/{id}/schedules with `sc`."""
    owner = call.desk.assessment(assessment_id)
    details = call.document("sc")
    _check(call, owner, details, None)
    return {"createdSchedule": _brief(call, call.desk.state.add_schedule(owner, details))}


def edit(call: Call, access_key: str) -> dict[str, Any]:
    """POST schedules/{access-key}/edit with `sc`, which replaces what it names."""
    row = call.desk.schedule(access_key)
    details = {**row.details, **call.document("sc")}
    _check(call, row.assessment, details, row)
    row.details = details
    return {"editedSchedule": _brief(call, row)}


def is_invited(row: Schedule, email: str) -> bool:
    """Whether this address may register; everybody may where the schedule is open."""
    access = row.details.get("access", {})
    if access.get("type") != "ByInvitation":
        return True
    listed = {str(person.get(EMAIL, "")).lower() for person in access.get("candidates") or ()}
    return email.lower() in listed


def _listed(call: Call, found: list[Schedule]) -> dict[str, Any]:
    orders = {"createdAt": lambda s: s.id, "name": lambda s: s.details["name"]}
    rows, paging = page(call, found, orders)
    return {"schedules": [_full(call, row) for row in rows], "paging": paging}


def _brief(call: Call, row: Schedule) -> dict[str, Any]:
    return {
        "assessmentId": row.assessment.id,
        "id": row.id,
        "name": row.details["name"],
        "accessKey": row.access_key,
        "accessUrl": f"{call.desk.base_url}/authenticateKey/{row.access_key}",
        "status": "Active",
    }


def _full(call: Call, row: Schedule) -> dict[str, Any]:
    owner = {"id": row.assessment.id, "name": row.assessment.name}
    return {**row.details, **_brief(call, row), "assessmentDetails": owner}


def _check(call: Call, owner: Assessment, details: dict[str, Any], own: Schedule | None) -> None:
    name, access = details.get("name"), details.get("access", {})
    if not (isinstance(name, str) and name.strip()):
        raise ApiError("E000", "name is needed")
    if not (isinstance(details.get("sourceApp"), str) and details["sourceApp"].strip()):
        raise ApiError("E000", "sourceApp is needed")
    others = (s for s in call.desk.state.schedules.values() if s is not own)
    if any(s.assessment is owner and s.details["name"] == name for s in others):
        raise ApiError("E000", "name exists already in this assessment")
    if not isinstance(access, dict) or access.get("type") not in ("OpenForAll", "ByInvitation"):
        raise ApiError("E000", "access.type must be OpenForAll or ByInvitation")
    if details.get("scheduleType") not in ("AlwaysOn", "Fixed"):
        raise ApiError("E000", "scheduleType must be AlwaysOn or Fixed")
    for key in HOOKS.values():
        if details.get(key) and urlsplit(str(details[key])).scheme not in ("http", "https"):
            raise ApiError("E000", f"{key} must be a web address")
