"""Learners whom a tool grades before they were here: it has read the list of the course."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from lti_bridge.core.course import links
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.records import Attempt, Locked
from lti_bridge.core.store import Transaction
from lti_bridge.errors import NotConfigured, ScoreRefused

UNSEEN = 0  # the number of what is no attempt of the learner's: their first one has 1
NO_PLACE = (
    "the LMS names a place for this learner's grade only when they open the link: wait until then"
)


class AbsentSteps(Transaction, Protocol):
    """The steps of a transaction that grades somebody who was not here."""

    def opened_by(self, link_id: str) -> str:
        """The id of the activity that a link opens; empty for no link."""

    def add_cell(self, cell_id: str, link_id: str, learner_id: str, now: datetime) -> None:
        """Make the learner's cell where others of this link have theirs by AGS, if anywhere."""

    def lock_newest(self, link_id: str, learner_id: str, connection: str) -> Locked | None:
        """The open attempt, else the newest one, with its gradebook cell, locked."""


def begin(
    tx: AbsentSteps,
    link_id: str,
    learner_id: str,
    connection: str,
    catalogue: Catalogue,
    new_id: Callable[[], str],
    now: datetime,
) -> Locked | None:
    """What holds a learner's score who was not here; None where the link has no grade at all.

    It is never open, and counts for nothing once the learner has a score of their own. Raises
    ScoreRefused where the LMS names no place for the grade.
    """
    try:
        activity = links.by_id(tx.opened_by(link_id), catalogue, tx)
    except NotConfigured:  # it does not fit its connection any more
        activity = None
    if activity is None or activity.connection != connection:
        raise ScoreRefused("this resource link opens something else by now")
    if activity.ungraded:
        return None
    tx.add_cell(new_id(), link_id, learner_id, now)
    unseen = Attempt(
        id=new_id(),
        link_id=link_id,
        learner_id=learner_id,
        number=UNSEEN,
        activity_id=activity.id,
        connection=connection,
        grade_policy=activity.grade,
        state="created",
    )
    tx.create_attempt(unseen, now)
    found = tx.lock_newest(link_id, learner_id, connection)
    if found is None:
        raise ScoreRefused(NO_PLACE)
    return found
