"""Open edX, as its component has it (lti-consumer-xblock 11.4.4); no live one was seen."""

import uuid
from typing import TYPE_CHECKING, Any

from flask import Response, g, jsonify

from lti_bridge.sandbox.lms import scores
from lti_bridge.sandbox.lms.course import User
from lti_bridge.sandbox.lms.families.plain import Json, Plain

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Item

_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_PARTS = ("given_name", "family_name")


class OpenEdx(Plain):
    """It says its own name and not its product's; a name is one text; scores are resources.

    A score of a time that it has already is a 400 that says so in words, and results are those of
    everybody (lti_1p3/extensions/rest_framework/serializers.py, plugin/views.py).
    """

    code = "openedx"  # which no launch says
    version = ""
    ext = ""
    results_of_one = False

    def claims(self, said: Json, user: User) -> Json:
        """Ids are keys of courses, and the platform is a name with a number made of it."""
        name = self.lms.settings.name
        changed: dict[str, Any] = {part: said[part] for part in said if part not in _PARTS}
        if "name" in said:
            changed["preferred_username"] = user.username
        context = said[f"{_CLAIM}context"]
        key = f"course-v1:Sandbox+{context['id']}+2026"
        changed[f"{_CLAIM}context"] = {**context, "id": key}
        guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        changed[f"{_CLAIM}tool_platform"] = {"guid": guid, "name": name}
        changed.pop(f"{_CLAIM}ext")
        return changed

    def launch11(self, fields: dict[str, str]) -> dict[str, str]:
        """The product is called as the site is, and a course by its key."""
        key = f"course-v1:Sandbox+{fields['context_id']}+2026"
        gone = ("lis_person_name_given", "lis_person_name_family", "ext_lms")
        kept = {name: value for name, value in fields.items() if name not in gone}
        product = {"tool_consumer_info_product_family_code": self.lms.settings.name}
        return {**kept, **product, "context_id": key}

    def member(self, said: dict[str, object]) -> dict[str, object]:
        """A name in one text, and no more of the person than name and address."""
        kept = ("status", "roles", "user_id", "name", "email")
        return {name: said[name] for name in kept if name in said}

    def score(self, item: "Item", body: bytes) -> Response:
        """201 with what was sent; whoever it is about is not looked up."""
        try:
            score = scores.read(body, lambda key: self.lms.find_user(key) or User(key, key, "", ""))
        except ValueError as error:
            g.log_value = str(error)
            return _refused("non_field_errors", str(error))
        g.log_user, g.log_value = score.user_id, score.logged
        with self.lms.state.lock:
            old = item.grades.get(score.user_id)
            if old and score.stamp == old.stamp:
                return _refused("timestamp", "Score already exists for the provided timestamp")
            if old and score.stamp < old.stamp:
                said = "Score timestamp can only be updated to a later point in time"
                return _refused("timestamp", said)
            points = None if score.part is None else score.part * item.maximum
            self.lms.state.put_grade(item, score.user_id, points, score.comment, score.stamp)
        answer = jsonify(userId=score.user_id)
        answer.status_code = 201
        return answer


def _refused(field: str, why: str) -> Response:
    answer = jsonify({field: [why]})
    answer.status_code = 400
    return answer
