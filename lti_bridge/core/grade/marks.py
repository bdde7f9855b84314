"""Marks of grades in the log: this cell was sent this value, which nobody can read out of it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal

from lti_bridge.core.grade.scores import Score

STEPS = 1000  # to which values are rounded, as LMSs round them, too
NEAR = 5  # steps that an LMS may round away: read_back.TOLERANCE
_MARK = re.compile(r"\bmark\W{1,4}([0-9a-f]{16})\b")


def mark(key: bytes, grade_id: str, score: Score) -> str:
    """The mark of a cell and a value: 16 hexadecimal digits that only who has the key can make."""
    return _mark(key, grade_id, _step(score))


def was_sent(key: bytes, marks: Collection[str], grade_id: str, shown: Score) -> bool:
    """Whether one of these marks says that this cell was sent what it shows, or nearly that."""
    step = _step(shown)
    return any(_mark(key, grade_id, step + off) in marks for off in range(-NEAR, NEAR + 1))


def marks_in(lines: Iterable[str]) -> Iterator[str]:
    """The marks in the lines of a log, in either of its formats."""
    for line in lines:
        yield from _MARK.findall(line)


def _step(score: Score) -> int:
    ratio = score.given / score.maximum if score.maximum else Decimal(0)
    return int((ratio * STEPS).to_integral_value())


def _mark(key: bytes, grade_id: str, step: int) -> str:
    return hmac.digest(key, f"{grade_id} {step}".encode(), "sha256").hex()[:16]
