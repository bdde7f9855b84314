"""Reading what a provider answers, which may be anything: JSON, addresses, scores."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from lti_bridge.core.grade.scores import Score
from lti_bridge.errors import OutcomeRefused

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def members(body: bytes) -> dict[str, Any] | None:
    """The members of a JSON object, its fractions as exact Decimals; None for anything else."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_safe(url: object) -> bool:
    """Whether a secret or a student's browser may be sent there: https, http on this machine."""
    if not isinstance(url, str) or not re.fullmatch("[!-~]+", url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


def _base_address(value: str) -> str:
    if not is_safe(value) or "?" in value or "#" in value or "@" in value:
        raise ValueError("must be an https:// address without query (http:// on this machine)")
    return value.rstrip("/")


BaseAddress = Annotated[str, AfterValidator(_base_address)]
"""The type of a setting that paths are added to."""


def score(given: object, maximum: object) -> Score | None:
    """The exact score, its numbers perhaps written as text; None without a usable maximum."""
    numbers = [_decimal(given), _decimal(maximum)]
    if numbers[0] is None or numbers[1] is None:
        return None
    try:
        return Score(numbers[0], numbers[1])
    except OutcomeRefused:
        return None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None
