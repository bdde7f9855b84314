"""What people see of the pretend LMS: the course, the launches, the gradebook, the way back."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from lti_bridge.sandbox.lms import launch as lms_launch
from lti_bridge.sandbox.lms import launch11, launch13
from lti_bridge.sandbox.lms.course import USERS, LinkSpec, User
from lti_bridge.sandbox.lms.state import Lms


def blueprint(lms: Lms) -> Blueprint:
    """The course pages; who looks is a plain cookie, for this LMS protects nobody's data."""
    bp = Blueprint("lms", __name__)

    @bp.app_context_processor
    def every_page() -> dict[str, Any]:
        return {"lms": lms.settings, "me": _me(lms), "people": USERS}

    @bp.app_errorhandler(HTTPException)
    def error_page(error: HTTPException) -> tuple[str, int]:
        return render_template("lms/error.html", error=error), error.code or 500

    @bp.get("/")
    def course() -> str:
        return _course(lms)

    @bp.get("/as/<key>")
    def view_as(key: str) -> ResponseReturnValue:
        user = lms.find_user(key) or abort(404, "Nobody here has that name")
        answer = redirect("/")
        answer.set_cookie(lms.cookie, user.id, httponly=True, samesite="Lax")
        return answer

    @bp.get("/launch/<link_id>")
    def launch(link_id: str) -> ResponseReturnValue:
        return _launch(lms, link_id)

    @bp.get("/storage")
    def storage() -> str:
        """The frame beside the tool that keeps its data."""
        return render_template("lms/storage.html", tool=lms_launch.tool_origin(lms))

    @bp.get("/gradebook")
    def gradebook() -> str:
        return render_template("lms/gradebook.html", columns=_columns(lms))

    @bp.get("/gradebook.json")
    def gradebook_json() -> Response:
        return jsonify(columns=_columns(lms))

    @bp.route("/return", methods=["GET", "POST"])
    def back() -> ResponseReturnValue:
        found = lms.family.way_back()
        if not isinstance(found, str):
            return found
        return render_template(found, said=request.values) if found else _course(lms, back=True)

    return bp


def _me(lms: Lms) -> User | None:
    return lms.find_user(request.cookies.get(lms.cookie, ""))


def _course(lms: Lms, *, back: bool = False) -> str:
    """The course page; for somebody who comes `back` from a tool, with what it says.

    Links that were copied into another course are shown with `?of=` and its id.
    """
    together: dict[str, list[LinkSpec]] = {}
    shown = request.args.get("of", "")
    for link in lms.links:
        if link.course == shown:
            together.setdefault(link.title, []).append(link)
    return render_template(
        "lms/course.html",
        activities=together,
        cells=_own_cells(lms),
        back=back,
        said=request.values,
    )


def _own_cells(lms: Lms) -> dict[str, dict[str, Any]]:
    """The current person's graded cells by link."""
    me = _me(lms)
    if me is None:
        return {}
    cells = {
        column["link"]: {**column["cells"].get(me.id, {}), "maximum": column["maximum"]}
        for column in _columns(lms)
    }
    return {link: cell for link, cell in cells.items() if cell.get("score") is not None}


def _launch(lms: Lms, link_id: str) -> ResponseReturnValue:
    """Launch as the current person: in this window, or inside a page when `target=iframe`.

    The page's frame asks again with `framed=1`, so that each launch is signed when it is shown.
    """
    link = lms.link(link_id) or abort(404, "The course has no such activity")
    user = _me(lms)
    if user is None:
        return redirect("/")
    if request.args.get("target") == "iframe":
        return render_template("lms/frame.html", link=link, tool=lms_launch.tool_origin(lms))
    target = "iframe" if "framed" in request.args else "window"
    if link.lti == "1.1":
        action, fields = (
            link.url or lms_launch.launch_url(lms),
            launch11.build(lms, link, user, target),
        )
    else:
        action, fields = (
            lms_launch.login_url(lms),
            launch13.login_fields(lms, link, user, target),
        )
    return render_template("lms/post.html", action=action, fields=fields, title=link.title)


def _columns(lms: Lms) -> list[dict[str, Any]]:
    """Every gradebook column with its graded cells by user id; a cleared cell has score null."""
    with lms.state.lock:
        return [
            {
                "item": item.id,
                "link": item.link_id,
                "title": item.label,
                "lti": link.lti if (link := lms.link(item.link_id)) else "",
                "maximum": float(item.maximum),
                "cells": {
                    user_id: {
                        "score": None if grade.points is None else float(grade.points),
                        "comment": grade.comment,
                        "changed": grade.changed,
                        "pending": grade.pending,
                        "told": None if grade.told is None else float(grade.told),
                        "by_hand": grade.by_hand,
                        "attempts": grade.attempts,
                        "submitted": grade.submitted,
                    }
                    for user_id, grade in item.grades.items()
                },
            }
            for item in lms.state.items.values()
        ]
