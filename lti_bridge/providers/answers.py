"""Reading what a provider answers, which may be anything: JSON, numbers, scores."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from lti_bridge.core.grade.scores import Score
from lti_bridge.errors import OutcomeRefused


def members(body: bytes) -> dict[str, Any] | None:
    """The members of a JSON object, its fractions as exact Decimals; None for anything else."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def score(given: object, maximum: object) -> Score | None:
    """The exact score, its numbers perhaps written as text; None without a usable maximum."""
    numbers = [decimal_of(given), decimal_of(maximum)]
    if numbers[0] is None or numbers[1] is None:
        return None
    try:
        return Score(numbers[0], numbers[1])
    except OutcomeRefused:
        return None


def decimal_of(value: object) -> Decimal | None:
    """A number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
