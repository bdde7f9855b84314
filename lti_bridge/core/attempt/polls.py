"""Asking providers how attempts went: hints and the clock decide when, the provider what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Connection, Report, Sitting
from lti_bridge.core.attempt.states import SILENT_AFTER, is_news, on_look
from lti_bridge.core.attempt.subject import other_name
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.grade.results import Results
from lti_bridge.core.journal.facts import of_attempt, of_incoming
from lti_bridge.core.journal.hop import Hop
from lti_bridge.core.journal.journal import NO_JOURNAL, Journal
from lti_bridge.core.lanes import Lanes
from lti_bridge.core.observer import NOBODY, Observer
from lti_bridge.core.rates import Rates
from lti_bridge.core.records import Attempt, Incoming, Poll
from lti_bridge.core.store import Store
from lti_bridge.errors import BridgeError, NotConfigured, OtherPerson

log = logging.getLogger("lti_bridge.polling")

# Seconds between two questions about one attempt; the last one repeats.
INTERVALS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
LEASE_S = 90.0
ROOM, MOST = 8, 32  # questions at the same time: to one connection, and to all
AWAY = timedelta(seconds=30)  # until a question is asked again that found its provider away
SEVERAL = 3  # such attempts, and never a grade: the activity is to be looked at
LOOK_AGAIN_AFTER = timedelta(days=1)  # at the silence of a provider that cannot be asked


def first_poll(connection: Connection) -> timedelta | None:
    """How long after its start an attempt is first looked at; None: never.

    Who cannot be asked but calls back is only watched for silence.
    """
    if capabilities.can(connection, capabilities.FETCH):
        return timedelta(seconds=INTERVALS_S[0])
    return SILENT_AFTER if capabilities.can(connection, capabilities.CALLBACK) else None


@dataclass(frozen=True, slots=True)
class Polling:
    """Asks providers. `pairwise` gives a learner's id towards a connection.

    `spread` returns a number in 0..1 for the jitter of pauses.
    """

    store: Store
    catalogue: Catalogue
    results: Results
    clock: Callable[[], datetime]
    pairwise: Callable[[str, str], str]
    settings: Callable[[Attempt], Any]
    spread: Callable[[], float]
    observer: Observer = NOBODY
    rates: Rates = field(default_factory=Rates)
    journal: Journal = NO_JOURNAL
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        who = (self.clock, self.spread, "connection")
        made = Lanes(*who, room=ROOM, most=MOST, rates=self.rates)
        object.__setattr__(self, "lanes", made)

    def poll_due(self, pool: ThreadPoolExecutor) -> int:
        """Ask about every attempt that is due now; returns how many were asked about."""
        return self.lanes.run(
            pool,
            self.store.polls_due,
            lambda name, limit: self.store.claim_polls(name, self.clock(), LEASE_S, limit),
            self.poll,
        )

    def next_due(self) -> datetime | None:
        """When a provider is to be asked next; None: never."""
        return self.lanes.next_time(self.store.polls_due())

    def poll(self, poll: Poll) -> None:
        """Ask about one attempt and record the answer; raises nothing.

        Only a question that failed, or whose answer was news, is in the journal.
        """
        with self.journal.hop("poll", **of_attempt(poll.attempt)) as hop:
            self._poll(poll, hop)

    def _poll(self, poll: Poll, hop: Hop) -> None:
        attempt = poll.attempt
        hop.kept = False
        try:
            asks = capabilities.can(self._connection(attempt), capabilities.FETCH)
            report = self.ask(attempt, poll.created_at) if asks else Report()
            self.lanes.answered(attempt.connection)
            # The same answer may be news again: 7 marks, corrected to 8, corrected back to 7.
            event = f"{report.event} after {attempt.changed_at}"
            hop.kept = is_news(attempt, replace(report, event=event))
            hop.said = of_incoming(report)
            self.record(attempt.connection, attempt, replace(report, event=event), fetched=True)
            if asks:
                self.observer.asked(attempt.connection, "answered")
        except BridgeError as error:
            reason = error.detail or error.code
            hop.kept = True
            hop.failed(error)
            if isinstance(error, OtherPerson):
                self.store.remark(attempt.id, self.clock(), f"an answer: {reason}")
            self.lanes.heard(attempt.connection, error)
            self.observer.asked(attempt.connection, "failed")
            log.warning("poll.failed", extra={"attempt": attempt.id, "reason": reason})
        except Exception:
            self.observer.asked(attempt.connection, "broke")
            log.exception("poll.broke", extra={"attempt": attempt.id})
        self._plan_next(poll)

    def ask(self, attempt: Attempt, created_at: datetime) -> Report:
        """What the provider says about an attempt now. Raises a ProviderError."""
        fetches = capabilities.fetches(self._connection(attempt))
        report = fetches.fetch(self.sitting(attempt, created_at))
        if told := other_name(attempt, report):
            raise OtherPerson(f"about another {told}")
        return report

    def sitting(self, attempt: Attempt, created_at: datetime) -> Sitting:
        """An attempt as its provider knows it."""
        return Sitting(
            attempt_id=attempt.id,
            learner_id=self.pairwise(attempt.connection, attempt.learner_id),
            reference=attempt.reference,
            data=attempt.data,
            settings=self.settings(attempt),
            state=attempt.state,
            started_at=created_at,
        )

    def record(
        self, connection: str, attempt: Attempt, report: Report, *, fetched: bool = False
    ) -> None:
        """Record what a provider said, if it says anything new.

        What was `fetched` is dropped when the attempt has changed since: the answer may be older
        than what another worker has recorded.
        """
        if not is_news(attempt, report):
            return
        if report.held:
            log.warning("result.held", extra={"attempt": attempt.id, "reason": report.held})
        incoming = Incoming(
            "provider", report.event, report.state, report.score, report.raw, held=report.held
        )
        unchanged = attempt.changed_at if fetched else None
        now = self.clock()
        self.results.record(None, attempt.id, connection, incoming, now, unchanged=unchanged)

    def _connection(self, attempt: Attempt) -> Connection:
        try:
            return self.catalogue.connection(attempt.connection)
        except NotConfigured as error:
            raise BridgeError(error.detail) from error

    def _plan_next(self, poll: Poll) -> None:
        attempt, now = self.store.attempt(poll.attempt.id), self.clock()
        age = now - poll.created_at
        step = on_look(attempt.state, age) if attempt else "never"
        if attempt is None or step == "never":
            self.store.poll_at(poll.attempt.id, None, poll.until)
            return
        if step == "expire":
            incoming = Incoming("clock", f"expired:{attempt.id}", "expired", None)
            self.results.record(None, attempt.id, attempt.connection, incoming, now)
            self.store.poll_at(attempt.id, None)
            return
        if age >= SILENT_AFTER and attempt.state != "held":
            log.error("attempt.silent", extra={"attempt": attempt.id, "state": attempt.state})
        self.store.poll_at(attempt.id, now + self._pause(poll), poll.until)

    def _pause(self, poll: Poll) -> timedelta:
        try:
            asks = capabilities.can(self._connection(poll.attempt), capabilities.FETCH)
        except BridgeError:
            asks = False
        if not asks:
            return LOOK_AGAIN_AFTER
        if self.lanes.is_away(poll.attempt.connection):
            return AWAY * (0.75 + 0.5 * self.spread())
        return timedelta(seconds=INTERVALS_S[min(poll.polls, len(INTERVALS_S) - 1)])
