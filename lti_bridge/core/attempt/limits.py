"""Whether a learner may start one more attempt; decided before anything is spent."""

from __future__ import annotations

from datetime import datetime, timedelta

from lti_bridge.core.records import Activity, Adjustment
from lti_bridge.errors import NoAttemptsLeft, NotOpen, TooSoon


def check_start(
    activity: Activity, adjustment: Adjustment, made: int, last: datetime | None, now: datetime
) -> None:
    """Raises NotOpen, NoAttemptsLeft or TooSoon when a new attempt may not be started.

    `made` attempts were made before, the last one created at `last`.
    """
    if activity.opens_at and now < activity.opens_at:
        raise NotOpen(f"opens at {activity.opens_at.isoformat()}")
    if activity.closes_at and now >= activity.closes_at:
        raise NotOpen(f"closed at {activity.closes_at.isoformat()}")
    allowed = activity.attempts + adjustment.extra_attempts
    if activity.attempts and made >= allowed:
        raise NoAttemptsLeft(f"{made} of {allowed}")
    if activity.days_between and last and now < last + timedelta(days=activity.days_between):
        raise TooSoon(f"{activity.days_between} days after {last.isoformat()}")
