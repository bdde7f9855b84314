"""What a transaction can do about activities that live in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity, Adjustment, Begun, Course, Link


class ActivitySteps(Protocol):
    """The part of `core.store.Transaction` that is about activities."""

    def stored_activity(self, activity_id: str) -> Activity | None:
        """An activity that lives in the database; its settings are what was typed."""

    def activities_of(self, course: Course) -> list[Activity]:
        """The activities of a course that are not retired, the oldest first."""

    def family(self, registration: str, root: str) -> list[Activity]:
        """An activity and all its copies in other courses of the LMS that are not retired."""

    def save_course_activity(self, activity: Activity, changed_by: str, now: datetime) -> bool:
        """Create or change an activity; False when it belongs elsewhere or is retired."""

    def retire_activity(
        self, activity_id: str, course: Course, changed_by: str, now: datetime
    ) -> bool:
        """Let no new attempt begin; False when it belongs elsewhere or is retired already."""

    def settings_at_start(self, attempt_id: str) -> Mapping[str, Any] | None:
        """What was set when this attempt was created; None for an activity without versions."""

    def begun(self, launch: Launch, link_id: str, learner_id: str) -> list[Begun]:
        """All attempts of this learner at this link, or in the LMS of a launch, by number."""

    def in_use_since(self, launch: Launch, context_id: str) -> bool:
        """Whether that course of the LMS was clicked in since the course of a launch is known."""

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""

    def count_attempts(self, activity_id: str) -> int:
        """How many attempts were made at an activity."""

    def former_link(self, registration: str, resource_link_id: str) -> Link | None:
        """The newest link of this LMS that had this id, in whatever course."""

    def note_copy(
        self, course: Course, origins: Sequence[str], now: datetime, told_by: str = ""
    ) -> None:
        """Keep from which courses (their context ids) this one was copied.

        `told_by` is the teacher who says so, as a learner's id; empty for the LMS, which stays.
        """

    def copied_from(self, course: Course, *, said_by_teachers: bool = True) -> list[str]:
        """The context ids of the courses that this one was copied from, the newest copy first."""

    def copies_said(self, course: Course) -> bool:
        """Whether a person said that this course is a copy, and no LMS."""

    def forget_copies(self, course: Course) -> None:
        """Take back what people said about where this course comes from."""

    def unmake_copies(self, course: Course) -> int:
        """Delete the copies in a course that nobody has begun or changed; how many they were."""

    def has_taught(self, learner_id: str, course: Course) -> bool:
        """Whether somebody has set up or changed a test there, or said where the course is from."""

    def set_up_by(self, registration: str, learner_id: str) -> list[Activity]:
        """The activities of an LMS that somebody has set up or changed, the oldest first."""

    def count_sharing(self, activity: Activity, link_id: str) -> int:
        """How many other links of its course open an activity."""

    def unplaced(self, course: Course) -> list[Activity]:
        """The activities of a course that no link has opened yet and nobody has begun."""
