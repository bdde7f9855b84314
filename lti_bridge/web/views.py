"""What the instructor's page shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreviewForm:
    """The POST that opens the test as a preview: an absolute address of the bridge, its fields."""

    action: str
    fields: tuple[tuple[str, str], ...] = ()


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
