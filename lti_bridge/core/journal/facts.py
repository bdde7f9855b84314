"""What a trace has of a launch, an attempt and a report: ids and states, and nobody's name."""

from __future__ import annotations

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.launch.handoff import Form, Handoff, Redirect
from lti_bridge.core.launch.message import DEEP_LINKING, SUBMISSION_REVIEW, Launch
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.records import Attempt, Incoming

Facts = dict[str, str | bool]
BY_MESSAGE = {DEEP_LINKING: "deep-linking", SUBMISSION_REVIEW: "review"}


def of_launch(launch: Launch) -> Facts:
    """Of a verified launch. The user's id only finds the learner."""
    return {
        "proved": True,
        "registration": launch.registration,
        "context": launch.context.id,
        "user": launch.person.id,
    }


def kind_of(launch: Launch) -> str:
    """The kind of hop that it is."""
    return BY_MESSAGE.get(launch.message, "launch")


def of_opened(opened: Opened) -> Facts:
    """Of a click that was recorded."""
    return {
        "activity": opened.activity.id,
        "connection": opened.connection.name,
        "link": opened.link.id,
        "learner": opened.learner_id,
        "attempt": opened.attempt.id if opened.attempt else "",
    }


def of_attempt(attempt: Attempt) -> Facts:
    """Of an attempt, about which its own provider speaks, or is asked."""
    return {
        "proved": True,
        "connection": attempt.connection,
        "activity": attempt.activity_id,
        "link": attempt.link_id,
        "learner": attempt.learner_id,
        "attempt": attempt.id,
    }


def of_incoming(said: Incoming | Report) -> str:
    """What a provider said of an attempt, in a few words."""
    score = f", {said.score.given}/{said.score.maximum}" if said.score else ""
    held = ", held" if said.held else ""
    return f"{said.state or 'no state'}{score}{held}"


def of_handoff(handoff: Handoff) -> str:
    """What the browser got, in a few words: the host that it was sent to, or a page of ours."""
    if isinstance(handoff, Form | Redirect):
        url = handoff.action if isinstance(handoff, Form) else handoff.url
        return f"the browser is sent to {url.split('/')[2]}" if "://" in url else "a form"
    return f"page: {handoff.title}"
