"""What people do by hand: settle unclear attempts, bring marks, let a learner be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.owners import Name, Owners, names_of
from lti_bridge.core.attempt.polls import Polling, first_poll
from lti_bridge.core.attempt.provider import Connection, Sitting
from lti_bridge.core.attempt.states import MOVES, Event
from lti_bridge.core.grade.results import Results
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.records import Attempt, Incoming
from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.core.store import Store
from lti_bridge.errors import BridgeError, ByHandRefused, CandidateTaken, OutcomeRefused, TestTaken

PERSON, FILE = "person", "import"  # where a result came from


class StaffStore(Store, Protocol):
    """The store, with what only people ask of it."""

    def dated_attempt(self, attempt_id: str) -> tuple[Attempt, datetime] | None:
        """An attempt, and when it was created."""

    def attempts_at(self, connection: str) -> list[tuple[Attempt, datetime]]:
        """All attempts that were started at a connection, and when each was created."""

    def attempts_of(self, learner_id: str) -> list[tuple[Attempt, datetime]]:
        """All attempts of a learner, and when each was created."""

    def resolve(
        self,
        attempt: Attempt,
        event: Event,
        now: datetime,
        *,
        poll_at: datetime | None = None,
    ) -> bool:
        """Let a person's word settle an unclear attempt, with the reference and data found."""

    def give_back(self, name: str, attempt_id: str) -> None:
        """Give back every seat that an attempt holds at a connection."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one line of a file; `said` is the reason, or the score."""

    line: int
    outcome: Literal["recorded", "known", "refused"]
    said: str
    attempt_id: str = ""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whether a provider has forgotten the learner of one attempt, and else why not.

    `pseudonym` is the id by which the provider knows the learner. `failed`: it may work later.
    """

    connection: str
    attempt_id: str
    reference: str
    pseudonym: str
    forgotten: bool
    failed: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ByHand:
    """Does by hand what normally happens by itself."""

    store: StaffStore
    polling: Polling
    results: Results
    owners: Owners
    clock: Callable[[], datetime]

    def started(self, attempt_id: str, reference: str, facts: Mapping[str, str]) -> Attempt:
        """Take over an unclear attempt that exists at its provider under this reference.

        Where the provider can be asked it is, so that a wrong reference is found out. Raises
        ByHandRefused, Unsupported, ConfigurationError or a ProviderError; then nothing changed.
        """
        attempt, created_at = self._unclear(attempt_id)
        connection = self.polling.catalogue.connection(attempt.connection)
        self._check_adoptable(connection, attempt)
        attempt = replace(attempt, reference=reference, state=MOVES["found"].to)
        sitting = self.polling.sitting(attempt, created_at)
        attempt = replace(attempt, data=capabilities.adopts(connection).adopt(sitting, facts))
        self._check_owner(connection, attempt)
        asks = capabilities.can(connection, capabilities.FETCH)
        if asks:
            self.polling.ask(attempt, created_at)
        wait = timedelta() if asks else first_poll(connection)
        self._resolve(attempt, "found", None if wait is None else self.clock() + wait)
        return attempt

    def not_started(self, attempt_id: str) -> Attempt:
        """Release an unclear attempt: the learner's next click starts it. Raises ByHandRefused."""
        return self._resolve(self._unclear(attempt_id)[0], "freed")

    def expired(self, attempt_id: str) -> Attempt:
        """Close an unclear attempt: the next click asks for another. Raises ByHandRefused."""
        attempt = self._resolve(self._unclear(attempt_id)[0], "ended")
        self.store.give_back(attempt.connection, attempt.id)
        return attempt

    def enter(self, attempt_id: str, score: Score) -> Attempt:
        """Record marks that a person brings; the attempt as it was before.

        Raises ByHandRefused when it has these marks already, or no place for any.
        """
        attempt = self._attempt(attempt_id)[0]
        if attempt.state == "graded" and attempt.score == score:
            raise ByHandRefused(f"attempt {attempt_id} has these marks already")
        self._record(PERSON, attempt, score)
        return attempt

    def release(self, attempt_id: str) -> Score:
        """Let a held result count after all; its score. Raises ByHandRefused."""
        attempt = self._held(attempt_id)
        if attempt.held_score is None:
            raise ByHandRefused(f"attempt {attempt_id} is held without marks: results enter")
        self._record(PERSON, attempt, attempt.held_score)
        return attempt.held_score

    def refuse(self, attempt_id: str) -> Attempt:
        """Let a held result count for nothing, nor what the attempt had; raises ByHandRefused."""
        attempt = self._held(attempt_id)
        event = f"{PERSON} refused after {attempt.changed_at}"
        self._keep(attempt, Incoming(PERSON, event, "invalidated", None))
        return attempt

    def import_results(self, connection: Connection, text: str) -> Iterator[Imported]:
        """Read a file and record its results, line by line. Raises Unsupported."""
        kept = self.store.attempts_at(connection.name)
        sittings = [self.polling.sitting(attempt, created_at) for attempt, created_at in kept]
        for line in capabilities.imports(connection).import_results(text, sittings):
            yield self._import(connection, line)

    def forget_at_providers(self, learner_id: str) -> Iterator[Forgotten]:
        """Let every provider forget a learner, as far as it can; and nobody else."""
        gone: list[Name] = []
        for attempt, created_at in self.store.attempts_of(learner_id):
            sitting = self.polling.sitting(attempt, created_at)
            try:
                connection = self.polling.catalogue.connection(attempt.connection)
            except BridgeError:
                yield _left(attempt, sitting, "the connection is no longer configured")
                continue
            if attempt.state == "created" and capabilities.can(connection, capabilities.REMOTE):
                continue  # the provider has never heard of it
            names = names_of(connection, attempt)
            if self._is_shared(connection, attempt, names):
                yield _left(attempt, sitting, "another learner is the same candidate there")
                continue
            done = self._forget(connection, attempt, sitting)
            gone += names if done.forgotten else ()
            yield done
        self.owners.free_candidates(gone)

    def _is_shared(self, connection: Connection, attempt: Attempt, names: tuple[Name, ...]) -> bool:
        """Whether what the provider would forget is another learner's, or was before owners."""
        if not names or not capabilities.can(connection, capabilities.FORGET):
            return False
        if not self.owners.holds(connection.name, attempt.learner_id, *names):
            return True
        mine = {self.owners.candidate(name) for name in names}
        for other, _ in self.store.attempts_at(connection.name):
            theirs = {self.owners.candidate(name) for name in names_of(connection, other)}
            if other.learner_id != attempt.learner_id and mine & theirs:
                return True
        return False

    def _check_owner(self, connection: Connection, attempt: Attempt) -> None:
        """Whether what a person has found can be this learner's. Raises ByHandRefused."""
        try:
            self.owners.claim_test(connection.name, attempt.learner_id, attempt.reference)
            names = names_of(connection, attempt)
            self.owners.claim_candidate(connection.name, attempt.learner_id, *names)
        except (CandidateTaken, TestTaken) as error:
            raise ByHandRefused(error.detail) from None

    def _forget(self, connection: Connection, attempt: Attempt, sitting: Sitting) -> Forgotten:
        if not capabilities.can(connection, capabilities.FORGET):
            return _left(attempt, sitting, "it has no call for this: write to the provider")
        if not attempt.data:
            return _left(attempt, sitting, "nobody knows whether it exists: look at the provider")
        try:
            capabilities.forgets(connection).forget(sitting)
        except BridgeError as error:
            reason = f"{error.sentence} ({error.detail or error.code})"
            return replace(_left(attempt, sitting, reason), failed=True)
        return replace(_left(attempt, sitting, ""), forgotten=True)

    def _import(self, connection: Connection, line: ImportedLine) -> Imported:
        refused = Imported(line.number, "refused", line.problem, line.attempt_id)
        if line.score is None:
            return refused
        attempt = self.store.attempt(line.attempt_id)
        if attempt is None or attempt.connection != connection.name:
            return replace(refused, said="there is no such attempt here")
        said = f"{line.score.given}/{line.score.maximum}"
        if attempt.state == "graded" and attempt.score == line.score:
            return Imported(line.number, "known", said, attempt.id)
        if attempt.state == "invalidated":
            return replace(refused, said="the attempt is invalidated: lti-bridge results enter")
        if attempt.state == "held":
            return replace(refused, said=f"held: {attempt.held}: lti-bridge results release")
        try:
            self._record(FILE, attempt, line.score)
        except BridgeError as error:
            return replace(refused, said=error.detail or error.sentence)
        return Imported(line.number, "recorded", said, attempt.id)

    def _record(self, source: str, attempt: Attempt, score: Score) -> None:
        # the same marks are news again when there were others in between
        event = f"{source} {score.given}/{score.maximum} after {attempt.changed_at}"
        self._keep(attempt, Incoming(source, event, "graded", score))

    def _keep(self, attempt: Attempt, incoming: Incoming) -> None:
        try:
            self.results.record(None, attempt.id, attempt.connection, incoming, self.clock())
        except OutcomeRefused:
            reason = "has no place for a grade: its learner was forgotten"
            raise ByHandRefused(f"attempt {attempt.id} {reason}") from None

    def _attempt(self, attempt_id: str) -> tuple[Attempt, datetime]:
        found = self.store.dated_attempt(attempt_id)
        if found is None:
            raise ByHandRefused(f"there is no attempt {attempt_id[:80]!r}")
        return found

    def _held(self, attempt_id: str) -> Attempt:
        attempt = self._attempt(attempt_id)[0]
        if attempt.state != "held":
            raise ByHandRefused(f"attempt {attempt_id} is {attempt.state}, not held")
        return attempt

    def _unclear(self, attempt_id: str) -> tuple[Attempt, datetime]:
        attempt, created_at = self._attempt(attempt_id)
        if attempt.state != "unclear":
            raise ByHandRefused(f"attempt {attempt_id} is {attempt.state}, not unclear")
        return attempt, created_at

    def _check_adoptable(self, connection: Connection, attempt: Attempt) -> None:
        settings = self.polling.settings(attempt)
        can = capabilities.can(connection, capabilities.ADOPT)
        if not can and settings is not None and connection.repeatable(settings):
            raise ByHandRefused(
                f"starting once more gives the same test at {connection.name!r}: "
                "say --not-started, and the next click finds it"
            )

    def _resolve(self, attempt: Attempt, event: Event, poll_at: datetime | None = None) -> Attempt:
        if not self.store.resolve(attempt, event, self.clock(), poll_at=poll_at):
            raise ByHandRefused(
                f"a click is starting attempt {attempt.id} just now: look again in a minute"
            )
        if poll_at is not None:
            self.results.wake()
        return replace(attempt, state=MOVES[event].to)


def _left(attempt: Attempt, sitting: Sitting, reason: str) -> Forgotten:
    return Forgotten(
        connection=attempt.connection,
        attempt_id=attempt.id,
        reference=attempt.reference,
        pseudonym=sitting.learner_id,
        forgotten=False,
        reason=reason,
    )
