"""What the instructor's page of one link shows: plain data, from a launch that staff opened."""

from __future__ import annotations

from collections.abc import Sequence

from lti_bridge.core.launch.launches import Preview
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.web import advice
from lti_bridge.web.views import InstructorView, Manage, PreviewForm

GO_ON_PATH = "/course/go-on"
PEOPLE_PATH = "/course/people"


def instructor_view(
    preview: Preview,
    go_on: str,
    people: str,
    manage: Manage | None,
    troubles: Sequence[tuple[str, int]] = (),
) -> InstructorView:
    """The page's content. `go_on` and `people` are where its forms lead.

    `manage` is what this person may do about the activity, `troubles` why grades are not in the
    gradebook, and how many.
    """
    opened, token = preview.opened, (("token", preview.token),)
    custom = tuple(
        (name, _shown(name, value, opened), variable_in(value) in preview.resolved.unresolved)
        for name, value in sorted(preview.resolved.values.items())
    )
    return InstructorView(
        activity_title=opened.activity.title,
        activity_id=opened.activity.id,
        connection=opened.connection.name,
        provider_kind=opened.connection.kind,
        course_title=opened.launch.context.title,
        link_title=opened.launch.resource_link.title,
        grade_policy=opened.activity.grade,
        custom=custom,
        warnings=(
            *advice.missing(opened),
            *(_trouble(why, many) for why, many in troubles),
        ),
        preview=PreviewForm(go_on, token),
        back_url=opened.launch.presentation.return_url,
        manage=manage,
        people=PreviewForm(people, token),
    )


def _trouble(why: str, many: int) -> str:
    grades = "1 grade of this link is" if many == 1 else f"{many} grades of this link are"
    return (
        f"{grades} not in your LMS's gradebook. What was tried, and what the LMS said: {why}."
        " Show this to the administrator of your LMS; “Show the learners” says whose grades they"
        " are, and no grade is lost."
    )


def _shown(name: str, value: str, opened: Opened) -> str:
    return "(not shown)" if name in opened.connection.hidden else value
