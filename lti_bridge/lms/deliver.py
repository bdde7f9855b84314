"""Bringing one grade to its LMS: by AGS or Basic Outcomes, whichever has a place for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lti_bridge.core.ports import Receipt
from lti_bridge.core.records import Delivery
from lti_bridge.errors import (
    DeliveryConflict,
    DeliveryFailed,
    DeliveryRefused,
    NetworkFailed,
    NetworkRefused,
)
from lti_bridge.lms.answers import GONE, TAKEN, refusal
from lti_bridge.lms.line_items import LineItems, offers_container
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Send, Tokens
from lti_bridge.lti import ags, oauth1, outcomes
from lti_bridge.net import Response

CONFLICT = 409
BASIC_OUTCOME_SCOPE = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"
OUTCOME_TYPE = "application/vnd.ims.lti.v1.outcome+xml"


@dataclass(frozen=True, slots=True)
class Gradebooks:
    """The `core.ports.Gradebook` of all registrations. `new_id` returns a fresh nonce."""

    registrations: Mapping[str, Registration11 | Registration13]
    tokens: Tokens
    send: Send
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    line_items: LineItems

    def deliver(self, delivery: Delivery) -> Receipt:
        """Bring one grade to its LMS. Raises DeliveryFailed (again later) or DeliveryRefused."""
        registration = self.registrations.get(delivery.registration)
        if registration is None:
            raise DeliveryRefused(f"the LMS {delivery.registration!r} is no longer configured")
        try:
            return self._deliver(delivery, registration)
        except NetworkFailed as error:
            raise DeliveryFailed(error.detail) from error
        except NetworkRefused as error:
            raise DeliveryRefused(error.detail) from error

    def _deliver(
        self, delivery: Delivery, registration: Registration11 | Registration13
    ) -> Receipt:
        target = delivery.target
        if isinstance(registration, Registration11):
            if target.outcome_url and target.sourced_id:
                return self._outcome_11(delivery, registration)
        elif target.line_item and ags.SCORE in target.scopes:
            return self._score(delivery, registration)
        elif target.outcome_url and target.sourced_id:
            return self._outcome_13(delivery, registration)
        elif offers_container(target):
            return self._score(delivery, registration)
        raise DeliveryRefused("the LMS offers no place for this learner's grade")

    def _score(self, delivery: Delivery, registration: Registration13) -> Receipt:
        """AGS 2.0 §3.4: one compact JSON score, its timestamp kept for retries."""
        score = delivery.score
        body = ags.score_body(
            user_id=delivery.user_id,
            score=score.given if score else None,
            maximum=score.maximum if score else None,
            timestamp=delivery.stamp,
            activity="Completed" if score else "Initialized",
            grading="FullyGraded" if score else "NotReady",
        )
        reply = self._post_score(delivery, registration, body)
        if reply.status == CONFLICT:
            return _conflict(delivery)
        if reply.status not in TAKEN:
            raise refusal(reply, "scores")
        if reply.status == 200 and reply.body.strip() == b"[]":
            # how one LMS says that it stored nothing
            raise DeliveryRefused("scores: 200 with an empty list, nothing was stored")
        return Receipt(str(reply.status))

    def _post_score(
        self, delivery: Delivery, registration: Registration13, body: bytes
    ) -> Response:
        """Post to the launch's line item; without one, or when it is gone, to our own.

        Our own one that is gone is found or made again, once.
        """
        target = delivery.target
        if target.line_item:
            reply = self._post_to(target.line_item, delivery, registration, body)
            if reply.status not in GONE or not offers_container(target):
                return reply
        own = self.line_items.get(delivery, registration)
        reply = self._post_to(own, delivery, registration, body)
        if reply.status in GONE:
            own = self.line_items.get(delivery, registration, gone=own)
            reply = self._post_to(own, delivery, registration, body)
        return reply

    def _post_to(
        self, line_item: str, delivery: Delivery, registration: Registration13, body: bytes
    ) -> Response:
        scopes, url = frozenset({ags.SCORE}), ags.scores_url(line_item)
        return self._authorized(registration, delivery, scopes, url, ags.SCORE_TYPE, body)

    def _outcome_11(self, delivery: Delivery, registration: Registration11) -> Receipt:
        """Basic Outcomes signed with the key of the launch (LTI 1.1.1 §6.1)."""
        message_id, body = self._outcome(delivery)
        header = oauth1.sign_body(
            "POST",
            delivery.target.outcome_url,
            body,
            registration.consumer_key,
            registration.shared_secret,
            nonce=self.new_id(),
            timestamp=int(self.clock().timestamp()),
            method=registration.method,
        )
        headers = {"Content-Type": "application/xml", "Authorization": header}
        reply = self.send("POST", delivery.target.outcome_url, headers=headers, body=body)
        return _read_outcome(reply, message_id)

    def _outcome_13(self, delivery: Delivery, registration: Registration13) -> Receipt:
        """Basic Outcomes with a bearer token (Basic Outcomes 1.1, integration with LTI 1.3)."""
        message_id, body = self._outcome(delivery)
        url, scopes = delivery.target.outcome_url, frozenset({BASIC_OUTCOME_SCOPE})
        reply = self._authorized(registration, delivery, scopes, url, OUTCOME_TYPE, body)
        return _read_outcome(reply, message_id)

    def _outcome(self, delivery: Delivery) -> tuple[str, bytes]:
        message_id = self.new_id()
        operation = "replaceResult" if delivery.score else "deleteResult"
        fraction = delivery.score.fraction() if delivery.score else None
        sourced_id = delivery.target.sourced_id
        return message_id, outcomes.build_request(operation, sourced_id, message_id, fraction)

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


def _conflict(delivery: Delivery) -> Receipt:
    """409: the LMS holds a score that is as late or later (AGS 2.0 §3.4.9)."""
    if delivery.tries > int(delivery.later_stamp):
        # the answer to an earlier try of this very score was lost; the LMS has it
        return Receipt("already there")
    if delivery.later_stamp:
        raise DeliveryRefused("scores: HTTP 409, the LMS holds a later grade")
    raise DeliveryConflict("scores: HTTP 409")


def _read_outcome(reply: Response, message_id: str) -> Receipt:
    """Only a well-formed `success` for our own message counts (LTI 1.1.1 §6.1)."""
    try:
        answer = outcomes.parse_response(reply.body)
    except DeliveryFailed:
        if reply.status in TAKEN:
            raise
        raise refusal(reply, "outcomes") from None
    failed = answer.code_major in ("failure", "unsupported")
    if reply.status not in TAKEN and not (failed and reply.status in (400, 401, 403, 404)):
        raise refusal(reply, "outcomes")
    if answer.code_major == "processing":
        return Receipt("processing")
    if answer.code_major != "success":
        raise DeliveryRefused(f"outcomes: {answer.code_major}: {answer.description[:200]}")
    if answer.message_ref and answer.message_ref != message_id:
        raise DeliveryFailed("outcomes: the answer belongs to another message")
    return Receipt(answer.description[:200])
