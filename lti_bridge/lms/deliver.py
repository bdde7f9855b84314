"""Bringing one grade to its LMS: by AGS or Basic Outcomes, whichever has a place for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import cast

from lti_bridge.core.grade.gradebook import Receipt
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import GradeTarget
from lti_bridge.core.records import Delivery, Shown
from lti_bridge.errors import (
    AnswerLost,
    DeliveryConflict,
    DeliveryFailed,
    DeliveryRefused,
    LmsAway,
    NetworkFailed,
    NetworkRefused,
    OutcomeRefused,
)
from lti_bridge.lms import answers, dialects, reasons
from lti_bridge.lms.line_items import UNUSED, LineItems, offers_container
from lti_bridge.lms.paging import pages
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags, oauth1, outcomes
from lti_bridge.lti.scopes import BASIC_OUTCOME_SCOPE
from lti_bridge.net import Response, Send

UNPROCESSABLE = 422
BROKEN = frozenset({500, 501})
REPLACED = 2  # the launch's line item by our own, and that one by a new one
BACKDATED = timedelta(seconds=60)  # Canvas refuses a submission in what it takes for the future
UNSUPPORTED_FOR = timedelta(days=1)  # that an LMS which cannot tell grades is not asked again
Registration = Registration11 | Registration13
OUTCOME_TYPE = "application/vnd.ims.lti.v1.outcome+xml"


@dataclass(frozen=True, slots=True)
class Gradebooks:
    """The `core.grade.gradebook.Gradebook` of all registrations. `new_id` returns a fresh nonce."""

    registrations: Mapping[str, Registration11 | Registration13]
    tokens: Tokens
    send: Send
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    line_items: LineItems
    unsupported: dict[str, datetime] = field(default_factory=dict)

    def deliver(self, delivery: Delivery) -> Receipt:
        """Bring one grade to its LMS. Raises DeliveryFailed (again later) or DeliveryRefused."""
        registration = self._registration(delivery)
        try:
            if isinstance(registration, Registration13) and _by_ags(delivery.target):
                return self._score(delivery, registration)
            if not _by_outcomes(delivery.target):
                raise DeliveryRefused("the LMS offers no place for this learner's grade")
            operation = outcomes.REPLACE if delivery.score else outcomes.DELETE
            said = self._outcome(delivery, registration, operation).description[:200]
            return Receipt(said)
        except NetworkFailed as error:
            raise LmsAway(error.detail, sent=isinstance(error, AnswerLost)) from error
        except NetworkRefused as error:
            raise DeliveryRefused(error.detail) from error

    def readable(self, delivery: Delivery) -> bool:
        """Whether the LMS lets us see what it shows for this grade."""
        target = delivery.target
        registration = self.registrations.get(delivery.registration)
        if isinstance(registration, Registration13) and _by_ags(target):
            return ags.RESULT_READ in target.scopes
        key = _outcome_service(delivery)
        until = self.unsupported.get(key)
        return bool(registration and _by_outcomes(target)) and not (until and self.clock() < until)

    def read(self, delivery: Delivery) -> Shown:
        """What the LMS shows (AGS 2.0 §3.3, LTI 1.1.1 §6.1.2).

        Raises DeliveryFailed (later, perhaps) or DeliveryRefused.
        """
        registration = self._registration(delivery)
        try:
            if isinstance(registration, Registration13) and _by_ags(delivery.target):
                return self._result(delivery, registration)
            return self._read_outcome(delivery, registration)
        except NetworkFailed as error:
            raise LmsAway(error.detail) from error
        except NetworkRefused as error:
            raise DeliveryRefused(error.detail) from error

    def _registration(self, delivery: Delivery) -> Registration11 | Registration13:
        registration = self.registrations.get(delivery.registration)
        if registration is None:
            raise DeliveryRefused(f"the LMS {delivery.registration!r} is no longer configured")
        return registration

    def _score(self, delivery: Delivery, registration: Registration13) -> Receipt:
        """AGS 2.0 §3.4: one compact JSON score, its timestamp kept for retries."""
        dialect = dialects.of(delivery.family, registration.issuer)
        again = not _hands_in(delivery) or delivery.submission_known
        reply, address = self._post_score(delivery, registration, _body(delivery, dialect, again))
        if reply.status == UNPROCESSABLE and dialect.submission and not again:
            # perhaps no more work may be handed in there: the grade is of the work that was
            body = _body(delivery, dialect, True)
            reply, address = self._post_score(delivery, registration, body)
        if answers.is_conflict(reply):
            return _conflict(delivery, answers.read(reply, _private(delivery)).said)
        answer = answers.read(reply, _private(delivery), dialect)
        if answer.meaning != "taken":
            unused = reply.status in BROKEN and self.line_items.remove_unused(
                delivery, registration, address, answer.said
            )
            what = UNUSED if unused else "scores"
            raise answers.refusal(reply, what, _private(delivery), dialect)
        self.line_items.took(address)
        if reply.body.strip() == b"[]":
            # how one LMS says that it stored nothing
            raise DeliveryRefused("scores: 200 with an empty list, nothing was stored")
        return Receipt(str(reply.status))

    def _post_score(
        self, delivery: Delivery, registration: Registration13, body: bytes
    ) -> tuple[Response, str]:
        """Post to the launch's line item; without one, or when it is gone, to our own.

        Returns where it was posted to, too. Our own one that is gone is found or made again, once.
        """
        address = delivery.target.line_item or self.line_items.get(delivery, registration)
        for _ in range(REPLACED):
            reply = self._post_to(address, delivery, registration, body)
            gone = answers.read(reply).meaning == "gone"
            if not gone or not offers_container(delivery.target):
                return reply, address
            known = self.line_items.known(delivery)
            instead = self.line_items.instead(delivery, registration, address)
            if not instead:
                return reply, address
            address = instead
            if address != known:
                break  # one that is new to us is not replaced at once, whatever it answers
        return self._post_to(address, delivery, registration, body), address

    def _result(self, delivery: Delivery, registration: Registration13) -> Shown:
        target = delivery.target
        own = self.line_items.known(delivery) if offers_container(target) else ""
        addresses = [address for address in (target.line_item, own) if address]
        if not addresses:
            return Shown(None)  # there is no column yet
        scopes = frozenset({ags.RESULT_READ})
        call = partial(self.tokens.call, registration, scopes, delivery.deployment_id)
        for address in addresses:
            url = ags.results_url(address, delivery.user_id)
            reply = call("GET", url, {"Accept": ags.RESULTS_TYPE})
            if answers.read(reply).meaning != "gone":
                break
        else:
            return Shown(None)  # a teacher deleted the column
        for page in pages(call, url, ags.RESULTS_TYPE, "results", reply):
            if found := ags.parse_results(page, delivery.user_id):
                return Shown(Score(found.score, found.maximum), found.comment)
        return Shown(None)

    def _post_to(
        self, line_item: str, delivery: Delivery, registration: Registration13, body: bytes
    ) -> Response:
        scopes, url = frozenset({ags.SCORE}), ags.scores_url(line_item)
        return self._authorized(registration, delivery, scopes, url, ags.SCORE_TYPE, body)

    def _read_outcome(self, delivery: Delivery, registration: Registration) -> Shown:
        answer = self._outcome(delivery, registration, outcomes.READ)
        if not answer.score_text:
            return Shown(None)
        try:
            return Shown(Score(outcomes.parse_score(answer.score_text), Decimal(1)))
        except OutcomeRefused as error:
            raise DeliveryRefused(f"outcomes: {error.detail}") from error

    def _outcome(
        self, delivery: Delivery, registration: Registration, operation: str
    ) -> outcomes.OutcomeResponse:
        """One Basic Outcomes message and its answer, which says success or processing."""
        message_id, target = self.new_id(), delivery.target
        score = delivery.score if operation == outcomes.REPLACE else None
        fraction = score.fraction() if score else None
        body = outcomes.build_request(operation, target.sourced_id, message_id, fraction)
        url = target.outcome_url
        if isinstance(registration, Registration11):
            reply = self._signed(registration, url, body)
        else:
            scopes = frozenset({BASIC_OUTCOME_SCOPE})
            reply = self._authorized(registration, delivery, scopes, url, OUTCOME_TYPE, body)
        answer = _answer(reply, message_id, _private(delivery))
        if answer.code_major == "unsupported" and operation == outcomes.READ:
            self.unsupported[_outcome_service(delivery)] = self.clock() + UNSUPPORTED_FOR
        if answer.code_major not in ("success", "processing"):
            dialect = dialects.of(delivery.family)
            said = dialects.meant(dialect, reply.status, answer.description)
            said = said or reasons.clean(answer.description, _private(delivery))
            raise DeliveryRefused(f"outcomes: {answer.code_major}: {said}")
        return answer

    def _signed(self, registration: Registration11, url: str, body: bytes) -> Response:
        """POST signed with the key of the launch (LTI 1.1.1 §6.1)."""
        header = oauth1.sign_body(
            "POST",
            url,
            body,
            registration.consumer_key,
            registration.shared_secret,
            nonce=self.new_id(),
            timestamp=int(self.clock().timestamp()),
            method=registration.method,
        )
        headers = {"Content-Type": "application/xml", "Authorization": header}
        return self.send("POST", url, headers=headers, body=body)

    def _authorized(
        self,
        registration: Registration13,
        delivery: Delivery,
        scopes: frozenset[str],
        url: str,
        content_type: str,
        body: bytes,
    ) -> Response:
        """POST with a bearer token."""
        headers = {"Content-Type": content_type}
        return self.tokens.call(
            registration, scopes, delivery.deployment_id, "POST", url, headers, body
        )


def _private(delivery: Delivery) -> tuple[str, str]:
    """What an LMS's words must not repeat: they are kept, shown and logged."""
    return delivery.user_id, delivery.target.sourced_id


def _conflict(delivery: Delivery, said: str) -> Receipt:
    """409: the LMS holds a score that is as late or later (AGS 2.0 §3.4.9)."""
    if delivery.tries > int(delivery.later_stamp):
        # the answer to an earlier try of this very score was lost; the LMS has it
        return Receipt("already there")
    if delivery.later_stamp:
        raise DeliveryRefused(f"scores: the LMS holds a later grade: {said}")
    raise DeliveryConflict(f"scores: {said}")


def _grading(delivery: Delivery) -> ags.Grading:
    if delivery.score:
        return "FullyGraded"
    return cast(ags.Grading, delivery.awaiting or "NotReady")


def _by_ags(target: GradeTarget) -> bool:
    """Whether scores go by AGS: the launch's own line item, or nothing else than a container."""
    if target.line_item and ags.SCORE in target.scopes:
        return True
    return not _by_outcomes(target) and offers_container(target)


def _by_outcomes(target: GradeTarget) -> bool:
    return bool(target.outcome_url and target.sourced_id)


def _outcome_service(delivery: Delivery) -> str:
    return f"{delivery.registration} {delivery.target.outcome_url}"


def _hands_in(delivery: Delivery) -> bool:
    """Whether this is about work that was handed in: a grade is, and word of marks to come."""
    return bool(delivery.score or delivery.awaiting)


def _body(delivery: Delivery, dialect: dialects.Dialect, again: bool) -> bytes:
    """The score message; `again`: the work it is about was handed in before, or none is."""
    score, handed_in = delivery.score, _hands_in(delivery)
    submission = delivery.submitted_at if dialect.submission and handed_in else None
    return ags.score_body(
        user_id=delivery.user_id,
        score=score.given if score else None,
        maximum=score.maximum if score else None,
        timestamp=delivery.stamp,
        activity="Completed" if handed_in else "Initialized",
        grading=_grading(delivery),
        # one that is not sent again is wiped (AGS §3.4.11)
        comment="" if dialect.keeps_comments else delivery.comment,
        submitted_at=submission - BACKDATED if submission else None,
        extensions=_canvas(delivery, again) if dialect.submission else None,
    )


def _canvas(delivery: Delivery, again: bool) -> dict[str, object]:
    """Canvas' extension, when it says more than its defaults do.

    Its prioritize_non_tool_grade is never sent: it keeps whatever score stands there, ours too,
    and its results then show what its gradebook does not. A teacher's value is seen before.
    """
    members: dict[str, object] = {}
    if again:
        members["new_submission"] = False  # no work is handed in with it, and none becomes late
    if delivery.awaiting and delivery.keep and not any("/" in one for one in delivery.told):
        members["preserve_score"] = True  # what stands there is not from here
    return {dialects.CANVAS_SUBMISSION: members} if members else {}


def _answer(reply: Response, message_id: str, private: tuple[str, ...]) -> outcomes.OutcomeResponse:
    """Only a well-formed answer to our own message counts (LTI 1.1.1 §6.1).

    An envelope that says no is a refusal whatever the status below 500 (Moodle: 200, Canvas: 422),
    but too many requests are too many.
    """
    meaning = answers.read(reply).meaning
    try:
        answer = outcomes.parse_response(reply.body)
    except DeliveryFailed as error:
        if meaning == "taken":
            raise
        raise answers.refusal(reply, "outcomes", private) from error
    failed = answer.code_major in ("failure", "unsupported")
    final = meaning != "temporary" or (reply.status == 401 and not reply.too_many)
    if meaning != "taken" and not (failed and final):
        raise answers.refusal(reply, "outcomes", private)
    if failed and "busy" in answer.code_minor:
        raise DeliveryFailed(f"outcomes: {reasons.clean(answer.description, private)}")
    ours = not answer.message_ref or answer.message_ref == message_id
    if answer.code_major == "success" and not ours:
        raise DeliveryFailed("outcomes: the answer belongs to another message")
    return answer
