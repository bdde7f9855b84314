"""Sakai, as its code of 2025 has it (sakaiproject/sakai, lti/); no live one was seen."""

from typing import TYPE_CHECKING

from flask import Response, g, jsonify

from lti_bridge.sandbox.lms import scores
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.families.plain import Json, Plain, read_object

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Item


class Sakai(Plain):
    """One scope that is not allowed refuses the token, and a token that is no good is a 403.

    LTI13Servlet.java: tokens are signed with a key that a restart makes anew, filters have other
    names, times of scores are not compared, and what a tool makes is bound to no link.
    """

    code = "sakai"
    version = "25.0"
    ext = "sakai-25"
    all_scopes_or_none = True
    item_filters = {"lti_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
    results_of_one = False

    def refused_token(self, *, known: bool) -> Response:
        """400 for a scope that it has not, 403 for a token that says nothing any more."""
        answer = jsonify(error="Scope not in access token" if known else "signature_error")
        answer.status_code = 400 if known else 403
        return answer

    def is_listed(self, user: User) -> bool:
        """Who is not active is left out."""
        return self.lms.state.statuses.get(user.id, "Active") == "Active"

    def unfit_item(self, sent: Json, link: LinkSpec | None) -> Response | None:
        """It is made in the site, whatever link it names."""
        sent.pop("resourceLinkId", None)
        return None

    def score(self, item: "Item", body: bytes) -> Response:
        """400 for whoever is not in the site; what comes later counts, whatever time it says."""
        sent = read_object(body) or {}
        g.log_user, g.log_value = sent.get("userId"), str(sent.get("scoreGiven", ""))
        user = self.lms.find_user(str(sent.get("userId", "")))
        if user is None or self.lms.state.statuses.get(user.id) == "Deleted":
            answer = jsonify(error="User does not belong to site")
            answer.status_code = 400
            return answer
        try:
            score = scores.read(body, self.lms.find_user)
        except ValueError as error:
            g.log_value = str(error)
            return Response('{"error": "Could not read POST Data Jackson"}', 400)
        points = None if score.part is None else score.part * item.maximum
        self.lms.state.put_grade(item, user.id, points, score.comment, score.stamp)
        return Response("", 200)
