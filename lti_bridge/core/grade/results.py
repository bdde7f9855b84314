"""What a provider said about an attempt becomes a result, a grade and a delivery, in one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lti_bridge.core.grade.scores import grade_of
from lti_bridge.core.launch.message import Once
from lti_bridge.core.records import Attempt, AttemptState, Incoming
from lti_bridge.core.store import Store, Transaction
from lti_bridge.errors import OutcomeRefused, SignatureRefused

USED = "this nonce was already used"
BY_A_PERSON = "PendingManual"  # AGS 2.0 section 3.4.8
UNKNOWN = "The sourcedId is not known."  # whatever the reason, so that nothing can be tried out


@dataclass(frozen=True, slots=True)
class Results:
    """Records results. `new_id` returns a fresh id; `wake` tells a worker that grades are due."""

    store: Store
    new_id: Callable[[], str]
    wake: Callable[[], None]

    def record(
        self,
        once: Once | None,
        attempt_id: str,
        connection: str,
        incoming: Incoming,
        now: datetime,
        *,
        unchanged: datetime | None = None,
    ) -> Attempt:
        """Record a verified result; when this returns, it is on disk and on its way.

        The message's `once` is used up in the same commit. Nothing is recorded when the attempt
        has changed after `unchanged`. Raises SignatureRefused when it was
        used before, and OutcomeRefused when the attempt is not this connection's: then nothing
        has changed.
        """
        with self.store.transaction() as tx:
            if once is not None and not tx.use_once(once):
                raise SignatureRefused(USED, said=USED)
            attempt = tx.lock_attempt(attempt_id, connection)
            if attempt is None:
                raise OutcomeRefused(UNKNOWN)
            if unchanged is not None and attempt.changed_at != unchanged:
                return attempt
            due = self.keep(tx, attempt, incoming, now)
        if due:
            self.wake()
        return attempt

    def keep(self, tx: Transaction, attempt: Attempt, incoming: Incoming, now: datetime) -> bool:
        """Record a result within a transaction that has locked the attempt.

        True: a delivery is due, so `wake` is to be called after the commit. What a provider says
        is stopped or under review is held for a person, once: what a person has decided about the
        same verdict and score stays decided.
        """
        if incoming.held and (incoming.held, incoming.score) == (attempt.held, attempt.held_score):
            return False
        if incoming.state is None:
            incoming = replace(incoming, state=_unsaid_state(attempt))
        if not tx.save_result(self.new_id(), attempt, incoming, now):
            return False
        pending = incoming.pending
        if incoming.held:
            tx.hold_result(attempt, incoming, now)
            pending = pending or BY_A_PERSON
        else:
            tx.save_score(attempt, incoming, now)
        scored = tx.scores(attempt.link_id, attempt.learner_id)
        grade = grade_of(attempt.grade_policy, scored)
        return tx.want_grade(attempt.link_id, attempt.learner_id, grade, pending, now)

    def read(self, once: Once, attempt_id: str, connection: str) -> Attempt:
        """The attempt with its present score, for a provider that asks. Raises as `record`."""
        with self.store.transaction() as tx:
            if not tx.use_once(once):
                raise SignatureRefused(USED, said=USED)
            attempt = tx.lock_attempt(attempt_id, connection)
            if attempt is None:
                raise OutcomeRefused(UNKNOWN)
        return attempt


def _unsaid_state(attempt: Attempt) -> AttemptState:
    """The state after a message that names none: a grade is taken back, else nothing changes."""
    return "invalidated" if attempt.state == "graded" else attempt.state
