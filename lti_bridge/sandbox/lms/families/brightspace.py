"""Brightspace, as its community's articles have it (23661, 23662, 23752, 23764); not seen live."""

from typing import TYPE_CHECKING

from flask import Response, g, jsonify

from lti_bridge.sandbox.lms.course import User
from lti_bridge.sandbox.lms.families.plain import Json, Plain, read_object

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Item


class Brightspace(Plain):
    """404 for an account that is gone, 422 for a role without grades."""

    code = "desire2learn"
    version = "20.25.11"
    ext = "brightspace"

    def claims(self, said: Json, user: User) -> Json:
        """A moment before which it does not count, and no address where there is none."""
        return {**said, "nbf": 0, "locale": "en-CA"}

    def score(self, item: "Item", body: bytes) -> Response:
        """A refusal names its reason; what is above the maximum is shown as the maximum."""
        sent = read_object(body) or {}
        user = self.lms.find_user(str(sent.get("userId", "")))
        g.log_user = sent.get("userId")
        if user is None or self.lms.state.statuses.get(user.id) == "Deleted":
            return _problem(404, "User in requested score does not exist")
        if user.teacher:
            return _problem(422, "User in requested score does not have a gradable role")
        answer = super().score(item, body)
        with self.lms.state.lock:
            kept = item.grades.get(user.id)
            if kept and kept.points is not None and kept.points > item.maximum:
                self.lms.state.change_grade(item, user.id, points=item.maximum)
        return answer


def _problem(status: int, detail: str) -> Response:
    answer = jsonify(title="Error", status=status, detail=detail)
    answer.status_code, answer.content_type = status, "application/problem+json"
    return answer
