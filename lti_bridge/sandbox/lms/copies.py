"""Copying links as Moodle 4.5 was seen to: into another course, or once more into their own.

A copy keeps title and custom parameters, and gets an id and a gradebook column of its own. A full
copy tells the history of its course where the family has the variable for it; an import never does.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, request

from lti_bridge.sandbox.lms import notices
from lti_bridge.sandbox.lms.course import LinkSpec
from lti_bridge.sandbox.lms.state import Lms

_HOW = ("import", "copy", "duplicate")


def blueprint(lms: Lms) -> Blueprint:
    """`/control/copy`."""
    bp = Blueprint("copies", __name__)

    @bp.post("/control/copy")
    def copy() -> dict[str, Any]:
        """{"how": import, copy or duplicate, "from", "to": course ids, "link"} -> the new links.

        Without "link" all links of the course are copied; "from" left out is the first course. Who
        has asked for notices is told of a copied course.
        """
        sent: dict[str, Any] = request.get_json()
        how, source, target = sent.get("how"), sent.get("from", ""), sent.get("to", "")
        if how not in _HOW or (how == "duplicate") != (not target):
            abort(400, f"how is one of {', '.join(_HOW)}, and a duplicate has no other course")
        wanted = [one for one in lms.links if one.course == source]
        wanted = [one for one in wanted if sent.get("link") in (None, one.id)]
        if not wanted:
            abort(404, "There is nothing to copy")
        known = source or lms.settings.course_id
        if how == "copy":
            with lms.state.lock:
                lms.state.histories[target] = [known, *lms.history_of(wanted[0])]
        links = {one.id: _copy(lms, one, how, target or source).id for one in wanted}
        told = [] if how == "duplicate" else notices.tell(lms, target, [known])
        return {"links": links, "notices": told}

    return bp


def _copy(lms: Lms, link: LinkSpec, how: str, course: str) -> LinkSpec:
    with lms.state.lock:
        old = lms.state.item_of_link(link.id)
        title = f"{link.title} (copy)" if how == "duplicate" else link.title
        new = replace(link, id=f"copy-{len(lms.state.placed) + 1}", title=title, course=course)
        lms.state.placed.append(new)
        if old is not None:
            lms.state.add_item(title, old.maximum, link_id=new.id)
    return new
