"""How the pretend Mettl tells a candidate's status and result, in its API and in its web-hooks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from lti_bridge.sandbox.exam import Section
from lti_bridge.sandbox.mettl.call import Desk
from lti_bridge.sandbox.mettl.state import Assessment, Attempt, Result

PERCENTILE = 90.9  # as in a real sample with no marks at all: it must not be taken for a score

_IST = timezone(timedelta(hours=5, minutes=30))
_DETAILED = {
    "ToBeTaken": ("Yet to Start", "Registered", None),
    "InProgress": ("In-progress", "In-progress", None),
    "Completed": ("Completed", "Test-taker Completed", "Completed"),
}


def of_sections(sections: Sequence[Section]) -> Result:
    """The result of answered questions."""
    return Result(
        total_marks=sum(s.marks for s in sections),
        max_marks=sum(s.max_marks for s in sections),
        percentile=PERCENTILE,
        questions=sum(s.questions for s in sections),
        correct=sum(s.correct for s in sections),
        unanswered=sum(s.unanswered for s in sections),
        sections=tuple((s.name, s.marks, s.max_marks) for s in sections),
    )


def of_marks(
    assessment: Assessment, total: float, top: float | None = None, percentile: float = PERCENTILE
) -> Result:
    """A result with these marks, whatever the answers were."""
    questions = len(assessment.questions)
    most = sum(q.marks for q in assessment.questions) if top is None else top
    return Result(total, most, percentile, questions, 0, 0, (("Overall", total, most),))


def gmt(seconds: float | None) -> str | None:
    """A moment as the *_GMT fields write it."""
    return _written(seconds, UTC, "UTC")


def ist(seconds: float | None) -> str | None:
    """A moment as the fields without _GMT write it."""
    return _written(seconds, _IST, "IST")


def _written(seconds: float | None, zone: timezone, name: str) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, zone).strftime(f"%a, %d %b %Y %H:%M:%S {name}")


def candidate(desk: Desk, attempt: Attempt) -> dict[str, Any]:
    """A candidate as the list and the result call tell it."""
    told = {
        "email": attempt.email,
        "registration": attempt.registration,
        "testStatus": test_status(desk, attempt),
    }
    return told if attempt.context_data is None else {**told, "context_data": attempt.context_data}


def test_status(desk: Desk, attempt: Attempt) -> dict[str, Any]:
    """The testStatus object; without `result` until the marks are known."""
    overall, detailed, mode = _DETAILED[attempt.status]
    told: dict[str, Any] = {
        "status": attempt.status,
        "overallStatus": attempt.verdict.get("overallStatus", overall),
        "detailedStatus": attempt.verdict.get(
            "detailedStatus", "Access Expired" if attempt.expired else detailed
        ),
        "completionMode": mode,
        "start_time_GMT": gmt(attempt.started),
        "end_time_GMT": gmt(attempt.ended),
        "startTime": ist(attempt.started),
        "endTime": ist(attempt.ended),
    }
    if attempt.result:
        told["result"] = _result(attempt, attempt.result)
        told["pdfReport"] = f"{desk.base_url}/report/pdf?key={attempt.token}"
        told["htmlReport"] = f"{desk.base_url}/report/html?key={attempt.token}"
    return told


def attempt_time(attempt: Attempt) -> float:
    """How long the test took, in seconds."""
    return round((attempt.ended or 0) - (attempt.started or 0), 3)


def _result(attempt: Attempt, result: Result) -> dict[str, Any]:
    return {
        "totalMarks": result.total_marks,
        "maxMarks": result.max_marks,
        "percentile": result.percentile,
        "attemptTime": attempt_time(attempt),
        "totalQuestion": float(result.questions),
        "totalCorrectAnswers": float(result.correct),
        "totalUnAnswered": float(result.unanswered),
        "sectionMarks": [
            {"sectionName": name, "totalMarks": marks, "maxMarks": top}
            for name, marks, top in result.sections
        ],
        "performanceCategory": "Good",
        "candidateCredibilityIndex": attempt.verdict.get("credibility", "Not Applicable"),
        "codePlagiarism": "NA",
    }
