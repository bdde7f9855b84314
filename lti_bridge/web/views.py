"""What the instructor's page shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreviewForm:
    """The POST that opens the test as a preview: an absolute address of the bridge, its fields."""

    action: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Manage:
    """The buttons that change, copy or retire an activity of this course.

    `shared` is how many other links of the course open it; `separable`: this one may get an
    activity of its own. `copied` are the titles of the copies in a course that somebody said to be
    a copy.
    """

    action: str
    token: str
    activity_id: str
    attempts: int
    shared: int = 0
    separable: bool = False
    copied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstructorView:
    """What students of one link get.

    `settings` are label/value pairs. `custom` are the parameters that the provider receives:
    name, value, and whether the value is a variable that nobody could resolve.
    """

    activity_title: str
    activity_id: str
    connection: str
    provider_kind: str
    course_title: str = ""
    link_title: str = ""
    grade_policy: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    custom: tuple[tuple[str, str, bool], ...] = ()
    warnings: tuple[str, ...] = ()
    preview: PreviewForm | None = None
    back_url: str = ""
    attempts_summary: tuple[tuple[str, int], ...] = ()
    people: PreviewForm | None = None
    manage: Manage | None = None


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One learner: name (or the LMS's id), how far, our grade, what the LMS shows.

    `reason` is why the grade is not there. Not `listed`: the LMS lists the others, and not them.
    """

    name: str
    stage: str
    grade: str = ""
    shown: str = ""
    active: bool = True
    reason: str = ""
    listed: bool = True


@dataclass(frozen=True, slots=True)
class PeopleView:
    """The learners of one link. `notice` says why the list is not complete; `again` asks anew."""

    activity_title: str
    course_title: str
    lines: tuple[PersonLine, ...]
    counts: tuple[tuple[str, int], ...]
    again: PreviewForm
    notice: str = ""
    back_url: str = ""
