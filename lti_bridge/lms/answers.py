"""What an LMS's answer means: the one place that judges it, by all that it says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from lti_bridge.errors import DeliveryFailed, DeliveryRefused, LmsAway, LmsBusy
from lti_bridge.lms import dialects, reasons
from lti_bridge.net import Response

Meaning = Literal["taken", "temporary", "gone", "refused"]

# 302, 303 and 307 lead to a login or to a page about maintenance: no service that is there answers
# so. 401 comes from a server whose clock or keys are being changed, too.
_TEMPORARY = frozenset({302, 303, 307, 401, 408, 425})
_GONE = frozenset({404, 410})
# Open edX has no 409 (lti-consumer-xblock 11.4.4, LtiAgsScoreSerializer.validate_timestamp).
_NOT_LATER = (b"Score already exists for the provided timestamp", b"only be updated to a later")
SHORT = 200  # bytes of an answer that says nothing
_AWAY = frozenset({502, 503, 504})  # of a proxy, or of an LMS that is being looked after


@dataclass(frozen=True, slots=True)
class Answer:
    """`said` is the status with the LMS's own words, fit to be kept and shown."""

    meaning: Meaning
    said: str


def read(
    reply: Response, private: Collection[str] = (), family: dialects.Dialect | None = None
) -> Answer:
    """What an answer to a request of ours means (AGS 2.0, NRPS 2.0; RFC 9110 §15).

    `private` are texts that the LMS's words must not repeat; `family` is given for an answer to a
    score, which may mean more than it says. Temporary is what may pass by itself: too many requests
    always, and a page for a browser in the place of an answer, which is a login or a portal before
    the LMS. Gone is only what the address names: it may be one learner.
    """
    if family and (meant := dialects.meant(family, reply.status, _start(reply))):
        return Answer("refused", f"HTTP {reply.status}: {meant}")
    meaning = _meaning(reply)
    why = "" if meaning == "taken" else reasons.reason(reply.body, private)
    if family and meaning == "gone":
        why = why or "the column, or this learner in it, is not there any more"
    return Answer(meaning, f"HTTP {reply.status}: {why}" if why else f"HTTP {reply.status}")


def is_conflict(reply: Response) -> bool:
    """Whether an LMS holds a score that is as late or later (AGS 2.0 §3.4.9)."""
    if reply.too_many:
        return False
    in_words = reply.status == 400 and any(one in reply.body for one in _NOT_LATER)
    return reply.status == 409 or in_words


def refusal(
    reply: Response,
    what: str,
    private: Collection[str] = (),
    family: dialects.Dialect | None = None,
) -> DeliveryFailed | DeliveryRefused:
    """The error to raise for an answer that does not help: later again, or refused for good."""
    answer = read(reply, private, family)
    if answer.meaning in ("gone", "refused"):
        return DeliveryRefused(f"{what}: {answer.said}")
    return failure(reply, f"{what}: {answer.said}")


def failure(reply: Response, said: str) -> DeliveryFailed:
    """The error for an answer that may be another one later, and whether the LMS is the reason."""
    if reply.too_many or (reply.status in _AWAY and reply.pause_s):
        return LmsBusy(said, reply.pause_s)
    return (LmsAway if reply.status in _AWAY else DeliveryFailed)(said)


def _start(reply: Response) -> str:
    return reply.body[:SHORT].decode("utf-8", "replace")


def _meaning(reply: Response) -> Meaning:
    status = reply.status
    if reply.too_many or status in _TEMPORARY or status >= 500:
        return "temporary"
    if 200 <= status < 300:
        if reasons.is_page(reply.body):
            return "temporary"
        return "refused" if reasons.told_error(reply.body) else "taken"
    return "gone" if status in _GONE else "refused"
