"""The desk of a pretend provider's staff: what was handed in, and a form that gives it marks."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from lti_bridge.sandbox import exam


@dataclass(frozen=True)
class Paper:
    """Answers that were handed in; `marks` in words, empty while there are none."""

    key: str
    who: str
    what: str
    label: str
    marks: str = ""


def install(
    pages: Blueprint,
    provider: str,
    papers: Callable[[], list[Paper]],
    mark: Callable[[str, float], None],
) -> None:
    """Add the page /staff. `mark` gives the paper of that key its marks, or other ones."""

    @pages.get("/staff")
    def desk() -> str:
        found = sorted(papers(), key=lambda paper: bool(paper.marks))
        return render_template("sandbox/staff.html", provider=provider, papers=found)

    @pages.post("/staff")
    def give() -> AnyResponse:
        score, key = exam.wished_score(request.form), request.form.get("key", "")
        if score is None:
            abort(400)
        if key not in {paper.key for paper in papers()}:
            abort(404)
        mark(key, score)
        return redirect("/staff", 303)
