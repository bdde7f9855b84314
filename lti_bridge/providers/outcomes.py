"""The Basic Outcomes service for providers: verify first, then change one attempt or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from lti_bridge.core import sourcedids
from lti_bridge.core.launch import Once
from lti_bridge.core.records import Incoming
from lti_bridge.core.results import UNKNOWN, Results
from lti_bridge.core.scoring import Score
from lti_bridge.errors import BadRequest, OutcomeRefused, SignatureRefused
from lti_bridge.lti import oauth1, outcomes
from lti_bridge.providers.contract import Credentials

log = logging.getLogger("lti_bridge.outcomes")

WINDOW_S = 5400  # LTI 1.1.1 §4.4: nonces are remembered for 90 minutes
ONE = Decimal(1)
# Verified against when the key is unknown, so that unknown key and wrong secret take as long.
NOBODY = Credentials("", "no-such-consumer")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the service: status and envelope."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class OutcomeService:
    """Answers /platform/outcomes. `consumers` maps a consumer key to its connections."""

    url: str
    key: bytes
    consumers: Mapping[str, Sequence[tuple[str, Credentials]]]
    results: Results
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def answer(self, query: str, authorization: str, content_type: str, body: bytes) -> Answer:
        """Carry out one signed request and answer with an envelope, whatever was sent."""
        request = None
        url = f"{self.url}?{query}" if query else self.url  # a query is under the signature too
        try:
            if content_type.partition(";")[0].strip().lower() != outcomes.CONTENT_TYPE:
                raise BadRequest("the content type is not application/xml")
            signed = oauth1.read_header("POST", url, authorization, body, content_type)
            connections = self._verify(signed)
            request = outcomes.parse_request(body)
            return self._carry_out(request, signed, connections)
        except SignatureRefused as error:
            log.warning("outcome.signature-refused", extra={"reason": error.detail})
            return self._envelope(401, "failure", "The signature is not valid.", request)
        except BadRequest as error:
            log.warning("outcome.malformed", extra={"reason": error.detail})
            return self._envelope(400, "failure", "The request is malformed.", request)
        except OutcomeRefused as error:
            log.warning("outcome.refused", extra={"reason": error.detail})
            return self._envelope(200, "failure", error.detail, request)
        except Exception:  # a database that is full or locked: the provider must not hear success
            log.exception("outcome.broke")
            return self._envelope(503, "failure", "Not stored, please send it again.", request)

    def too_large(self) -> Answer:
        """The answer to a body above the limit, which was not read."""
        return self._envelope(400, "failure", "The request is too large.", None)

    def _verify(self, signed: oauth1.SignedRequest) -> list[str]:
        """The names of the connections whose secret made this signature; at least one."""
        now = int(self.clock().timestamp())
        known = self.consumers.get(signed.consumer_key) or [("", NOBODY)]
        verified, refusal = [], SignatureRefused("unknown consumer key")
        for name, consumer in known:
            try:
                oauth1.verify(
                    signed,
                    consumer.shared_secret,
                    method=consumer.method,
                    now=now,
                    window_s=WINDOW_S,
                )
                verified.append(name)
            except SignatureRefused as error:
                refusal = error
        if not verified or not verified[0]:
            raise refusal
        return verified

    def _carry_out(
        self,
        request: outcomes.OutcomeRequest,
        signed: oauth1.SignedRequest,
        connections: list[str],
    ) -> Answer:
        if request.operation not in outcomes.OPERATIONS:
            return self._envelope(200, "unsupported", "This operation is not offered.", request)
        attempt_id, connection = self._attempt(request.sourced_id, connections)
        if request.operation == "readResult":
            attempt = self.results.read(self._once(signed), attempt_id, connection)
            text = outcomes.score_text(attempt.score.fraction()) if attempt.score else ""
            return self._envelope(200, "success", "Result read.", request, text)
        incoming = self._incoming(request, signed.nonce)
        self.results.record(self._once(signed), attempt_id, connection, incoming, self.clock())
        said = "Result stored." if incoming.score else "Result deleted."
        return self._envelope(200, "success", said, request)

    def _incoming(self, request: outcomes.OutcomeRequest, event: str) -> Incoming:
        raw = {"operation": request.operation, "score": request.score_text}
        if request.operation == "deleteResult":
            return Incoming("outcome", event, None, None, raw)
        score = outcomes.parse_score(request.score_text or "")
        return Incoming("outcome", event, "graded", Score(score, ONE), raw)

    def _attempt(self, sourced_id: str, connections: list[str]) -> tuple[str, str]:
        for connection in connections:
            attempt_id = sourcedids.attempt_of(self.key, connection, sourced_id)
            if attempt_id:
                return attempt_id, connection
        log.warning("outcome.foreign-sourcedid", extra={"connection": connections[0]})
        raise OutcomeRefused(UNKNOWN)

    def _once(self, signed: oauth1.SignedRequest) -> Once:
        expires_at = self.clock() + timedelta(seconds=2 * WINDOW_S)
        return Once(f"outcome:{signed.consumer_key}", signed.nonce, expires_at)

    def _envelope(
        self,
        status: int,
        code_major: str,
        description: str,
        request: outcomes.OutcomeRequest | None,
        score: str | None = None,
    ) -> Answer:
        body = outcomes.build_response(
            code_major,
            "status" if code_major == "success" else "error",
            description,
            self.new_id(),
            request.message_id if request else "",
            request.operation if request else "",
            score=score,
        )
        return Answer(status, body)
