"""Asking providers while hints and other workers' answers come in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lti_bridge.core.attempt.callbacks import Callbacks, attempt_token
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.capabilities import CALLBACK, FETCH
from lti_bridge.core.attempt.owners import Owners
from lti_bridge.core.attempt.polls import LEASE_S, Polling
from lti_bridge.core.attempt.provider import Callback, Connection, Report, Session, Sitting, Started
from lti_bridge.core.attempt.starts import Starting
from lti_bridge.core.grade.results import Results
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import MARKING, Redirect
from lti_bridge.core.launch.message import (
    Context,
    Launch,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)
from lti_bridge.core.observer import Nobody
from lti_bridge.core.records import Attempt, Bought, Poll, Purchase
from lti_bridge.errors import BridgeError
from lti_bridge.store.engine import Database
from lti_bridge.store.purchases import bought_on
from lti_bridge.store.store import Store
from tests import claims

KEY = b"k" * 16
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SEVEN = Report("a1", state="graded", score=Score(Decimal(7), Decimal(10)), event="seven")
EIGHT = Report("a1", state="graded", score=Score(Decimal(8), Decimal(10)), event="eight")
WAITING = Report("a1", state="awaiting-marks", event="waiting")


@dataclass
class Provider:
    """Answers with `told`; `meanwhile` happens between the question and the answer."""

    told: Report = WAITING
    meanwhile: Callable[[], Any] = lambda: None
    handoff: Any = MARKING

    def fetch(self, sitting: Sitting) -> Report:
        told, meanwhile = self.told, self.meanwhile
        self.meanwhile = lambda: None
        meanwhile()
        return told

    def read_callback(self, callback: Callback) -> list[Report]:
        return [self.told]

    def start(self, session: Any) -> Started:
        return Started(self.handoff)

    def resume(self, session: Any) -> Any:
        return self.handoff


@dataclass
class Bench:
    """One started attempt in a real store, and a clock."""

    store: Store
    provider: Provider = field(default_factory=Provider)
    now: datetime = NOW
    woken: int = 0

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=5)
        return self.now

    def wake(self) -> None:
        self.woken += 1

    def connection(self, name: str) -> Connection:
        able = frozenset({"remote", FETCH, CALLBACK})
        return Connection(name, "kind", self.provider, capabilities=able)

    @property
    def polling(self) -> Polling:
        results = Results(self.store, lambda: f"r{self.clock().timestamp()}", lambda: None)
        return Polling(
            store=self.store,
            catalogue=self,
            results=results,
            clock=self.clock,
            pairwise=lambda *names: "p",
            settings=lambda attempt: None,
            spread=lambda: 0.5,
        )

    def claim(self) -> Poll:
        (poll,) = claims.polls(self.store, self.clock(), LEASE_S, 16)
        return poll

    def tell(self, told: Report) -> None:
        """The provider is asked because of a hint, and says this."""
        self.provider.told = told
        self.store.poll_at("a1", self.now)
        self.polling.poll(self.claim())

    @property
    def attempt(self) -> Attempt:
        attempt = self.store.attempt("a1")
        assert attempt is not None
        return attempt


@pytest.fixture
def bench(database_url: str) -> Bench:
    database = Database(database_url)
    database.migrate()
    made = Bench(Store(database, lambda: NOW))
    launch = Launch("lms", "1.1", Once("s", "v", NOW), NOW, person=Person("ann"))
    with made.store.transaction() as tx:
        learner = tx.learner("lms", "ann", "l1", NOW)
        link = tx.save_link(launch, "activity", "link1")
        tx.create_attempt(
            Attempt("a1", link.id, learner, 1, "activity", "c", "last", "created"), NOW
        )
        tx.save_target("g1", launch, link.id, learner)
    with made.store.transaction() as tx:
        tx.claim_start("a1", NOW, None)
    return made


@pytest.fixture
def started(bench: Bench) -> Bench:
    bench.store.confirm_start("a1", Started(MARKING), NOW, NOW)
    return bench


@pytest.mark.parametrize(
    ("named", "counts"),
    [
        ({"reference": "r2"}, False),
        ({"candidate_id": "another"}, False),
        ({"email": "bob@example.edu"}, False),
        ({"email": ""}, False),  # what had to be named and was not
        ({"reference": "R1"}, False),
        ({"reference": "r1", "candidate_id": "me", "email": " ANN@example.edu"}, True),
        ({"unheard-of": "x"}, True),
    ],
)
def test_an_answer_about_somebody_else_counts_for_nobody(
    bench: Bench, named: dict[str, str], counts: bool
) -> None:
    data = {"candidate_id": "me", "email": "ann@example.edu"}
    bench.store.confirm_start("a1", Started(MARKING, "r1", data), NOW, NOW)
    for _ in range(2):
        bench.tell(replace(SEVEN, named=named))
    assert bench.attempt.score == (SEVEN.score if counts else None)
    seen = [one for one in bench.store.attempt_changes("a1") if one["source"] == "refused"]
    assert len(seen) == (0 if counts else 1)


def test_a_hint_during_a_question_is_another_question(started: Bench) -> None:
    poll = started.claim()
    started.provider.meanwhile = lambda: started.store.poll_at("a1", started.clock())
    started.polling.poll(poll)
    assert started.attempt.state == "awaiting-marks"
    started.provider.told = SEVEN
    started.polling.poll(started.claim())  # due at once, not in some minutes
    assert started.attempt.score == SEVEN.score
    assert claims.first(started.store.polls_due()) is None


def test_without_a_hint_the_next_question_is_later(started: Bench) -> None:
    started.polling.poll(started.claim())
    later = claims.first(started.store.polls_due())
    assert later is not None
    assert later == started.now + timedelta(seconds=60)


def test_an_older_answer_does_not_replace_a_newer_one(started: Bench) -> None:
    """This worker asked before the marks were there; another one asked later and was faster."""
    poll = started.claim()
    started.provider.meanwhile = lambda: started.tell(SEVEN)
    started.polling.poll(poll)
    assert (started.attempt.state, started.attempt.score) == ("graded", SEVEN.score)


def test_marks_that_are_corrected_back_count_again(started: Bench) -> None:
    for told in (SEVEN, EIGHT, SEVEN, SEVEN):
        started.tell(told)
        assert started.attempt.score == told.score


@pytest.mark.parametrize("word", ["finished", "awaiting-marks"])
def test_word_of_marks_to_come_releases_no_verdict(started: Bench, word: str) -> None:
    started.tell(replace(SEVEN, held="stopped"))
    assert (started.attempt.state, started.attempt.held) == ("held", "stopped")
    started.tell(Report("a1", state=word, event=word))
    assert (started.attempt.state, started.attempt.held) == ("held", "stopped")
    started.tell(EIGHT)
    assert (started.attempt.state, started.attempt.score) == ("graded", EIGHT.score)


@pytest.mark.parametrize(
    "report",
    [
        Report(attempt_id="a1", hint=True),
        Report(attempt_id="a1", hint=True, named={"reference": "another"}),
        SEVEN,
    ],
)
@pytest.mark.parametrize(("name", "reached"), [("another", False), ("c", True)])
def test_a_hook_reaches_attempts_of_its_own_connection_only(
    started: Bench, report: Report, name: str, reached: bool
) -> None:
    """Whatever a kind reads in it: the kind is not asked whose attempt it is."""
    started.provider.told = report
    token = attempt_token(KEY, name, "a1")
    before = (
        claims.first(started.store.polls_due()),
        started.attempt,
        started.store.attempt_changes("a1"),
    )
    callbacks = Callbacks(started.store, started, started.polling, KEY, started.clock, started.wake)
    callbacks.receive(name, token, Callback("POST", {}, {}, {}, b""))
    after = (
        claims.first(started.store.polls_due()),
        started.attempt,
        started.store.attempt_changes("a1"),
    )
    assert (after != before) == reached


def click(bench: Bench) -> Any:
    """The learner opens the course link again."""
    session = Session(
        *("a1", 1, "p", Person(), (), Context(), ResourceLink(), Platform(), Presentation()),
        settings=None,
        custom={},
        return_url="",
    )
    owners = Owners(bench.store, b"k" * 16, bench.clock)
    starting = Starting(bench.store, owners, bench.clock, bench.wake, Calls(lambda: 0.0, 60))
    return starting.hand_off(bench.connection("c"), bench.attempt, session, "a1")


def test_a_test_that_is_over_is_asked_about_at_once(started: Bench) -> None:
    started.store.poll_at("a1", NOW + timedelta(hours=4))
    started.provider.handoff = Redirect("https://test.example.org")
    assert click(started) == started.provider.handoff
    assert claims.polls(started.store, started.now, LEASE_S, 16) == []
    started.provider.handoff = MARKING
    assert click(started) is MARKING
    assert started.woken == 1
    assert started.claim().attempt.id == "a1"


def test_an_answer_that_comes_after_the_attempt_was_settled_changes_nothing(
    started: Bench,
) -> None:
    started.tell(SEVEN)
    with started.store.transaction() as tx:
        tx.buy(Purchase("a1", "c", "lms", "1", "course", NOW, 0))
    before = started.store.attempt_changes("a1")
    started.store.release_start("a1", started.clock(), "refused after all")
    started.store.confirm_start("a1", Started(MARKING, "r9"), NOW, NOW)
    assert started.attempt.state == "graded"
    assert started.store.attempt_changes("a1") == before
    assert bought_on(started.store.database, "2026-01-05") == [Bought("c", "lms", "2026-01-05", 1)]


@pytest.mark.parametrize(
    ("handoff", "wait_s"), [(MARKING, 0), (Redirect("https://test.example.org"), 60)]
)
def test_how_soon_a_start_is_asked_about(bench: Bench, handoff: Any, wait_s: int) -> None:
    bench.store.release_start("a1", bench.clock(), "")
    bench.provider.handoff = handoff
    assert click(bench) is handoff
    due = claims.first(bench.store.polls_due())
    assert due is not None
    assert abs((due - bench.now).total_seconds() - wait_s) < 1
    assert bench.woken == (wait_s == 0)


class Observed(Nobody):
    """What an observer hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def asked(self, connection: str, outcome: str) -> None:
        self.heard.append((connection, outcome))


def fail(error: Exception) -> None:
    raise error


def test_an_observer_hears_how_each_question_ended(started: Bench) -> None:
    observed = Observed()
    polling = replace(started.polling, observer=observed)
    for error in (None, BridgeError("down"), ValueError("a mistake of ours")):
        started.store.poll_at("a1", started.now)
        if error is not None:
            started.provider.meanwhile = lambda error=error: fail(error)
        polling.poll(started.claim())
    assert [outcome for _, outcome in observed.heard] == ["answered", "failed", "broke"]
    assert {connection for connection, _ in observed.heard} == {started.attempt.connection}
