"""The test forms of the pretend Isograd with their questions and grading scales."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """One test an account may use; `gra_typ_id` as in Isograd's document."""

    tst_frm_id: int
    title: str
    gra_typ_id: int
    manual: bool = False
    assessment: bool = True


@dataclass(frozen=True)
class Question:
    """A multiple-choice question; `right` counts from 0."""

    text: str
    choices: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class Grade:
    """A result as action 4 tells it, with the score text a Basic Outcome carries."""

    gra_typ_id: int
    num_val: Any
    max_val: Any
    txt_des: str
    outcome: str


FORMS = {
    form.tst_frm_id: form
    for form in (
        Form(363, "Spreadsheets", 2),
        Form(364, "Spreadsheets, level", 1),
        Form(365, "Spreadsheets, correct answers", 4),
        Form(366, "Spreadsheets, score range", 5),
        Form(367, "Spreadsheets, out of 100", 15),
        Form(368, "Spreadsheets, marked by a person", 2, manual=True),
        Form(369, "Spreadsheets, average", 3),
        Form(370, "Spreadsheets, practice", 4, assessment=False),
    )
}

QUESTIONS = (
    Question(
        "Cells A1 to A5 hold prices. Which formula adds them up?",
        ("=TOTAL(A1,A5)", "=SUM(A1:A5)", "=A1+A5", "=COUNT(A1:A5)"),
        1,
    ),
    Question(
        "B2 holds =C2*$D$1. You copy it down to B3. What does B3 hold?",
        ("=C3*$D$1", "=C3*$D$2", "=C2*$D$1", "=C2*$D$2"),
        0,
    ),
    Question(
        "You want to see only the rows for one city, without deleting the others. What helps?",
        ("Sort", "Merge cells", "Conditional formatting", "Filter"),
        3,
    ),
)

_MAXIMUM = {1: 5, 2: 1000, 3: 1000, 4: len(QUESTIONS), 5: 1000, 15: 100}
# Isograd's own divisors for Basic Outcomes; 1 and 15 do not match their scales, as documented.
_DIVISOR = {1: 10, 2: 1000, 3: 1000, 5: 1000, 15: 1000}
_LEVELS = ("Initial", "Basic", "Intermediate", "Advanced", "Expert")
_LEVEL_OF_CORRECT = (1, 2, 4, 5)
_RANGES = ((1, 350), (1, 350), (350, 700), (700, 1000))


def count_correct(answers: list[str]) -> int:
    """How many answers, one text per question, are right."""
    return sum(
        given == str(question.right) for question, given in zip(QUESTIONS, answers, strict=True)
    )


def grade_of_correct(form: Form, correct: int) -> Grade:
    """The grade for a number of right answers, on the scale of the form."""
    kind = form.gra_typ_id
    share = correct / len(QUESTIONS)
    if kind == 1:
        level = _LEVEL_OF_CORRECT[correct]
        return grade_of_values(form, level, 5, f"{_LEVELS[level - 1]} – {level}/5")
    if kind == 5:
        low, high = _RANGES[correct]
        return grade_of_values(form, (low + high) / 2, 1000, f"{low}-{high}")
    if kind == 15:
        return grade_of_values(form, round(100 * share, 2), 100)
    top = _MAXIMUM[kind]
    num = correct if kind == 4 else 1000 * share
    return Grade(kind, num, top, f"{num:.0f}/{top}", repr(share))


def grade_of_values(form: Form, num_val: Any, max_val: Any = None, txt_des: str = "") -> Grade:
    """A grade with given values; anything that is no number has an empty outcome text."""
    top = _MAXIMUM[form.gra_typ_id] if max_val is None else max_val
    divisor = _DIVISOR.get(form.gra_typ_id, top)
    numbers = all(isinstance(value, int | float) for value in (num_val, divisor))
    outcome = repr(num_val / divisor) if numbers and divisor else ""
    return Grade(form.gra_typ_id, num_val, top, txt_des or f"{num_val}/{top}", outcome)


def grade_of_score(form: Form, score: str) -> Grade:
    """A grade whose outcome text is `score`, whatever it says."""
    top = _MAXIMUM[form.gra_typ_id]
    try:
        number = float(score)
    except ValueError:
        number = math.nan
    num_val: Any = number * top if math.isfinite(number) else score
    return Grade(form.gra_typ_id, num_val, top, f"{num_val}/{top}", score)


def details(form: Form, grade: Grade) -> dict[str, dict[str, Any]]:
    """The skills of action 5; the last one was not tested."""
    names = {"101": "Formulas", "102": "Layout", "103": "Charts"}
    if form.gra_typ_id not in (1, 2, 5):
        rates = {"101": _share(grade), "102": _share(grade), "103": -1}
        return {key: {"des": des, "successrate": rates[key]} for key, des in names.items()}
    scale = {"scalemin": 0, "scalemax": 5}
    level = round(5 * _share(grade), 2)
    word = _LEVELS[max(0, min(4, int(level) - 1))]
    tested = {"level": level, "level_des": word, **scale}
    untested = {"level": -1, "level_des": "", **scale}
    return {
        key: {"des": des, **(untested if key == "103" else tested)} for key, des in names.items()
    }


def _share(grade: Grade) -> float:
    if isinstance(grade.num_val, int | float) and isinstance(grade.max_val, int | float):
        return grade.num_val / grade.max_val if grade.max_val else 0.0
    return 0.0
