"""The page about a course's learners: fetched from the LMS, shown to its staff, stored nowhere."""

from __future__ import annotations

from flask import Blueprint, Response

from lti_bridge.core.course.learners import Line, Listing, People
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import Launch
from lti_bridge.web.overview import PEOPLE_PATH
from lti_bridge.web.site import Site
from lti_bridge.web.views import PeopleView, PersonLine, PreviewForm

PEOPLE = "people"
NOTICES: dict[Listing, str] = {
    "listed": "",
    "not offered": "This LMS does not list the course's members to us, "
    "so only those who have opened the test are shown, by the LMS's own ids.",
    "being fetched": "The list of members is being fetched. Please look again in a moment.",
    "not readable": "The list of members could not be read now, "
    "so only those who have opened the test are shown, by the LMS's own ids.",
}


def blueprint(site: Site, people: People) -> Blueprint:
    """The route of the page; the token of a launch by staff, not long ago, is the proof."""
    routes = Blueprint("people", __name__)

    def show(token: str, _: Launch, frame_ancestors: tuple[str, ...]) -> Response:
        """Who has not started, started, is graded, delivered or overridden."""
        opened = site.launching.for_staff(token)
        overview = people.overview(opened)
        view = PeopleView(
            activity_title=opened.activity.title,
            course_title=opened.launch.context.title,
            lines=tuple(_shown(line) for line in overview.lines),
            counts=tuple(overview.counts()),
            again=PreviewForm(site.people_path, (("token", token),)),
            notice=NOTICES[overview.listing],
            back_url=opened.launch.presentation.return_url,
        )
        return site.pages.people(view, frame_ancestors=frame_ancestors)

    @routes.post(PEOPLE_PATH)
    def ask() -> Response:
        """The button that leads there, or looks again."""
        opened = site.launching.for_staff(site.sent_token())
        site.errors.remember(opened.launch)
        return site.shown(opened.launch, {"do": PEOPLE})

    site.views[PEOPLE] = show
    return routes


def _shown(line: Line) -> PersonLine:
    person = line.person
    name = person.full_name or f"{person.given_name} {person.family_name}".strip() or person.id
    grade = _grade(line.score)
    return PersonLine(
        name, line.stage, grade, line.shown, line.active, line.reason, listed=line.listed
    )


def _grade(score: Score | None) -> str:
    return "" if score is None else f"{score.given:f} of {score.maximum:f}"
