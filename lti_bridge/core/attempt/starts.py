"""Starting an attempt at a provider that is called: at most once, and never blindly again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from lti_bridge.core.attempt import answers, capabilities, purchases
from lti_bridge.core.attempt.call_lane import Outcome, StillStarting
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.owners import Owners, names_of
from lti_bridge.core.attempt.polls import first_poll
from lti_bridge.core.attempt.provider import Connection, Session, Started
from lti_bridge.core.attempt.states import CLOSED, UNDER_WAY, OnClick, on_click
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


ENDS: dict[OnClick, Handoff] = {"marking": MARKING, "reviewed": REVIEWED}


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts and resumes attempts at connections whose kind is remote.

    `wake` tells a worker that a provider is to be asked.
    """

    store: Store
    owners: Owners
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    calls: Calls

    def hand_off(
        self, connection: Connection, attempt: Attempt | None, session: Session, key: str
    ) -> Handoff:
        """What the browser gets. Raises StillStarting, AttemptUnclear or a ProviderError.

        `key` is one learner's, at one attempt or preview: what a call brings after this click was
        answered is kept under it, and is what the learner's next click gets.
        """
        step: OnClick = "start"
        if attempt is not None:
            step = self._step(connection, attempt, session)
            if step in ("wait", "person"):  # as another click may have left it meanwhile
                attempt = self.store.attempt(attempt.id) or attempt
                step = self._step(connection, attempt, session)
            if step in ENDS:
                return ENDS[step]
        answer = answers.read(self.store.take_answer(key, self.clock()))
        if answer is not None and (attempt is None or answer.fits(step)):
            return answer.told()
        if step == "person":
            raise AttemptUnclear(f"attempt {key} waits for a person")
        if step == "wait":
            raise StillStarting(self.calls.pause_s(connection, key))
        work = partial(self._preview, connection, session)
        if attempt is not None:
            work = partial(self._call, connection, attempt, session, step)
        leave = partial(self._leave, key, session.origin.learner_id, step)
        return self.calls.result(connection, key, work, leave)

    def _leave(self, key: str, learner_id: str, step: OnClick, outcome: Outcome) -> None:
        """Keep what a call has brought for the learner's next click, in any process."""
        text = answers.written(outcome, resumed=step == "resume")
        self.store.keep_answer(key, learner_id, text, self.clock() + answers.KEPT)

    def _call(
        self, connection: Connection, attempt: Attempt, session: Session, step: OnClick
    ) -> Handoff:
        """Take this step of an attempt, which may have waited for its turn.

        Raises StillStarting where another click has taken it, or nobody goes on with it any more.
        """
        if step == "resume":
            return self._resume(connection, attempt, session)
        before = None if step == "start" else self.clock() - UNDER_WAY
        if not self._claim(connection, attempt, session, before):
            raise StillStarting
        return self._start(connection, attempt, session)

    def _resume(self, connection: Connection, attempt: Attempt, session: Session) -> Handoff:
        attempt = self.store.attempt(attempt.id) or attempt
        step = self._step(connection, attempt, session)
        if step in ENDS:
            return ENDS[step]
        if step != "resume" or attempt.state in CLOSED:
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
