"""Which schedule an attempt is taken in: Mettl has one result per e-mail address and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lti_bridge.core.attempt.provider import Choice, Session
from lti_bridge.errors import ProviderError
from lti_bridge.providers.mettl.client import Client, Schedule
from lti_bridge.providers.mettl.errors import NoFurtherAttempt

SOURCE = "lti-bridge"
OPEN = {"type": "OpenForAll", "sendEmail": False}
HOOKS = (
    "testStartNotificationUrl",
    "testFinishNotificationUrl",
    "testGradedNotificationUrl",
    "testResumeEnabledForExpiredTestURL",
)
# What another attempt has to share with the first one: when it may be taken, and how watched.
COPIED = (
    "scheduleType",
    "scheduleWindow",
    "webProctoring",
    "visualProctoring",
    "secureBrowser",
    "ipAccessRestriction",
    "testGradeNotification",
)


@dataclass(frozen=True, slots=True)
class Schedules:
    """Finds schedules, and makes those that the bridge needs; they call back at `hook_url`."""

    client: Client
    hook_url: str

    def access_key(self, session: Session) -> str:
        """The schedule of this attempt. Raises NoFurtherAttempt, or as the client."""
        settings, number = session.settings, session.attempt_number
        again = number > 1 and settings.second_attempt == "new-schedule"
        suffix = f" attempt {number}" if again else ""
        if settings.assessment_id:
            name = f"{SOURCE} {session.resource_link.id}{suffix}"
            return self._found_or_made(settings.assessment_id, name, {"scheduleType": "AlwaysOn"})
        if not again:
            return str(settings.access_key)
        first = self.client.schedule(settings.access_key)
        return self._found_or_made(first.assessment_id, f"{first.name}{suffix}", _copied(first))

    def choices(self) -> list[Choice]:
        """Schedules that people made, and assessments, for which the bridge makes them."""
        names = {one.id: one.name for one in self.client.assessments()}
        found = [
            Choice(one.access_key, _label(one, names), "access_key")
            for one in self.client.schedules()
            if one.details.get("sourceApp") != SOURCE
        ]
        made = [
            Choice(identifier, f"{name} (a new schedule for this link)", "assessment_id")
            for identifier, name in names.items()
        ]
        return found + made

    def _found_or_made(self, assessment_id: str, name: str, copied: Mapping[str, Any]) -> str:
        if key := self._find(assessment_id, name):
            return key
        hooks = dict.fromkeys(HOOKS, self.hook_url)
        details = {"name": name, "sourceApp": SOURCE, "access": OPEN, **copied, **hooks}
        try:
            return self.client.create_schedule(assessment_id, details).access_key
        except ProviderError:
            # Another click of the same class may have made it a moment ago.
            if key := self._find(assessment_id, name):
                return key
            raise

    def _find(self, assessment_id: str, name: str) -> str:
        found = (s.access_key for s in self.client.schedules(assessment_id) if s.name == name)
        return next(found, "")


def _copied(first: Schedule) -> dict[str, Any]:
    access = first.details.get("access")
    if isinstance(access, dict) and access.get("type", "OpenForAll") != "OpenForAll":
        # an open copy of a closed schedule would let anybody in who has its link
        raise NoFurtherAttempt('a schedule by invitation needs second_attempt = "delete"')
    copied = {name: first.details[name] for name in COPIED if first.details.get(name)}
    return {"scheduleType": "AlwaysOn", **copied}


def _label(schedule: Schedule, names: Mapping[str, str]) -> str:
    assessment = names.get(schedule.assessment_id)
    return f"{assessment}: {schedule.name}" if assessment else schedule.name
