"""From a result of Isograd to a score: by its maximum, or by the numbers of its LTI grades.

Isograd's guide, "Grades via Basic Outcome Service", is the source of the second way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from lti_bridge.core.grade.scores import Score
from lti_bridge.errors import OutcomeRefused
from lti_bridge.providers.answers import decimal_of
from lti_bridge.providers.isograd.client import Result

LEVEL, CORRECT, RANGE = 1, 4, 5
# 10 for a level up to 5 and 1000 for a score up to 100 are what the guide says.
_DIVISORS = {LEVEL: 10, 2: 1000, 3: 1000, RANGE: 1000, 15: 1000}
_RANGES = ((1, 350), (350, 700), (700, 1000))


def fraction(result: Result) -> Score | None:
    """num_val out of max_val; None when one of them is no usable number."""
    return _score(decimal_of(result.num_val), decimal_of(result.max_val))


def as_isograd(result: Result) -> Score | None:
    """The number that Isograd itself would report by LTI 1.1; None when the guide names none."""
    given, kind = decimal_of(result.num_val), result.gra_typ_id
    if kind == CORRECT:
        return fraction(result)
    if kind is None or kind not in _DIVISORS:
        return None
    if kind == RANGE:
        given = _middle(result)
    return _score(given, Decimal(_DIVISORS[kind]))


SCALES: Mapping[str, Callable[[Result], Score | None]] = MappingProxyType(
    {"fraction": fraction, "isograd": as_isograd}
)
"""By the connection's grade_scale."""


def _score(given: Decimal | None, maximum: Decimal | None) -> Score | None:
    if given is None or maximum is None:
        return None
    try:
        return Score(given, maximum)
    except OutcomeRefused:
        return None


def _middle(result: Result) -> Decimal | None:
    """The middle of the range that is written out, or that the number lies in."""
    for text in (str(result.num_val), result.txt_des):
        written = re.search(r"(?<!\d)(\d{1,3})\s*[-–]\s*(\d{3,4})(?!\d)", text)
        if written and (int(written[1]), int(written[2])) in _RANGES:
            return _half(int(written[1]), int(written[2]))
    number = decimal_of(result.num_val)
    if number is None or not 0 <= number <= 1000:
        return None
    low, high = next((r for r in _RANGES if number < r[1]), _RANGES[-1])
    return _half(low, high)


def _half(low: int, high: int) -> Decimal:
    return Decimal(low + high) / 2
