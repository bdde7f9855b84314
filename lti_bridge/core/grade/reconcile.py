"""After a backup was restored: what gradebooks show is either a grade of ours, or a teacher's word.

Which of the two is decided by what can account for it: the provider, asked again, or the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.polls import Polling
from lti_bridge.core.grade import read_back, states
from lti_bridge.core.grade.gradebook import Gradebook
from lti_bridge.core.grade.results import Results
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.records import Attempt, Delivery, Incoming, OfCell
from lti_bridge.core.store import Store
from lti_bridge.errors import BridgeError, DeliveryRefused

Verdict = Literal["same", "empty", "provider", "log", "higher", "teacher", "unreadable", "failed"]
GRADEBOOK = "gradebook"  # where such a result came from


@dataclass(frozen=True, slots=True)
class Cell:
    """A gradebook cell to look at. `newer`: it wants something that the LMS was not told yet.

    `waits`: for a teacher's value to go.
    """

    delivery: Delivery
    link_id: str
    learner_id: str
    newer: bool
    waits: bool


class CellStore(Store, Protocol):
    """The store, with what is asked after a backup was restored."""

    def cells_of(self, registration: str, after: str, limit: int) -> list[Cell]:
        """Cells of an LMS that ever wanted something, by their ids, from the one `after` this."""

    def adopt(self, cell: Cell, shown: str, now: datetime, *, send: bool) -> bool:
        """What is shown is ours; `send`: what is wanted goes over it. False: it has changed."""

    def leave(self, cell: Cell, shown: str, now: datetime) -> bool:
        """What is shown is not ours, so what is wanted waits. False: it has changed."""

    def dated_attempt(self, attempt_id: str) -> tuple[Attempt, datetime] | None:
        """An attempt, and when it was created."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a cell shows, and whose that is.

    `same`: what it was told as far as is known here; `empty`: nothing; `provider`, `log`: ours, as
    the provider or the log says, and put right; `higher`: ours, and higher than what is known here,
    so a person has to look; `teacher`: nobody accounts for it, so it is a teacher's and stays;
    `unreadable`: the LMS does not tell; `failed`: it did not answer, `reason` says why.
    """

    grade_id: str
    user: str
    wanted: str
    shown: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Looks at every cell of an LMS. `was_sent` says whether a log has this value for this cell."""

    store: CellStore
    gradebook: Gradebook
    polling: Polling
    results: Results
    clock: Callable[[], datetime]
    was_sent: Callable[[str, Score], bool]
    dry_run: bool

    def cells(self, registration: str, at_once: int = 200) -> Iterator[Cell]:
        """All cells of an LMS, some hundred at a time."""
        after = ""
        while found := self.store.cells_of(registration, after, at_once):
            yield from found
            after = found[-1].delivery.grade_id

    def look(self, cell: Cell) -> Reconciled:
        """Look at one cell, and put it right; raises nothing of an LMS or a provider."""
        delivery = cell.delivery
        said = Reconciled(delivery.grade_id, delivery.user_id, delivery.told[-1], "", "unreadable")
        if not self.gradebook.readable(delivery):
            return said
        try:
            shown = self.gradebook.read(delivery)
        except DeliveryRefused:
            return said
        except BridgeError as error:
            return replace(said, verdict="failed", reason=error.detail or error.code)
        there = read_back.text_of(shown)
        said = replace(said, shown=there)
        if shown.score is None:
            return replace(said, verdict="empty")
        if read_back.is_ours(delivery, shown):
            if cell.waits:
                self._adopt(cell, there, send=True)
            return replace(said, verdict="same")
        verdict, reason = self._account(cell, shown.score)
        return replace(said, verdict=verdict, reason=reason)

    def _account(self, cell: Cell, shown: Score) -> tuple[Verdict, str]:
        """Whose a value is that was not told as far as is known here."""
        there = f"{shown.given.normalize():f}/{shown.maximum.normalize():f}"
        found, reason = self._ask(cell, shown)
        if found:
            self._adopt(cell, there, send=True)
            return "provider", ""
        if not self.was_sent(cell.delivery.grade_id, shown):
            if not self.dry_run:
                self.store.leave(cell, there, self.clock())
            return "teacher", reason
        if not cell.newer:
            self._keep(cell, shown)
            self._adopt(cell, there, send=False)
            return "log", ""
        if self._goes_back(cell, shown):
            if not self.dry_run:
                self.store.leave(cell, there, self.clock())
            return "higher", "results enter, or results resend --force"
        self._adopt(cell, there, send=True)
        return "log", ""

    def _ask(self, cell: Cell, shown: Score) -> tuple[bool, str]:
        """Whether a provider that can be asked says of an attempt what is shown; it is recorded."""
        reason = ""
        for one in reversed(self._attempts(cell)):
            found = self.store.dated_attempt(one.attempt_id)
            if found is None:
                continue
            attempt, created_at = found
            try:
                connection = self.polling.catalogue.connection(attempt.connection)
                if not attempt.reference or not capabilities.can(connection, capabilities.FETCH):
                    continue
                report = self.polling.ask(attempt, created_at)
            except BridgeError as error:
                reason = f"{attempt.connection}: {error.detail or error.code}"
                continue
            if report.score is None or not read_back.equal(report.score, shown):
                continue
            if not self.dry_run:
                event = f"{report.event} after {attempt.changed_at}"
                self.polling.record(attempt.connection, attempt, replace(report, event=event))
            return True, ""
        return False, reason

    def _keep(self, cell: Cell, shown: Score) -> None:
        """Record what is shown as the result of the attempt that explains it, if there is one.

        Attempts without a score come first: it was lost with the database's last days.
        """
        if self.dry_run:
            return
        attempts = self._attempts(cell)
        for one in sorted(attempts, key=lambda one: (one.score is None, one.number), reverse=True):
            found = self.store.dated_attempt(one.attempt_id)
            if found is None or not self._explains(cell, one, found[0], shown):
                continue
            attempt = found[0]
            event = f"{GRADEBOOK} {shown.given}/{shown.maximum} after {attempt.changed_at}"
            incoming = Incoming(GRADEBOOK, event, "graded", shown)
            self.results.record(None, attempt.id, attempt.connection, incoming, self.clock())
            return

    def _explains(self, cell: Cell, one: OfCell, attempt: Attempt, shown: Score) -> bool:
        """Whether the cell's grade would be what is shown, if this attempt had that score."""
        with self.store.transaction() as tx:
            kept = tx.cell(cell.link_id, cell.learner_id)
        others = [it for it in kept.attempts if it.attempt_id != one.attempt_id]
        scored = replace(one, score=shown, scored_at=one.scored_at or self.clock())
        grade = states.grade(replace(kept, attempts=(*others, scored)), attempt.grade_policy)
        return grade is not None and read_back.equal(grade, shown)

    def _goes_back(self, cell: Cell, shown: Score) -> bool:
        """Whether what is wanted is less than what is shown, where not the newest counts."""
        wanted, attempts = cell.delivery.score, self._attempts(cell)
        found = self.store.dated_attempt(attempts[-1].attempt_id) if attempts else None
        if found is not None and found[0].grade_policy == "last":
            return False
        return wanted is None or wanted.ratio() < shown.ratio()

    def _attempts(self, cell: Cell) -> list[OfCell]:
        with self.store.transaction() as tx:
            return list(tx.cell(cell.link_id, cell.learner_id).attempts)

    def _adopt(self, cell: Cell, shown: str, *, send: bool) -> None:
        if not self.dry_run:
            self.store.adopt(cell, shown, self.clock(), send=send and (cell.newer or cell.waits))
