"""A short multiple-choice exam for a candidate: its questions, and what answers are worth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question; `right` counts from 0, `wrong` is what a wrong answer costs."""

    section: str
    text: str
    choices: tuple[str, ...]
    right: int
    marks: float = 1.0
    wrong: float = 0.0


@dataclass(frozen=True)
class Section:
    """What one section brought; `correct` and `unanswered` count questions."""

    name: str
    marks: float
    max_marks: float
    questions: int
    correct: int
    unanswered: int


def mark(questions: Sequence[Question], form: Mapping[str, str]) -> list[Section]:
    """The sections, in order, for a posted form with fields q1, q2, …"""
    answers = {q: form.get(f"q{n}", "") for n, q in enumerate(questions, start=1)}
    sections = []
    for name in dict.fromkeys(q.section for q in questions):
        mine = [q for q in questions if q.section == name]
        correct = [q for q in mine if answers[q] == str(q.right)]
        unanswered = [q for q in mine if not answers[q]]
        lost = sum(q.wrong for q in mine if q not in correct and q not in unanswered)
        sections.append(
            Section(
                name=name,
                marks=sum(q.marks for q in correct) - lost,
                max_marks=sum(q.marks for q in mine),
                questions=len(mine),
                correct=len(correct),
                unanswered=len(unanswered),
            )
        )
    return sections


def wished_score(form: Mapping[str, str]) -> float | None:
    """The score that somebody who tries the sandbox typed in; None without a finite number."""
    try:
        score = float(form.get("score", ""))
    except ValueError:
        return None
    return score if math.isfinite(score) else None
