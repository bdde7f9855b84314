"""The names and roles service: who is in the course, page by page."""

from flask import Blueprint, Response, jsonify, request

from lti_bridge.sandbox.lms import launch
from lti_bridge.sandbox.lms.bearer import needs
from lti_bridge.sandbox.lms.claims import NRPS_SCOPE
from lti_bridge.sandbox.lms.course import User
from lti_bridge.sandbox.lms.state import Lms

_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


def blueprint(lms: Lms) -> Blueprint:
    """`/lti/nrps/<course>/memberships`."""
    bp = Blueprint("nrps", __name__)
    course = lms.settings.course_id

    @bp.get(f"/lti/nrps/{course}/memberships")
    @needs(lms, NRPS_SCOPE)
    def members() -> Response:
        if request.headers.get("Accept", "*/*") not in (_TYPE, "*/*"):
            return Response("No handler for this media type", 400)
        role = request.args.get("role", "").rpartition("#")[2]
        listed = [user for user in lms.people if lms.family.is_listed(user)]
        found = [_member(lms, user) for user in listed if role in ("", user.role)]
        shown, following = lms.family.page(found, lms.family.members_page)
        context = {"id": course, "label": f"COURSE{course}", "title": lms.settings.course_title}
        answer = jsonify(id=launch.members_url(lms), context=context, members=shown)
        answer.content_type = _TYPE
        if following:
            answer.headers["Link"] = following
        return answer

    return bp


def _member(lms: Lms, user: User) -> dict[str, object]:
    status = lms.state.statuses.get(user.id, "Active")
    person = {"name": user.name, "given_name": user.given, "family_name": user.family}
    said: dict[str, object] = {
        **({"status": status} if status else {}),
        "roles": [user.role],
        "user_id": user.id,
        "lis_person_sourcedid": f"SIS-{user.username}",
        **({} if "names" in lms.state.lacks else {**person, "email": user.email}),
        "ext_user_username": user.username,
    }
    return lms.family.member(said)
