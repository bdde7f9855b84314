"""To whom a candidate or a test at a provider belongs: to one learner, until a person decides.

Providers that know people by something that two learners may share, as an e-mail address, would
give the second one the first one's tests. So whoever comes first has it, in one row that all
processes share; its id is a MAC, so that nobody reads an address there.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.owner_steps import OwnerSteps
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.launch import identity
from lti_bridge.core.records import Attempt
from lti_bridge.errors import CandidateTaken, TestTaken

log = logging.getLogger("lti_bridge.owners")

What = Literal["candidate", "test"]
Name = tuple[str, str]  # where a provider's name is the only one of its kind, and the name
ADOPTED = "owners adopted"  # a counter for each connection


class OwnerStore(Protocol):
    """The store, as far as owners need it."""

    def transaction(self) -> AbstractContextManager[OwnerSteps]:
        """Several steps as one."""


class FormerStore(Protocol):
    """What was there before there were owners."""

    def attempts_at(self, connection: str) -> list[tuple[Attempt, datetime]]:
        """All attempts that were started at a connection, the oldest first."""

    def next_number(self, name: str) -> int:
        """Count up durably."""

    def last_number(self, name: str) -> int:
        """How far the count is."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Decides who has what. `key` makes the ids."""

    store: OwnerStore
    key: bytes
    clock: Callable[[], datetime]

    def candidate(self, name: Name) -> str:
        """The id of a candidate; letter case and the form of accents do not count."""
        place, text = name
        plain = unicodedata.normalize("NFKC", text.strip()).casefold()
        return identity.opaque(self.key, "candidate", place, plain)

    def test(self, connection: str, reference: str) -> str:
        """The id of a test, by the reference that a connection's provider gave."""
        return identity.opaque(self.key, "test", connection, reference)

    def claim_candidate(self, connection: str, learner_id: str, *names: Name) -> None:
        """Let the learner be these candidates, all of them or none.

        Raises CandidateTaken when one is another learner's. Without a learner (somebody whom the
        LMS does not name) nothing is taken, and nothing that is somebody's may be used.
        """
        if not names:
            return
        with self.store.transaction() as tx:
            for owned_id in sorted(map(self.candidate, names)):  # in one order, so none waits twice
                self._claim(tx, "candidate", connection, learner_id, owned_id)

    def claim_test(self, connection: str, learner_id: str, reference: str) -> None:
        """Let the learner have this test. Raises TestTaken when it is another one's."""
        if reference:
            with self.store.transaction() as tx:
                found = self.test(connection, reference)
                self._claim(tx, "test", connection, learner_id, found)

    def holds(self, connection: str, learner_id: str, *names: Name) -> bool:
        """Whether the learner is these candidates, who become theirs where they are nobody's."""
        try:
            self.claim_candidate(connection, learner_id, *names)
        except CandidateTaken:
            return False
        return True

    def free_candidates(self, names: Iterable[Name]) -> None:
        """Let nobody be these candidates: the provider has forgotten them."""
        with self.store.transaction() as tx:
            for name in names:
                tx.unbind(self.candidate(name))

    def _claim(
        self, tx: OwnerSteps, what: What, connection: str, learner_id: str, owned_id: str
    ) -> None:
        if learner_id:
            owner = tx.bind(owned_id, what, connection, learner_id, self.clock())
        else:
            owner = tx.bound_to(owned_id)
        if owner != learner_id:
            taken = CandidateTaken if what == "candidate" else TestTaken
            raise taken(f"{what} {owned_id} is another learner's; see lti-bridge owners list")


def adopt(owners: Owners, store: FormerStore, connections: Iterable[Connection]) -> None:
    """Enter what attempts have that were started before there were owners, once.

    The oldest attempt's learner has it; the log names the attempts of others.
    """
    for connection in connections:
        count = f"{connection.name}:{ADOPTED}"
        if store.last_number(count):
            continue
        for attempt, _ in store.attempts_at(connection.name):
            _adopt(owners, connection, attempt)
        store.next_number(count)


def names_of(connection: Connection, attempt: Attempt) -> tuple[Name, ...]:
    """The candidates that an attempt's provider knows its learner by; none where it knows none."""
    if not capabilities.can(connection, capabilities.BY_ADDRESS):
        return ()
    return capabilities.known_as(connection, attempt.data)


def _adopt(owners: Owners, connection: Connection, attempt: Attempt) -> None:
    learner_id = attempt.learner_id
    try:
        owners.claim_test(connection.name, learner_id, attempt.reference)
        owners.claim_candidate(connection.name, learner_id, *names_of(connection, attempt))
    except (CandidateTaken, TestTaken) as error:
        extra = {"attempt": attempt.id, "connection": connection.name, "reason": error.detail}
        log.error("owners.shared", extra=extra)
