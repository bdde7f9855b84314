"""Which attempt a click goes on with, or begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lti_bridge.core.attempt import limits, retakes
from lti_bridge.core.course import relocation
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.records import Adjustment, Attempt, Begun
from lti_bridge.core.store import Transaction
from lti_bridge.errors import OpenedAlready


def attempt(
    tx: Transaction, opened: Opened, now: datetime, number: int, new_id: Callable[[], str]
) -> Opened:
    """With the attempt that goes on, a new one, or what to ask before there is a new one.

    `number` is the one that the learner has asked for (0: none). Where they have attempts at the
    same place in a course that had another id then, these go on. Raises OpenedAlready when a
    repeated click would begin one, and what the activity's limits say.
    """
    link, learner_id = opened.link, opened.learner_id
    if opened.newcomer:
        return _next(tx, opened, None, [], now, number, new_id)
    going = tx.open_attempt(link.id, learner_id)
    if going is not None and going.activity_id == opened.activity.id:
        return replace(opened, attempt=going)
    everywhere = tx.begun(opened.launch, link.id, learner_id)
    begun = [one for one in everywhere if one.link.id == link.id]
    if not begun and not opened.clicked:
        before = relocation.find(tx, opened.launch, everywhere)
        if before is not None and before.activity_id == opened.activity.id:
            return attempt(tx, _at(opened, before), now, number, new_id)
    return _next(tx, opened, going, begun, now, number, new_id)


def _at(opened: Opened, before: Begun) -> Opened:
    """The click, at the link where its learner has begun; it is recorded where it was made."""
    launch = replace(opened.launch, home=before.context_id or opened.launch.context.id)
    return replace(opened, launch=launch, link=before.link, clicked=opened.link.id)


def _next(
    tx: Transaction,
    opened: Opened,
    going: Attempt | None,
    begun: list[Begun],
    now: datetime,
    number: int,
    new_id: Callable[[], str],
) -> Opened:
    activity = opened.activity
    if activity.attempts and opened.more is None:
        opened = replace(opened, more=tx.adjustment(activity.id, opened.learner_id))
    more = opened.more or Adjustment()
    if retakes.is_over(activity, begun, switched=going is not None):
        offered = retakes.offer(tx, activity, begun, more, now)
        if number != offered.number or offered.refusal:
            return replace(opened, again=offered)
    last = begun[-1] if begun else None
    limits.check_start(activity, more, 0, last.created_at if last else None, now)
    if opened.repeated:
        raise OpenedAlready("there is nothing to go on with")
    if going is not None:
        tx.close_attempt(going, now)
    fresh = Attempt(
        id=new_id(),
        link_id=opened.link.id,
        learner_id=opened.learner_id,
        number=last.number + 1 if last else 1,
        activity_id=activity.id,
        connection=activity.connection,
        grade_policy=activity.grade,
        state="created",
    )
    return replace(opened, attempt=tx.create_attempt(fresh, now))
