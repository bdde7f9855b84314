"""Canvas, as its code of 2024 and 2025 has it (instructure/canvas-lms); no live one was seen."""

import json
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask import Response, g, jsonify, request

from lti_bridge.sandbox.lms import scores
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.families.plain import Json, Plain, read_object

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Grade, Item, Lms

_EXTENSION = "https://canvas.instructure.com/lti/submission"
_AHEAD_S = 60  # how far in the future a submission may lie
_MOST_HISTORY = 1000
_GRADED = ("FullyGraded", "PendingManual")
_FAMILY = "https://canvas.instructure.com/lti/"


class Canvas(Plain):
    """Scores hand work in, results are not the gradebook, and too many calls are a 403."""

    code = "canvas"
    version = "cloud"
    ext = "canvas"
    audience_error = "invalid_request"
    knows_jti = False
    items_page = 10
    members_page = most_on_page = 50

    def __init__(self, lms: "Lms") -> None:
        super().__init__(lms)
        self.bucket = Bucket()

    def enter(self) -> Response | None:
        """The bucket, and a course that is over, where nothing is found any more."""
        if not self.bucket.enter():
            g.log_value = "throttled"
            headers = {"X-Rate-Limit-Remaining": "0.0", "Content-Type": "text/plain"}
            return Response("403 Forbidden (Rate Limit Exceeded)\n", 403, headers)
        g.in_bucket = True
        if self.lms.state.concluded and "/lti/ags/" in request.path:
            return _missing()
        return None

    def leave(self) -> None:
        """What a call has held of the bucket is given back, its cost stays."""
        if g.get("in_bucket"):
            self.bucket.leave()

    def configuration(self, said: Json) -> Json:
        """Its authorization server is the host of its tokens, and no address."""
        said["authorization_server"] = self.lms.issuer.partition("://")[2]
        about = said["https://purl.imsglobal.org/spec/lti-platform-configuration"]
        about["product_family_code"], about["version"] = "canvas", "cloud"
        about["variables"] = ["Context.id", "Context.id.history", "ResourceLink.id", "User.id"]
        places = [f"{_FAMILY}{place}" for place in ("assignment_selection", "link_selection")]
        about["messages_supported"] = [
            {"type": "LtiResourceLinkRequest", "placements": [*places, "ContentArea"]},
            {"type": "LtiDeepLinkingRequest", "placements": [*places, "ContentArea"]},
        ]
        return said

    def variables(self, link: LinkSpec) -> dict[str, str]:
        """Newest first, up to a thousand and then a word; a word alone where it took too long."""
        former = self.lms.history_of(link)
        told = [*former[:_MOST_HISTORY], *(["truncated"] if len(former) > _MOST_HISTORY else [])]
        slow = self.lms.state.slow_history
        return {"$Context.id.history": "timed out" if slow else ",".join(told)}

    def is_listed(self, user: User) -> bool:
        """Who has left, or whose enrolment is over, is missing."""
        return self.lms.state.statuses.get(user.id, "Active") == "Active"

    def no_item(self, item_id: str) -> Response:
        """As everything that is not found."""
        return _missing()

    def unfit_item(self, sent: Json, link: LinkSpec | None) -> Response | None:
        """404 for a link that is no assignment's, 412 for one whose assignment is gone."""
        if "resourceLinkId" not in sent:
            return None
        if link is None or link.lti != "1.3" or link.grades == "container":
            return _missing()
        if self.lms.state.item_of_link(link.id) is None:
            return _error(412, "The specified resource link has no line item")
        return None

    def may_delete(self, item: "Item") -> Response | None:
        """An assignment's own one is not the tool's to delete."""
        return _error(401, "Line items coupled to an assignment stay") if item.link_id else None

    def score(self, item: "Item", body: bytes) -> Response:
        """Refuse, else hand in, then score: an extension says otherwise."""
        sent = read_object(body) or {}
        g.log_user, g.log_value = sent.get("userId"), str(sent.get("scoreGiven", ""))
        with self.lms.state.lock:
            refused = self._refused(item, sent)
            if refused is None:
                self._take(item, sent)
        return refused or jsonify(resultUrl=f"{self.lms.issuer}{request.path}/{sent['userId']}")

    def _refused(self, item: "Item", sent: Json) -> Response | None:
        user = self.lms.find_user(str(sent.get("userId", "")))
        if user is None or user.teacher or not self.is_listed(user):
            return _error(422, "User not found in course or is not a student")
        try:
            stamp = scores.exact(sent.get("timestamp"))
            handed_in = _handed_in(sent)
        except ValueError as error:
            return _error(400, f"Provided {error} is not a valid timestamp")
        if sent.get("scoreGiven") is not None and sent.get("scoreMaximum") is None:
            return _error(422, "scoreMaximum not supplied when scoreGiven present")
        if handed_in and handed_in > time.time() + _AHEAD_S:
            return _error(400, "Provided submittedAt timestamp is in the future")
        old = item.grades.get(user.id)
        if old and stamp < old.stamp:
            return _error(400, "Provided timestamp is before the one of the stored score")
        if item.maximum <= 0:
            return _error(422, "Line item score maximum is 0: it cannot be graded")
        if _is_new(sent) and item.attempts and old and old.attempts >= item.attempts:
            return _error(422, "The maximum number of allowed attempts has been reached")
        return None

    def _take(self, item: "Item", sent: Json) -> None:
        user_id, old = sent["userId"], item.grades.get(sent["userId"])
        given, extension = sent.get("scoreGiven"), _extension(sent)
        told = None
        if given is not None and sent.get("scoreMaximum"):
            told = Decimal(str(given)) / Decimal(str(sent["scoreMaximum"])) * item.maximum
        shown, by_hand = old.points if old else None, bool(old and old.by_hand)
        scored = told is not None and sent.get("gradingProgress") in _GRADED
        # the first flag is no help against a score that says nothing, the second against one
        flag = "prioritize_non_tool_grade" if scored else "preserve_score"
        if not extension.get(flag) or (scored and shown is None):
            shown, by_hand = (told if scored else None), False
        attempts, submitted = (old.attempts, old.submitted) if old else (0, 0.0)
        if _is_new(sent):
            attempts, submitted = attempts + 1, _handed_in(sent) or time.time()
        said = [old.comment] if old and old.comment else []
        comment = "\n".join([*said, *filter(None, [sent.get("comment")])])
        state = self.lms.state
        state.put_grade(item, user_id, shown, comment, scores.exact(sent["timestamp"]))
        state.change_grade(
            item, user_id, told=told, by_hand=by_hand, attempts=attempts, submitted=submitted
        )

    def result(self, item: "Item", grade: "Grade") -> Json | None:
        """What the tool said last, or a teacher after it: the gradebook may show another one."""
        score = None if grade.told is None else float(grade.told)
        return {"resultScore": score, "resultMaximum": float(item.maximum)}

    def by_hand(self, item: "Item", user_id: str, points: Decimal | None, comment: str) -> None:
        """A teacher's grade is a result, too."""
        with self.lms.state.lock:
            super().by_hand(item, user_id, points, comment)
            self.lms.state.change_grade(item, user_id, told=points, by_hand=points is not None)

    def outcome_refusal(self, item: "Item", user_id: str) -> str | None:
        """Why not, with a number for its support."""
        if item.maximum <= 0:
            return "Assignment has no points possible. [EID_1a2b3c]"
        user = self.lms.find_user(user_id)
        if user is None or not self.is_listed(user):
            return "User is no longer in course [EID_4d5e6f]"
        return None

    def outcome_answer(self, text: str, major: str) -> Response:
        """A failure has a status of its own, and the envelope all the same."""
        status = 200 if major == "success" else 422
        return Response(text, status, content_type="application/xml; charset=utf-8")

    def link_header(self, following: int) -> str:
        """The page itself comes first, and no blank after a comma."""
        here = self.page_url(request.args.get("from", 0, type=int))
        return f'<{here}>; rel="current",<{self.page_url(following)}>; rel="next"'


class Bucket:
    """What one client may ask for: each call holds some of it, costs a little, and it leaks."""

    HOLDS, COSTS, REFUSED_FROM, LEAKS = 50.0, 1.0, 600.0, 10.0  # the last one a second

    def __init__(self) -> None:
        self._lock, self._level, self._at = threading.Lock(), 0.0, time.monotonic()
        self.refused = 0

    def enter(self) -> bool:
        """Whether a call may begin."""
        with self._lock:
            now = time.monotonic()
            self._level = max(self._level - (now - self._at) * self.LEAKS, 0.0)
            self._at = now
            if self._level >= self.REFUSED_FROM:
                self.refused += 1
                return False
            self._level += self.HOLDS
            return True

    def leave(self) -> None:
        """A call has ended."""
        with self._lock:
            self._level = max(self._level + self.COSTS - self.HOLDS, 0.0)


def _extension(sent: Json) -> dict[str, Any]:
    found = sent.get(_EXTENSION)
    return found if isinstance(found, dict) else {}


def _is_new(sent: Json) -> bool:
    extension = _extension(sent)
    return extension.get("new_submission") is not False and (
        extension.get("submission_type") != "none"
    )


def _handed_in(sent: Json) -> float:
    """When the work was handed in; 0 when nothing is said."""
    submission = sent.get("submission")
    text = submission.get("submittedAt") if isinstance(submission, dict) else None
    return scores.exact(text) if text is not None else 0.0


def _error(status: int, message: str) -> Response:
    kinds = {400: "bad_request", 401: "unauthorized", 412: "precondition_failed"}
    kind = kinds.get(status, "unprocessable_entity")
    body = json.dumps({"errors": {"type": kind, "message": message}})
    return Response(body, status, content_type="application/json; charset=utf-8")


def _missing() -> Response:
    body = json.dumps({"errors": [{"message": "The specified resource does not exist."}]})
    return Response(body, 404, content_type="application/json; charset=utf-8")
