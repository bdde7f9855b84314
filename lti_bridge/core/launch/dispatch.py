"""What a verified launch asks for, by its message: a test, a choice of tests, or a review."""

from __future__ import annotations

from dataclasses import dataclass

from lti_bridge.core.course.links import Undecided
from lti_bridge.core.launch import once
from lti_bridge.core.launch.launches import Launching
from lti_bridge.core.launch.message import DEEP_LINKING, SUBMISSION_REVIEW, Launch
from lti_bridge.core.launch.opened import Opened
from lti_bridge.errors import NotChosen


@dataclass(frozen=True, slots=True)
class Choice:
    """Staff are to choose: for an LMS that asks for links, or for a link without a test."""


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody is to see what one learner did (core.grade.submission_review)."""


def dispatch(launching: Launching, launch: Launch, *, framed: bool) -> Opened | Choice | Review:
    """What is to be shown for this launch; `framed` as in `Launching.open`, whose errors pass.

    Raises NotChosen where no test stands behind the link yet and this member of staff may not
    choose one, and Undecided (an error for everybody else).
    """
    if launch.message == DEEP_LINKING:
        return Choice()
    if launch.message == SUBMISSION_REVIEW:
        with launching.store.transaction() as tx:
            once.first(tx, launch)
        return Review()
    try:
        return launching.open(launch, framed=framed)
    except Undecided as undecided:
        if launch.may_configure:
            return Choice()
        if launch.main_role == "staff":
            raise NotChosen(undecided.detail, launch.roles_in_words) from undecided
        raise
