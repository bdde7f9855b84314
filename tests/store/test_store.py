"""The store's promises on both databases: once, one, exact, in order, all or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from lti_bridge.core.grade.deliveries import LEASE_S, Passback
from lti_bridge.core.grade.gradebook import Outcome, Receipt
from lti_bridge.core.grade.results import Results
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.message import Context, GradeTarget, Launch, Once, Person, ResourceLink
from lti_bridge.core.records import Attempt, AttemptState, Delivery, Incoming, Shown
from lti_bridge.errors import OutcomeRefused, SignatureRefused
from lti_bridge.store.engine import Database, reachable
from lti_bridge.store.purge import Keep, Purge
from lti_bridge.store.store import Store
from lti_bridge.store.transaction import Steps
from tests import claims

NOW = datetime(2026, 3, 29, 0, 59, 59, 999_000, tzinfo=UTC)
ONE = Decimal(1)
DELIVERED = Outcome("delivered")


class Clock:
    """A clock that moves only when told, in either direction."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Desk:
    """A store with learners in it."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.database = Database(url)
        self.database.migrate()
        self.store = Store(self.database, self.clock)
        self.results = Results(self.store, self.new_id, lambda: None)
        self._ids = iter(range(1, 100_000))

    def new_id(self) -> str:
        return f"id-{next(self._ids)}"

    def attempt(self, user: str = "ann", link: str = "link-1") -> Attempt:
        """A new attempt of a user, whose earlier one was scored."""
        launch = self.launch(user, link)
        with self.store.transaction() as tx:
            found = tx.save_link(launch, "excel", self.new_id())
            learner = tx.learner("campus", user, self.new_id(), self.clock())
            number = tx.last_attempt(found.id, learner)[0] + 1
            fresh = Attempt(
                self.new_id(), found.id, learner, number, "excel", "tosa", "last", "created"
            )
            made = tx.create_attempt(fresh, self.clock())
            tx.save_target(self.new_id(), launch, found.id, learner)
        return made

    def launch(self, user: str, link: str = "link-1") -> Launch:
        return Launch(
            "campus",
            "1.3",
            Once("x", self.new_id(), NOW),
            self.clock(),
            deployment_id="7",
            person=Person(id=user),
            context=Context(id="course"),
            resource_link=ResourceLink(id=link),
            grade_target=GradeTarget("https://o", "s", "https://i?a=1", "https://is", ("a", "b")),
        )

    def score(self, attempt: Attempt, given: str | None, maximum: str = "1") -> None:
        """Record a result of this attempt, or take it back."""
        score = None if given is None else Score(Decimal(given), Decimal(maximum))
        state: AttemptState | None = "graded" if score else None
        incoming = Incoming("test", self.new_id(), state, score, {})
        self.results.record(None, attempt.id, "tosa", incoming, self.clock())

    def claim(self, limit: int = 10) -> list[Delivery]:
        return claims.deliveries(self.store, self.clock(), 10, limit)

    def settle(self, delivery: Delivery, outcome: Outcome = DELIVERED) -> None:
        self.store.settle(delivery, self.clock(), outcome)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(text(sql))]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A migrated store."""
    made = Desk(database_url)
    yield made
    made.database.close()


def at_once(number: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act` returns in many threads that start together."""
    start = threading.Barrier(number)

    def run(index: int) -> Any:
        start.wait()
        return act(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    databases = [Database(empty_database_url) for _ in range(4)]
    assert not reachable(databases[0])
    at_once(4, lambda index: databases[index].migrate())
    assert all(reachable(database) for database in databases)
    for database in databases:
        database.close()


def test_all_or_nothing(desk: Desk) -> None:
    def half(tx: Steps) -> None:
        tx.use_once(Once("a", "1", NOW))
        tx.learner("campus", "ann", "l-1", NOW)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError), desk.store.transaction() as tx:
        half(tx)
    assert desk.rows("SELECT 1 FROM used_once UNION ALL SELECT 1 FROM learners") == []
    with desk.store.transaction() as tx:
        assert tx.use_once(Once("a", "1", NOW))


def test_a_part_of_a_transaction_may_fail_alone(desk: Desk) -> None:
    with desk.store.transaction() as tx:
        assert tx.use_once(Once("a", "first", NOW))
        with suppress(LookupError), tx.part():
            tx.use_once(Once("a", "second", NOW))
            raise LookupError
        with tx.part():
            tx.use_once(Once("a", "third", NOW))
    kept = desk.rows("SELECT value FROM used_once ORDER BY value")
    assert [row["value"] for row in kept] == ["first", "third"]


def test_a_value_is_used_once(desk: Desk) -> None:
    def use(_: int) -> bool:
        with desk.store.transaction() as tx:
            return tx.use_once(Once("nonce", "n", NOW))

    assert sorted(at_once(8, use)) == [False] * 7 + [True]
    with desk.store.transaction() as tx:
        assert tx.use_once(Once("other", "n", NOW))
        assert tx.use_once(Once("nonce", "N", NOW))


def test_one_learner_and_one_open_attempt_whatever_the_hurry(desk: Desk) -> None:
    made = at_once(8, lambda _: desk.attempt())
    assert len({attempt.learner_id for attempt in made}) == 1
    assert len({attempt.id for attempt in made}) == 1
    assert len(desk.rows("SELECT id FROM attempts")) == 1
    assert len(desk.rows("SELECT id FROM grades")) == 1
    assert desk.attempt("ben").learner_id != made[0].learner_id


def test_a_replayed_or_foreign_result_changes_nothing(desk: Desk) -> None:
    attempt = desk.attempt()
    once = Once("outcome:key", "nonce-1", NOW)
    incoming = Incoming("outcome", "nonce-1", "graded", Score(Decimal("0.5"), ONE))
    desk.results.record(once, attempt.id, "tosa", incoming, desk.clock())
    before = desk.rows("SELECT * FROM attempts, grades")
    with pytest.raises(SignatureRefused):
        desk.results.record(once, attempt.id, "tosa", incoming, desk.clock())
    for wrong in ((attempt.id, "mettl"), ("id-0", "tosa")):
        fresh = Once("outcome:key", "nonce-2", NOW)
        with pytest.raises(OutcomeRefused, match="not known"):
            desk.results.record(fresh, *wrong, incoming, desk.clock())
        with pytest.raises(OutcomeRefused, match="not known"):
            desk.results.read(fresh, *wrong)
    assert desk.rows("SELECT * FROM attempts, grades") == before
    assert [row["value"] for row in desk.rows("SELECT value FROM used_once")] == ["nonce-1"]


def test_one_event_is_one_result(desk: Desk) -> None:
    attempt = desk.attempt()
    incoming = Incoming("hook", "event-1", "graded", Score(Decimal("0.5"), ONE))

    def tell(_: int) -> None:
        desk.results.record(None, attempt.id, "tosa", incoming, desk.clock())

    at_once(6, tell)
    assert len(desk.rows("SELECT id FROM results")) == 1
    assert desk.rows("SELECT version FROM grades") == [{"version": 1}]


@pytest.mark.parametrize("given", ["0", "0.333333333333", "12.3456789012345678901234567", "1e-9"])
def test_scores_come_back_exactly(desk: Desk, given: str) -> None:
    desk.score(desk.attempt(), given, "77.7")
    (delivery,) = desk.claim()
    assert delivery.score == Score(Decimal(given), Decimal("77.7"))
    assert delivery.target == desk.launch("ann").grade_target
    assert (delivery.registration, delivery.deployment_id) == ("campus", "7")
    assert (delivery.user_id, delivery.tries) == ("ann", 0)


def test_only_news_is_delivered(desk: Desk) -> None:
    attempt = desk.attempt()
    desk.score(attempt, None)
    assert desk.claim() == []  # nothing was there to be cleared
    desk.score(attempt, "0.50", "1.0")
    (delivery,) = desk.claim()
    desk.settle(delivery)
    for given, maximum in (("0.5", "1"), (".500", "1.00"), ("5e-1", "1")):
        desk.score(attempt, given, maximum)
        assert desk.claim() == []
    desk.score(attempt, "5", "10")
    assert [one.version for one in desk.claim()] == [2]
    desk.score(attempt, None)
    desk.score(attempt, None)
    assert desk.rows("SELECT version, given FROM grades") == [{"version": 3, "given": None}]


def test_a_claimed_grade_is_left_alone_until_its_lease_ends(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    (first,) = desk.claim()
    assert desk.claim() == []
    desk.clock.move(9)
    desk.store.renew_leases([first], desk.clock(), 10)
    desk.clock.move(9)
    assert desk.claim() == []
    assert claims.first(desk.store.deliveries_due()) == desk.clock() + timedelta(seconds=1)
    desk.clock.move(1)
    (second,) = desk.claim()
    assert (second.stamp, second.version, second.tries) == (first.stamp, 1, 0)
    desk.settle(first)  # too late: it is another worker's now
    desk.store.renew_leases([first], desk.clock(), 1000)
    assert desk.rows("SELECT delivery, lease FROM grades") == [
        {"delivery": "pending", "lease": second.lease}
    ]
    desk.settle(second)
    assert desk.store.delivery_counts() == {"delivered": 1}
    assert claims.first(desk.store.deliveries_due()) is None


class SlowGradebook:
    """Takes each grade when told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.taken: list[Delivery] = []

    def deliver(self, delivery: Delivery) -> Receipt:
        """Wait, then take the grade."""
        self.go.wait(100)
        self.taken.append(delivery)
        return Receipt()

    def readable(self, delivery: Delivery) -> bool:
        """It shows nothing."""
        return False

    def read(self, delivery: Delivery) -> Shown:
        """Nothing."""
        return Shown(None)


def test_a_worker_keeps_what_it_is_still_delivering(desk: Desk) -> None:
    slow = SlowGradebook()
    passback = Passback(desk.store, slow, desk.clock, lambda: 0.5)
    desk.score(desk.attempt(), "0.5")

    def next_due() -> datetime | None:
        return claims.first(desk.store.deliveries_due())

    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(1) as worker:
        delivering = worker.submit(passback.deliver_due, pool)
        for _ in range(4):
            due = until(next_due, lambda due: due is not None and due > desk.clock())
            desk.clock.move(LEASE_S * 0.6)
            until(next_due, lambda now_due, due=due: now_due > due)
            assert desk.claim() == []
        slow.go.set()
        assert delivering.result(timeout=60) == 1
    assert len(slow.taken) == 1
    assert desk.store.delivery_counts() == {"delivered": 1}


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What `look` sees once it is as wanted."""
    deadline = time.monotonic() + 60
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)
    return seen


def test_no_grade_is_claimed_twice(desk: Desk) -> None:
    for number in range(30):
        desk.score(desk.attempt(f"user-{number}"), "0.5")
    claimed = [one.grade_id for part in at_once(6, lambda _: desk.claim(10)) for one in part]
    claimed += [one.grade_id for one in desk.claim(100)]
    assert len(claimed) == len(set(claimed)) == 30


def test_the_oldest_comes_first(desk: Desk) -> None:
    users = ["c", "a", "b"]
    for user in users:
        desk.score(desk.attempt(user), "0.5")
        desk.clock.move(1)
    assert [desk.claim(1)[0].user_id for _ in users] == users


def test_a_grade_that_changed_on_its_way_is_due_at_once(desk: Desk) -> None:
    attempt = desk.attempt()
    desk.score(attempt, "0.5")
    (old,) = desk.claim()
    desk.score(attempt, "0.7")
    assert desk.claim() == []  # never two of one cell at a time
    desk.settle(old, Outcome("refused", error="HTTP 404"))
    assert desk.store.delivery_counts() == {"pending": 1}
    (new,) = desk.claim()
    assert (new.version, new.tries, new.score) == (2, 0, Score(Decimal("0.7"), ONE))
    desk.settle(new)
    assert desk.rows("SELECT delivered_version, last_error FROM grades") == [
        {"delivered_version": 2, "last_error": ""}
    ]


def taken_over(desk: Desk) -> tuple[Delivery, Delivery]:
    """A grade that a worker claimed and slept over, and the newer one that another has now."""
    attempt = desk.attempt()
    desk.score(attempt, "0.5")
    (late,) = desk.claim()
    desk.clock.move(11)
    desk.score(attempt, "0.7")
    (new,) = desk.claim()
    return late, new


def overtaken(desk: Desk) -> tuple[Delivery, Delivery]:
    """The same two, once the newer one is delivered."""
    late, new = taken_over(desk)
    desk.settle(new)
    return late, new


@pytest.mark.parametrize("outcome", [DELIVERED, Outcome("pending", NOW, "no answer in time")])
def test_what_a_worker_sends_after_its_lease_is_sent_over(desk: Desk, outcome: Outcome) -> None:
    late, new = overtaken(desk)
    desk.settle(late, outcome)
    (again,) = desk.claim()
    assert (again.score, again.tries) == (new.score, 0)
    assert again.version > new.version
    assert again.stamp > new.stamp > late.stamp
    assert set(again.told) == {"0.5/1", "0.7/1"}  # neither is a teacher's
    desk.settle(again)
    assert desk.store.delivery_counts() == {"delivered": 1}
    assert desk.claim() == []


def test_while_another_worker_has_it_what_was_sent_late_waits_for_its_end(desk: Desk) -> None:
    late, new = taken_over(desk)
    desk.settle(late)
    assert desk.claim() == []
    desk.settle(new)
    (again,) = desk.claim()
    assert again.score == new.score
    assert again.stamp > new.stamp


@pytest.mark.parametrize(
    "outcome",
    [Outcome("refused", error="HTTP 404"), Outcome("pending", NOW, "held", count_try=False)],
)
def test_what_a_late_worker_did_not_bring_changes_nothing(desk: Desk, outcome: Outcome) -> None:
    late, _ = overtaken(desk)
    before = desk.rows("SELECT * FROM grades")
    desk.settle(late, outcome)
    assert desk.rows("SELECT * FROM grades") == before


def test_the_same_version_sent_by_two_is_sent_no_third_time(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    (late,) = desk.claim()
    desk.clock.move(11)
    (same,) = desk.claim()
    desk.settle(same)
    before = desk.rows("SELECT * FROM grades")
    desk.settle(late)
    assert desk.rows("SELECT * FROM grades") == before


def test_a_refusal_is_remembered_and_ends_with_the_next_grade(desk: Desk) -> None:
    attempt = desk.attempt()
    desk.score(attempt, "0.5")
    desk.settle(desk.claim()[0], Outcome("refused", error="no such user" * 100))
    (row,) = desk.rows("SELECT delivery, due_at, last_error, tries FROM grades")
    assert (row["delivery"], row["due_at"], row["tries"]) == ("refused", None, 1)
    assert row["last_error"].startswith("no such user")
    desk.clock.move(1e6)
    assert desk.claim() == []
    desk.score(attempt, "0.6")
    assert [one.tries for one in desk.claim()] == [0]


@pytest.mark.spec("T13AG-06", "T13AG-12")
def test_stamps_rise_by_a_second_even_when_the_clock_goes_back(desk: Desk) -> None:
    attempt = desk.attempt()
    stamps: list[datetime] = []
    for number, step in enumerate((0, 0.001, 0.5, -3600, 7200, 0, -0.5, 1.0), start=1):
        desk.clock.move(step)
        desk.score(attempt, f"0.{number}")
        (delivery,) = desk.claim()
        desk.settle(delivery, Outcome("pending", desk.clock(), "HTTP 503"))
        (again,) = desk.claim()
        assert again.stamp == delivery.stamp  # a retry is the same score
        desk.settle(again)
        stamps.append(delivery.stamp)
    seconds = [int(stamp.timestamp()) for stamp in stamps]
    assert all(earlier < later for earlier, later in pairwise(seconds))


@pytest.mark.spec("T13AG-06")
def test_a_stamp_moves_ahead_once_and_stays_there(desk: Desk) -> None:
    attempt = desk.attempt()
    desk.score(attempt, "0.5")
    (first,) = desk.claim()
    assert not first.later_stamp
    desk.settle(first, Outcome("pending", desk.clock(), "HTTP 409", later_stamp=True))
    (second,) = desk.claim()
    assert (second.later_stamp, second.tries) == (True, 1)
    assert second.stamp - first.stamp == timedelta(seconds=60)
    desk.settle(second, Outcome("pending", desk.clock(), "HTTP 503"))
    assert desk.claim()[0].stamp == second.stamp
    desk.score(attempt, "0.6")
    desk.clock.move(10)
    (newer,) = desk.claim()
    assert not newer.later_stamp
    assert newer.stamp > second.stamp


def test_the_second_of_two_sees_what_the_first_left(desk: Desk) -> None:
    attempt = desk.attempt()
    graded = Incoming("test", "event-1", "graded", Score(Decimal("0.5"), ONE), {})
    with ThreadPoolExecutor(1) as pool:
        with desk.store.transaction() as tx:
            locked = tx.lock_attempt(attempt.id, "tosa")
            assert locked is not None
            waiting = pool.submit(desk.score, attempt, None)  # takes the grade back
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            desk.results.keep(tx, locked, graded, NOW)
        waiting.result(timeout=60)
    assert desk.rows("SELECT state, given FROM attempts") == [
        {"state": "invalidated", "given": None}
    ]
    assert [(one.version, one.score) for one in desk.claim()] == [(2, None)]


def test_what_is_said_late_opens_no_attempt_beside_the_next_one(desk: Desk) -> None:
    first = desk.attempt()
    desk.score(first, "0.5")
    second = desk.attempt()
    late = Incoming("test", desk.new_id(), "finished", None, {})
    desk.results.record(None, first.id, "tosa", late, desk.clock())
    open_ones = [row["id"] for row in desk.rows("SELECT id FROM attempts WHERE is_open = 1")]
    assert open_ones == [second.id]


def test_a_launch_and_a_grade_at_once_do_not_block_each_other(desk: Desk) -> None:
    attempt = desk.attempt()
    with ThreadPoolExecutor(1) as pool:
        with desk.store.transaction() as tx:
            tx.close_attempt(attempt, NOW)
            waiting = pool.submit(desk.score, attempt, "0.5")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            launch = desk.launch("ann")
            tx.save_target("unused", launch, attempt.link_id, attempt.learner_id)
            tx.save_launch("launch", launch, attempt.link_id, attempt.learner_id, attempt.id)
        waiting.result(timeout=60)
    assert [one.score for one in desk.claim()] == [Score(Decimal("0.5"), ONE)]


def test_the_newest_target_counts(desk: Desk) -> None:
    attempt = desk.attempt()
    moved = GradeTarget("https://o/2", "s2", "", "", ())
    launch = replace(desk.launch("ann"), grade_target=moved)
    with desk.store.transaction() as tx:
        tx.save_target("unused", launch, attempt.link_id, attempt.learner_id)
    desk.score(attempt, "0.5")
    assert [one.target for one in desk.claim()] == [moved]


@pytest.mark.spec("SECP-56")
def test_only_what_has_expired_is_forgotten(desk: Desk) -> None:
    attempt = desk.attempt()
    with desk.store.transaction() as tx:
        for name, seconds in (("old", -1), ("new", 1)):
            tx.use_once(Once("n", name, NOW + timedelta(seconds=seconds)))
        for name, days in (("old", 181), ("new", 179)):
            launch = replace(desk.launch("ann"), received_at=NOW - timedelta(days=days))
            tx.save_launch(name, launch, attempt.link_id, attempt.learner_id, attempt.id)
    desk.store.hold_launch("old", "{}", NOW - timedelta(seconds=1))
    desk.store.hold_launch("new", "{}", NOW + timedelta(seconds=1))
    assert desk.store.held_launch("old") is None
    assert desk.store.held_launch("new") == "{}"
    purge = Purge(desk.database, Keep(launches=180, history=0, answers=0))
    assert sum(purge.counts(NOW).values()) == 3
    assert sum(step.rows for step in purge.steps(NOW)) == 3
    assert desk.rows("SELECT value FROM used_once") == [{"value": "new"}]
    assert desk.rows("SELECT id FROM launches") == [{"id": "new"}]
    assert desk.rows("SELECT token FROM held_launches") == [{"token": "new"}]
    assert len(desk.rows("SELECT id FROM attempts")) == 1
