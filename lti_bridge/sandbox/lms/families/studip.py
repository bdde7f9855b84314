"""Stud.IP 6.1, as one answered in 2026-11: LTI 1.1 works for who writes as it reads."""

from typing import TYPE_CHECKING

from flask import Response, request

from lti_bridge.sandbox.lms.course import User
from lti_bridge.sandbox.lms.families.plain import Json, Plain

if TYPE_CHECKING:
    from lti_bridge.sandbox.lms.state import Item

_ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


class StudIp(Plain):
    """Of a chosen link it keeps the address; one cell is for all links; AGS takes nothing."""

    code = "studip"
    version = "6.1"
    ext = "studip"
    keeps_custom = False

    def enter(self) -> Response | None:
        """An OAuth header is split at each comma, nothing trimmed; scores end in an error."""
        sent, path = request.headers.get("Authorization", ""), request.path
        parts = sent.partition(" ")[2].split(",") if sent.startswith("OAuth ") else []
        if any(part != part.strip() for part in parts):
            return Response("", 500)
        if "/lti/ags/" in path:
            return self._grades(path.removesuffix("/lineitem").rstrip("/"))
        return None

    def claims(self, said: Json, user: User) -> Json:
        """A tutor has two sub-roles, without the roles that they are of."""
        if user.id not in self.lms.state.tutors:
            return said
        return {**said, _ROLES: [f"{_MEMBERSHIP}TeachingAssistant", f"{_MEMBERSHIP}Mentor"]}

    def lists(self, item: "Item") -> bool:
        """Only what a tool has made."""
        return item.by_tool

    def _grades(self, path: str) -> Response | None:
        """A column that it has made is not found; one that a tool has made takes no score."""
        number, _, service = path.rpartition("/lineitems")[2].strip("/").partition("/")
        if not number:
            return None
        with self.lms.state.lock:
            item = self.lms.state.items.get(number)
        if item is not None and not item.by_tool:
            return Response("", 404)
        return Response("", 500) if service.endswith(("scores", "results")) else None

    def sourcedid(self, link_id: str, user_id: str) -> str:
        """The cell is the person's, whatever link they came by."""
        return user_id

    def cell(self, sourcedid: str) -> tuple[str, str]:
        """That of the first link that has one."""
        first = next(one.id for one in self.lms.links if one.lti == "1.1" and one.offers_bo)
        return first, sourcedid
