"""What a provider said about an attempt becomes a result, a grade and a delivery, in one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lti_bridge.core.attempt import states as attempt_states
from lti_bridge.core.grade import states
from lti_bridge.core.journal.facts import of_attempt, of_incoming
from lti_bridge.core.journal.hop import note
from lti_bridge.core.launch.message import Once
from lti_bridge.core.records import Attempt, Incoming, Locked
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
            locked = own(tx, attempt_id, connection)
            if unchanged is not None and locked.attempt.changed_at != unchanged:
                return locked.attempt
            due = self.keep(tx, locked, incoming, now)
        if due:
            self.wake()
        return locked.attempt

    def keep(self, tx: Transaction, locked: Locked, incoming: Incoming, now: datetime) -> bool:
        """Record a result within the transaction that has locked the attempt.

        True: a delivery is due, so `wake` is to be called after the commit.
        """
        attempt = locked.attempt
        note(**of_attempt(attempt), said=of_incoming(incoming))
        after = attempt_states.received(attempt, incoming)
        if after is None or not tx.save_result(self.new_id(), attempt, incoming, now):
            return False
        cell = attempt_states.placed(locked.cell, after, now)
        source = incoming.source if after.state != attempt.state else ""
        tx.save_attempt(after, cell, source, now)
        pending = incoming.pending or (BY_A_PERSON if incoming.held else "")
        wish = states.wanted(cell, states.grade(cell, after.grade_policy), pending)
        return wish is not None and tx.save_wish(cell, wish, now)

    def read(self, once: Once, attempt_id: str, connection: str) -> Attempt:
        """The attempt with its present score, for a provider that asks. Raises as `record`."""
        with self.store.transaction() as tx:
            if not tx.use_once(once):
                raise SignatureRefused(USED, said=USED)
            return own(tx, attempt_id, connection).attempt


def own(tx: Transaction, attempt_id: str, connection: str) -> Locked:
    """The attempt with its cell; raises OutcomeRefused when it is not this connection's."""
    locked = tx.lock_attempt(attempt_id, connection)
    if locked is None:
        raise OutcomeRefused(UNKNOWN)
    return locked
