"""Whether what a provider says is about the person whose attempt it would change."""

from __future__ import annotations

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.records import Attempt

ADDRESSES = frozenset({"ema", "email"})  # whose letter case does not count


def other_name(attempt: Attempt, report: Report) -> str:
    """What in a report names another person or test than this attempt's; empty: nothing.

    What the attempt does not know yet, because its start has not been confirmed, is not compared.
    """
    known = {**attempt.data, "reference": attempt.reference}
    for name, told in report.named.items():
        own = str(known.get(name) or "")
        if own and _plain(name, told) != _plain(name, own):
            return name
    return ""


def _plain(name: str, value: str) -> str:
    return value.strip().casefold() if name in ADDRESSES else value
