"""Mettl's API as a typed client: candidates, schedules, assessments, the account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lti_bridge.providers.addresses import is_safe
from lti_bridge.providers.mettl.errors import LinkMissing, NotRegistered, OtherCandidate
from lti_bridge.providers.mettl.wire import Wire, unreadable, without

COMPLETED = "Completed"
REGISTERED = frozenset({"ToBeTaken", "InProgress"})  # what the document calls success
PAGE = 100  # the most that Mettl gives at once
MAX_PAGES = 50


@dataclass(frozen=True, slots=True)
class Registration:
    """What Mettl says to a registration: the candidate's status, and the link to the test."""

    status: str
    url: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule (test link) of an assessment; `details` is all that Mettl tells of it."""

    access_key: str
    name: str
    assessment_id: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Assessment:
    """A test of the account."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Client:
    """The calls that the bridge makes. All raise as `wire.Wire` does."""

    wire: Wire

    def account(self) -> None:
        """GET account: whether the keys work."""
        self.wire.call("GET", "account", ("account",))

    def register(
        self,
        access_key: str,
        details: Mapping[str, str],
        optional: Mapping[str, Any],
        options: Mapping[str, str],
    ) -> Registration:
        """Register one candidate; once more is harmless. Raises NotRegistered without a link."""
        rd = compact({"registrationDetails": [details], "optionalParams": [optional]})
        path = ("schedules", access_key, "candidates")
        private = (*details.values(),)
        answer = self.wire.call("POST", "register", path, {"rd": rd, **options}, private)
        rows = _objects(answer.get("registrationStatus"))
        if len(rows) != 1:
            raise unreadable("POST", "register: no registrationStatus")
        _same(rows[0], optional["email"], "register")
        url, status = rows[0].get("url"), str(rows[0].get("status"))[:40]
        if url is None and status == COMPLETED:
            return Registration(status, "")  # nobody needs a link to what is over
        if url is None and status in REGISTERED:
            raise LinkMissing(f"register: {status} without a url")
        if not isinstance(url, str) or not is_safe(url):
            reason = without(rows[0].get("message"), private)
            raise NotRegistered(f"register: {status} without a link: {reason}")
        return Registration(status, url)

    def candidate(self, access_key: str, email: str) -> dict[str, Any]:
        """A candidate of a schedule with status and result."""
        path = ("schedules", access_key, "candidates", email)
        found = self.wire.call("GET", "result", path, private=(email,)).get("candidate")
        if not isinstance(found, dict):
            raise unreadable("GET", "result: no candidate")
        _same(found, email, "result")
        return found

    def delete(self, access_key: str, email: str) -> None:
        """Delete a candidate's result; Mettl refuses while the test runs."""
        path = ("schedules", access_key, "candidates", email)
        self.wire.call("DELETE", "delete result", path, private=(email,))

    def schedule(self, access_key: str) -> Schedule:
        """One schedule."""
        found = self.wire.call("GET", "schedule", ("schedules", access_key)).get("schedule")
        schedule = _schedule(found if isinstance(found, dict) else {})
        if schedule is None or not schedule.assessment_id:
            raise unreadable("GET", "schedule: no name or assessment")
        return schedule

    def schedules(self, assessment_id: str = "") -> Iterator[Schedule]:
        """All schedules of an assessment, or of the account."""
        path = ("assessments", assessment_id, "schedules") if assessment_id else ("schedules",)
        for row in self._pages("schedules", path):
            if schedule := _schedule(row):
                yield schedule

    def assessments(self) -> Iterator[Assessment]:
        """All assessments of the account."""
        for row in self._pages("assessments", ("assessments",)):
            if identifier := _id(row.get("id")):
                yield Assessment(identifier, str(row.get("name") or identifier))

    def create_schedule(self, assessment_id: str, details: Mapping[str, Any]) -> Schedule:
        """Create a schedule from its `sc` JSON; Mettl refuses a name that exists."""
        path = ("assessments", assessment_id, "schedules")
        answer = self.wire.call("POST", "create schedule", path, {"sc": compact(details)})
        made = answer.get("createdSchedule")
        schedule = _schedule(made if isinstance(made, dict) else {})
        if schedule is None:
            raise unreadable("POST", "create schedule: no accessKey")
        return schedule

    def _pages(self, name: str, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for page in range(MAX_PAGES):
            parameters = {"limit": str(PAGE), "offset": str(page * PAGE)}
            rows = _objects(self.wire.call("GET", name, path, parameters).get(name))
            yield from rows
            if len(rows) < PAGE:
                return


def compact(value: object) -> str:
    """JSON as it is signed and sent: minified, in ASCII, so that no charset can change it."""
    return json.dumps(value, separators=(",", ":"))


def _same(told: Mapping[str, Any], email: str, what: str) -> None:
    """Raises OtherCandidate when an answer names another address."""
    named = told.get("email")
    if named and str(named).strip().casefold() != email.strip().casefold():
        raise OtherCandidate(f"{what}: another email")


def _objects(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _schedule(row: Mapping[str, Any]) -> Schedule | None:
    key, name = _id(row.get("accessKey")), row.get("name")
    if not key or not isinstance(name, str):
        return None
    within = row.get("assessmentDetails")
    nested = within.get("id") if isinstance(within, dict) else None
    return Schedule(key, name, _id(row.get("assessmentId") or nested), row)


def _id(value: object) -> str:
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if plain else ""
