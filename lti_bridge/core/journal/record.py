"""What is kept of a hop: texts of bounded length, without secrets, addresses and names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from lti_bridge.core.journal.hop import Call, Hop
from lti_bridge.core.journal.journal import Written
from lti_bridge.errors import Finding

MAX_TEXT = 500  # characters of an error's own words, and of a finding's
MAX_ID = 255
Redact = Callable[[str, int], str]
"""A text of at most so many characters, without secrets and addresses."""
Person = Callable[[str, str], str]
"""What stands for a user of an LMS of whom nothing else is known; nobody can read it back."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A hop as it is kept. Empty texts are what was not known; `code` is empty where it went well.

    `user` is the LMS's id of the learner, as far as that learner has not been forgotten.
    """

    ref: str
    at: datetime
    ms: int
    kind: str
    code: str
    detail: str
    proved: bool
    registration: str
    course: str
    link: str
    activity: str
    connection: str
    learner: str
    user: str
    attempt: str
    grade: str
    checks: tuple[str, ...]
    status: int
    said: str
    calls: tuple[Call, ...]
    findings: tuple[Finding, ...]


class Recording:
    """Makes rows of hops that are over. `person` is asked only where no learner is known."""

    def __init__(self, redact: Redact, person: Person) -> None:
        self._redact = redact
        self._person = person
        self._said = lru_cache(1024)(lambda text: redact(text, MAX_TEXT))

    def columns(self, written: Written) -> dict[str, Any]:
        """The values of a row, by the names of its columns, and what finds its learner."""
        hop = written.hop
        user = "" if hop.learner else hop.user
        return {
            "ref": hop.ref,
            "at": int(1000 * hop.at),
            "ms": hop.ms,
            "kind": hop.kind,
            "code": hop.code or None,
            "detail": self._redact(hop.detail, MAX_TEXT) if hop.detail else "",
            "proved": int(hop.proved),
            "registration": hop.registration,
            "context_id": self._id(hop.context),
            "link_id": hop.link or None,
            "activity_id": self._id(hop.activity),
            "connection": hop.connection or None,
            "learner_id": hop.learner,
            "user_id": user,
            "person": self._person(hop.registration, user) if user else None,
            "attempt_id": hop.attempt or None,
            "grade_id": hop.grade or None,
            "click": hop.click,
            "checks": " ".join(hop.checks),
            "more": self._more(hop, written),
        }

    def _id(self, text: str) -> str | None:
        """An id of an LMS's, which is no secret but may look like anything."""
        return text[:MAX_ID] or None

    def _more(self, hop: Hop, written: Written) -> str:
        more: dict[str, Any] = {}
        if hop.status:
            more["status"] = hop.status
        if hop.said:
            more["said"] = self._said(hop.said)
        if hop.calls:
            more["calls"] = [
                (one.method, one.host, self._redact(one.path, MAX_ID), one.status, one.ms)
                for one in hop.calls
            ]
        if written.findings:
            more["findings"] = [
                [self._redact(text, MAX_TEXT) for text in (f.check, f.configured, f.came, f.remedy)]
                for f in written.findings
            ]
        return json.dumps(more, ensure_ascii=False) if more else ""


def recorded(row: Mapping[str, Any]) -> Recorded:
    """The hop of a row, with the LMS's `user_id` beside it."""
    more = json.loads(row["more"]) if row["more"] else {}
    return Recorded(
        ref=row["ref"],
        at=datetime.fromtimestamp(row["at"] / 1000, UTC),
        ms=row["ms"],
        kind=row["kind"],
        code=row["code"] or "",
        detail=row["detail"],
        proved=bool(row["proved"]),
        registration=row["registration"],
        course=row["context_id"] or "",
        link=row["link_id"] or "",
        activity=row["activity_id"] or "",
        connection=row["connection"] or "",
        learner=row["learner_id"] or "",
        user=row["user_id"] or "",
        attempt=row["attempt_id"] or "",
        grade=row["grade_id"] or "",
        checks=tuple(row["checks"].split()),
        status=more.get("status", 0),
        said=more.get("said", ""),
        calls=tuple(Call(*one) for one in more.get("calls", ())),
        findings=tuple(Finding(*one) for one in more.get("findings", ())),
    )
