"""A submission review: what one learner did at one link, for staff or for that learner.

AGS 2.0 §4.6, LTI Submission Review 1.0: the LMS opens it from a cell of its gradebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from lti_bridge.core.course import migration, relocation
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import InfoPage
from lti_bridge.core.launch.message import Launch, Person
from lti_bridge.core.records import AttemptState, Link
from lti_bridge.core.store import Transaction
from lti_bridge.errors import AccessRefused, MessageRefused

FOR_USER = "https://purl.imsglobal.org/spec/lti/claim/for_user"
IN_WORDS: Mapping[AttemptState, str] = {
    "created": "opened, not started yet",
    "started": "started",
    "finished": "handed in",
    "awaiting-marks": "handed in, being marked",
    "held": "handed in, held for a person",
    "graded": "graded",
    "invalidated": "invalidated by the provider",
    "expired": "ended without a result",
    "unclear": "unclear: a person looks into it",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Since when an attempt was in a state."""

    at: datetime
    state: AttemptState


@dataclass(frozen=True, slots=True)
class Done:
    """One attempt as a reviewer sees it."""

    number: int
    state: AttemptState
    score: Score | None
    began: datetime
    changes: tuple[Change, ...]


class Store(Protocol):
    """What is kept of attempts."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Several steps as one."""

    def done(self, link_id: str, learner_id: str) -> Sequence[Done]:
        """All attempts of a learner at a link, in order."""


def review(store: Store, launch: Launch) -> InfoPage:
    """The page of a submission review launch.

    Raises AccessRefused unless staff, or the learner whose submission it is, has clicked.
    """
    claim = launch.extra.get(FOR_USER)
    user_id = claim.get("user_id") if isinstance(claim, Mapping) else None
    if not isinstance(user_id, str) or not user_id:
        raise MessageRefused("for_user names no user")
    if launch.main_role != "staff" and launch.person.id != user_id:
        raise AccessRefused("a submission of somebody else")
    with store.transaction() as tx:
        begun = _begun(tx, _of_user(launch, user_id))
    done = store.done(begun[1].id, begun[0]) if begun else ()
    if not done:
        return InfoPage(
            "No attempt yet", ("There is nothing to see for this person at this link.",)
        )
    details = tuple(detail for one in done for detail in _described(one))
    return InfoPage("Attempts", (), details)


def _begun(tx: Transaction, launch: Launch) -> tuple[str, Link] | None:
    """As which learner and at which link a user has begun, as a click of theirs would find it."""
    if (found := migration.begun(tx, launch)) is not None:
        return found
    learner, link = tx.known_learner(launch.registration, launch.person.id), tx.find_link(launch)
    before = relocation.find(tx, launch, tx.begun(launch, "", learner)) if learner else None
    if before is None or (link is not None and link.activity_id != before.activity_id):
        return None
    return before.learner_id, before.link


def _of_user(launch: Launch, user_id: str) -> Launch:
    """The same launch, had this user clicked; the claim has no other name from LTI 1.1."""
    former = launch.former and replace(launch.former, user_id=user_id)
    return replace(launch, person=Person(id=user_id), former=former)


def _described(one: Done) -> list[tuple[str, str]]:
    name = f"Attempt {one.number}"
    score = f"{one.score.given:f} of {one.score.maximum:f}" if one.score else "none"
    history = [f"{_time(one.began)} opened"]
    last = len(one.changes) - 1
    history += [
        f"{_time(change.at)} {IN_WORDS[change.state]}"
        for number, change in enumerate(one.changes)
        if change.state != "unclear" or number == last  # every start is unclear for a moment
    ]
    return [
        (name, IN_WORDS[one.state]),
        (f"{name}: score", score),
        (f"{name}: history", "; ".join(history)),
    ]


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
