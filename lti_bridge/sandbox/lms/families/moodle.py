"""Moodle 4.5.6, as one answered in 2026-11: its own ways with scores, columns and the way back."""

from decimal import Decimal, InvalidOperation
from html import escape
from typing import TYPE_CHECKING

from flask import Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from lti_bridge.sandbox.lms import scores
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.families.plain import Json, Plain, read_object

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Item

_EMBED, _WINDOW = "2", "4"
_NEEDED = ("userId", "timestamp", "activityProgress", "gradingProgress")


class Moodle(Plain):
    """A teacher's override and a lock stay; what it stores, and what it shows, are two things."""

    no_keys_status = 404

    def audience(self) -> str | None:
        """Whatever a token is asked for is taken."""
        return None

    def variables(self, link: LinkSpec) -> dict[str, str]:
        """History is told after a full copy, and is empty else; that of a link is never."""
        return {"$Context.id.history": ",".join(self.lms.history_of(link))}

    def return_values(self, target: str) -> dict[str, str]:
        """2 stands for a frame within its page, 4 for a window (mod/lti/locallib.php)."""
        return {"launch_container": _EMBED if target == "iframe" else _WINDOW}

    def way_back(self) -> str | BaseResponse:
        """What a tool says is printed, and that is all; else the course (mod/lti/return.php).

        Out of a frame it comes by a script, which does nothing where there is no frame.
        """
        embedded = request.values.get("launch_container", _WINDOW) == _EMBED
        if request.values.get("lti_msg") or request.values.get("lti_errormsg"):
            return "lms/said_back.html"
        return "lms/leave_frame.html" if embedded else redirect("/")

    def is_listed(self, user: User) -> bool:
        """Whoever is suspended is left out, as is who has left."""
        return self.lms.state.statuses.get(user.id, "Active") == "Active"

    def no_item(self, item_id: str) -> Response:
        """A column that was deleted with its activity belongs to no tool any more."""
        if item_id in self.lms.state.orphaned:
            return Response("Invalid LTI id supplied.", 403)
        return Response("", 404)

    def score(self, item: "Item", body: bytes) -> Response:
        """What is not fully graded or scoreless wipes, as a missing comment does the feedback."""
        sent = read_object(body) or {}
        user_id = str(sent.get("userId", ""))
        g.log_user, g.log_value = user_id, str(sent.get("scoreGiven", sent.get("gradingProgress")))
        if user_id and not user_id.isdecimal():
            return Response("", 502)  # a status of 0, which the web server makes of it
        read = self._read(sent)
        if read is None:
            return _incorrect(body)
        part, stamp = read
        with self.lms.state.lock:
            old = item.grades.get(user_id)
            if old and stamp <= old.stamp:
                return Response("Refusing score with an earlier timestamp", 409)
            if self.lms.state.is_locked(item, user_id):
                return Response("[]", 500)
            told = None if part is None else part * item.maximum
            self._store(item, user_id, told, str(sent.get("comment") or ""), stamp)
        return Response("", 200, content_type="text/html; charset=utf-8")

    def _read(self, sent: Json) -> tuple[Decimal | None, int] | None:
        user = self.lms.find_user(str(sent.get("userId", "")))
        if user is None or user.teacher or not self._is_enrolled(user):
            return None
        if any(sent.get(name) is None for name in _NEEDED):
            return None
        try:
            stamp = scores.moment(sent["timestamp"], zoned=False)
            if sent.get("scoreGiven") is None:
                return None, stamp
            part = Decimal(str(sent["scoreGiven"])) / Decimal(str(sent.get("scoreMaximum")))
            return (part if sent["gradingProgress"] == "FullyGraded" else None), stamp
        except (ValueError, InvalidOperation, ZeroDivisionError):
            return None

    def _is_enrolled(self, user: User) -> bool:
        """Somebody suspended still is."""
        return self.lms.state.statuses.get(user.id) != "Deleted"

    def _store(
        self, item: "Item", user_id: str, told: Decimal | None, comment: str, stamp: int
    ) -> None:
        """Keep what a tool said; what is shown is within the maximum, unless it is overridden."""
        old = item.grades.get(user_id)
        shown = None if told is None else min(max(told, Decimal(0)), item.maximum)
        if old and old.by_hand:
            shown, comment = old.points, old.comment
        state = self.lms.state
        state.put_grade(item, user_id, shown, comment, stamp)
        kept = bool(old and old.by_hand)
        state.change_grade(item, user_id, told=told, by_hand=kept)

    def outcome_refusal(self, item: "Item", user_id: str) -> str | None:
        """A lock is a failure without a word about it."""
        return "Grade replace response" if self.lms.state.is_locked(item, user_id) else None

    def outcome_score(self, item: "Item", user_id: str, score: Decimal | None) -> None:
        """As a score, with the feedback kept; somebody who has left is graded all the same."""
        old = item.grades.get(user_id)
        told = None if score is None else score * item.maximum
        comment = old.comment if old else ""
        with self.lms.state.lock:
            self._store(item, user_id, told, comment, self.lms.now())

    def by_hand(self, item: "Item", user_id: str, points: Decimal | None, comment: str) -> None:
        """An override: what the tool says is kept beneath it, and shown when it is taken away."""
        with self.lms.state.lock:
            old = item.grades.get(user_id)
            told = old.told if old else None
            shown = told if points is None else points
            super().by_hand(item, user_id, shown, comment)
            self.lms.state.change_grade(item, user_id, told=told, by_hand=points is not None)

    def link_header(self, following: int) -> str:
        """That of line items has typographic quotes, and an address written for HTML."""
        if "/lineitems" not in request.path:
            return super().link_header(following)
        written = f"<{escape(self.page_url(following))}>; rel=“next”"
        return written.encode().decode("latin-1")  # what a server writes is these very bytes


def _incorrect(body: bytes) -> Response:
    """The reason goes into the status line with the whole body, which may have no line breaks."""
    return Response("[]", 200 if b"\n" in body else 400)
