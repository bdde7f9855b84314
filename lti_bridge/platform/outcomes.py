"""The Basic Outcomes service for providers: verify first, then change one attempt or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from lti_bridge.core.grade import sourced_ids
from lti_bridge.core.grade.results import UNKNOWN, Results
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.journal import hop
from lti_bridge.core.launch.message import Once
from lti_bridge.core.records import Attempt, Incoming
from lti_bridge.core.tool.registration import Credentials
from lti_bridge.errors import (
    BadRequest,
    BridgeError,
    OutcomeRefused,
    ServiceRefused,
    SignatureRefused,
)
from lti_bridge.lti import oauth1, outcomes
from lti_bridge.platform import explanations
from lti_bridge.platform.explanations import WINDOW_S

log = logging.getLogger("lti_bridge.outcomes")

# Whatever the reason is, so that nobody can try out keys and secrets.
UNPROVED = (
    "The signature is not valid: the bridge does not know this oauth_consumer_key, or the secret, "
    "the oauth_signature_method or the signed address (POST {url}) is another than agreed."
)
ONE = Decimal(1)
# Verified against when the key is unknown, so that unknown key and wrong secret take as long.
NOBODY = Credentials("", "no-such-consumer")


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_bearer(authorization: str) -> bool:
    """Whether a request comes from a tool of LTI 1.3, with an access token."""
    return authorization.strip().lower().startswith("bearer ")


def media_types(authorization: str) -> tuple[str, ...]:
    """The media types of a message that is authorized like this, its own one first."""
    own = (outcomes.CONTENT_TYPE_13,) if is_bearer(authorization) else ()
    return (*own, outcomes.CONTENT_TYPE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the service: status, envelope, and whether that says success.

    `refusal` is why it does not, as far as a message was refused: for the journal, never sent.
    """

    status: int
    body: bytes
    taken: bool = False
    refusal: BridgeError | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a message, verified: its connections, and how it reads and records.

    `read` and `record` take an attempt's id and the connection that it must belong to, and raise
    OutcomeRefused when it does not. `event` makes the message count once.
    """

    connections: Sequence[str]
    event: str
    read: Callable[[str, str], Attempt]
    record: Callable[[str, str, Incoming], object]


@dataclass(frozen=True, slots=True)
class OutcomeService:
    """Answers /platform/outcomes. `consumers` maps a consumer key to its connections.

    `bearer` is the caller of an access token, for tools of LTI 1.3. `former` are addresses that
    tools may still know. `new_id` returns what an answer is called, which is the reference of its
    request in the log.
    """

    url: str
    key: bytes
    consumers: Mapping[str, Sequence[tuple[str, Credentials]]]
    results: Results
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    bearer: Callable[[str], Caller]
    former: Sequence[str] = ()

    def answer(
        self,
        query: str,
        authorization: str,
        content_type: str,
        body: bytes,
        hosts: Sequence[str] = (),
    ) -> Answer:
        """Carry out one request and answer with an envelope, whatever was sent.

        `hosts` are names that it was sent to, which explain a refusal and decide nothing.
        """
        url = f"{self.url}?{query}" if query else self.url  # a query is under the signature too
        answer = self._answer(url, authorization, content_type, body)
        if answer.refusal is not None and not is_bearer(authorization):
            now = int(self.clock().timestamp())
            arrived = explanations.Arrived(url, authorization, content_type, body, now, hosts)
            explanations.let(answer.refusal, arrived, self.consumers, self.former)
        if answer.refusal is not None:
            hop.failed(answer.refusal)
        return answer

    def _answer(self, url: str, authorization: str, content_type: str, body: bytes) -> Answer:
        request = None
        try:
            if media_type(content_type) not in media_types(authorization):
                wanted = " or ".join(media_types(authorization))
                raise BadRequest(f"the Content-Type is not {wanted}")
            if is_bearer(authorization):
                caller = self.bearer(authorization)
            else:
                hop.checking("signature")
                signed = oauth1.read_header("POST", url, authorization, body, content_type)
                now = int(self.clock().timestamp())
                caller = self._caller(signed, signers(signed, self.consumers, now, self.former))
            hop.note(connection=caller.connections[0], proved=True)
            hop.checking("message")
            request = outcomes.parse_request(body)
            return self._carry_out(request, caller)
        except ServiceRefused as error:
            said = f"{error.sentence} ({error.detail})"
            return self._refused("token-refused", error, error.status, said, request)
        except SignatureRefused as error:
            said = error.said or UNPROVED.format(url=self.url)
            return self._refused("signature-refused", error, 401, said, request)
        except BadRequest as error:
            said = f"The request is malformed: {error.detail}."
            return self._refused("malformed", error, 400, said, request)
        except OutcomeRefused as error:
            return self._refused("refused", error, 200, error.detail, request)
        except Exception:  # a database that is full or locked: the provider must not hear success
            log.exception("outcome.broke")
            return self._envelope(503, "failure", "Not stored, please send it again.", request)

    def too_large(self) -> Answer:
        """The answer to a body above the limit, which was not read."""
        log.warning("outcome.malformed", extra={"reason": "a body above the limit"})
        return self._envelope(400, "failure", "The request is above 64 kB.", None)

    def _refused(
        self,
        event: str,
        error: BridgeError,
        status: int,
        said: str,
        request: outcomes.OutcomeRequest | None,
    ) -> Answer:
        log.warning(f"outcome.{event}", extra={"reason": error.detail})
        return replace(self._envelope(status, "failure", said, request), refusal=error)

    def _caller(self, signed: oauth1.SignedRequest, connections: list[str]) -> Caller:
        expires_at = self.clock() + timedelta(seconds=2 * WINDOW_S)
        once = Once(f"outcome:{signed.consumer_key}", signed.nonce, expires_at)
        return Caller(
            connections,
            signed.nonce,
            lambda attempt_id, name: self.results.read(once, attempt_id, name),
            lambda attempt_id, name, incoming: self.results.record(
                once, attempt_id, name, incoming, self.clock()
            ),
        )

    def _carry_out(self, request: outcomes.OutcomeRequest, caller: Caller) -> Answer:
        if request.operation not in outcomes.OPERATIONS:
            said = f"The operation is none of {', '.join(outcomes.OPERATIONS)}."
            return self._envelope(200, "unsupported", said, request)
        hop.checking("sourcedid")
        attempt_id, connection = self._attempt(request.sourced_id, caller.connections)
        hop.checking("attempt")
        if request.operation == "readResult":
            attempt = caller.read(attempt_id, connection)
            text = outcomes.score_text(attempt.score.fraction()) if attempt.score else ""
            return self._envelope(200, "success", "Result read.", request, text)
        incoming = self._incoming(request, caller.event)
        caller.record(attempt_id, connection, incoming)
        said = "Result stored." if incoming.score else "Result deleted."
        return self._envelope(200, "success", said, request)

    def _incoming(self, request: outcomes.OutcomeRequest, event: str) -> Incoming:
        raw = {"operation": request.operation, "score": request.score_text}
        if request.operation == "deleteResult":
            return Incoming("outcome", event, None, None, raw)
        if request.score_text is None:
            raise OutcomeRefused("result or its resultScore is missing")
        score = outcomes.parse_score(request.score_text)
        return Incoming("outcome", event, "graded", Score(score, ONE), raw)

    def _attempt(self, sourced_id: str, connections: Sequence[str]) -> tuple[str, str]:
        for connection in connections:
            attempt_id = sourced_ids.attempt_of(self.key, connection, sourced_id)
            if attempt_id:
                return attempt_id, connection
        log.warning("outcome.foreign-sourcedid", extra={"connection": connections[0]})
        raise OutcomeRefused(UNKNOWN)

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
        return Answer(status, body, taken=code_major == "success")


def signers(
    signed: oauth1.SignedRequest,
    consumers: Mapping[str, Sequence[tuple[str, Credentials]]],
    now: int,
    former: Sequence[str] = (),
) -> list[str]:
    """The names of the connections whose secret made this signature; at least one.

    `now` is in seconds since 1970, `former` are addresses that the sender may still know. Raises
    SignatureRefused.
    """
    known = consumers.get(signed.consumer_key) or [("", NOBODY)]
    verified, refusal = [], SignatureRefused("unknown consumer key")
    for name, consumer in known:
        try:
            oauth1.verify(
                signed,
                consumer.shared_secret,
                method=consumer.method,
                now=now,
                window_s=WINDOW_S,
                former=former,
            )
            verified.append(name)
        except SignatureRefused as error:
            refusal = error
    if not verified or not verified[0]:
        raise refusal
    return verified
