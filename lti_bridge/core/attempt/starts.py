"""Starting an attempt at a provider that is called: at most once, and never blindly again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lti_bridge.core.attempt import capabilities, purchases
from lti_bridge.core.attempt.owners import Owners, names_of
from lti_bridge.core.attempt.polls import first_poll
from lti_bridge.core.attempt.provider import Connection, Session, Started
from lti_bridge.core.attempt.states import UNDER_WAY, OnClick, on_click
from lti_bridge.core.launch.handoff import MARKING, REVIEWED, Handoff
from lti_bridge.core.records import Attempt
from lti_bridge.core.store import Store
from lti_bridge.errors import (
    AnswerLost,
    AttemptUnclear,
    BridgeError,
    StartUnclear,
    TestTaken,
    Unsupported,
)

log = logging.getLogger("lti_bridge.starting")


class StillStarting(Exception):  # not an error: another click is doing the work
    """Another click of the same learner is starting the attempt right now."""


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts and resumes attempts at connections whose kind is remote.

    `wake` tells a worker that a provider is to be asked.
    """

    store: Store
    owners: Owners
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    def hand_off(
        self, connection: Connection, attempt: Attempt | None, session: Session
    ) -> Handoff:
        """What the browser gets. Raises StillStarting, AttemptUnclear or a ProviderError."""
        if attempt is None:
            return self._preview(connection, session)
        step = self._step(connection, attempt, session)
        if step == "start" and self._claim(connection, attempt, session, None):
            return self._start(connection, attempt, session)
        if step not in ("marking", "reviewed"):  # as another click may have left it meanwhile
            attempt = self.store.attempt(attempt.id) or attempt
            step = self._step(connection, attempt, session)
        if step in ("marking", "reviewed"):
            return MARKING if step == "marking" else REVIEWED
        if step == "person":
            raise AttemptUnclear(f"attempt {attempt.id} waits for a person")
        if step == "start again":
            before = self.clock() - UNDER_WAY
            if self._claim(connection, attempt, session, before):
                return self._start(connection, attempt, session)
        if step != "resume":  # the other click is doing the work, or it failed in between
            raise StillStarting
        self._claim_candidate(connection, attempt)
        known = replace(session, reference=attempt.reference, data=attempt.data)
        handoff = capabilities.resumes(connection).resume(known)
        if handoff is MARKING and capabilities.can(connection, capabilities.FETCH):
            self.store.poll_at(attempt.id, self.clock())
            self.wake()
        return handoff

    def _step(self, connection: Connection, attempt: Attempt, session: Session) -> OnClick:
        repeatable = connection.repeatable(session.settings)
        return on_click(attempt, self.clock(), repeatable=repeatable)

    def _claim(
        self,
        connection: Connection,
        attempt: Attempt,
        session: Session,
        unclear_before: datetime | None,
    ) -> bool:
        """Take the right to start, and what is bought by it, in one commit."""
        now = self.clock()
        with self.store.transaction() as tx:
            if not tx.claim_start(attempt.id, now, unclear_before):
                return False
            purchases.buy(tx, connection, attempt.id, session.origin, now)
        return True

    def _start(self, connection: Connection, attempt: Attempt, session: Session) -> Handoff:
        """Call the provider. Whatever ends here without a word leaves the attempt unclear."""
        try:
            started = connection.provider.start(session)
        except AnswerLost as error:
            log.error("attempt.unclear", extra={"attempt": attempt.id, "reason": error.detail})
            again = connection.repeatable(session.settings)
            raise (StartUnclear if again else AttemptUnclear)(error.detail) from error
        except BridgeError as error:
            self.store.release_start(attempt.id, self.clock(), error.detail or error.code)
            raise
        self._claim_test(connection, attempt, started, session)
        now = self.clock()
        wait = first_poll(connection) if started.expects_result else None
        over = started.handoff is MARKING
        if wait is not None and over:
            wait = timedelta(0)
        self.store.confirm_start(attempt.id, started, now, None if wait is None else now + wait)
        if wait is not None and over:
            self.wake()
        return started.handoff

    def _claim_candidate(self, connection: Connection, attempt: Attempt) -> None:
        """Nobody goes on as a candidate who has become another learner's."""
        names = names_of(connection, attempt)
        self.owners.claim_candidate(connection.name, attempt.learner_id, *names)

    def _claim_test(
        self, connection: Connection, attempt: Attempt, started: Started, session: Session
    ) -> None:
        """A test that is another learner's is nobody else's; what was bought waits for a person."""
        try:
            self.owners.claim_test(connection.name, attempt.learner_id, started.reference)
        except TestTaken as error:
            log.error("attempt.test-taken", extra={"attempt": attempt.id, "reason": error.detail})
            if connection.repeatable(session.settings):
                self.store.release_start(attempt.id, self.clock(), error.detail)
            raise

    def _preview(self, connection: Connection, session: Session) -> Handoff:
        if not capabilities.can(connection, capabilities.PREVIEW):
            raise Unsupported(f"kind {connection.kind!r} has no preview")
        return connection.provider.start(session).handoff
