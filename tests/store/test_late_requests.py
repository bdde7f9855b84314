"""Requests whose end nobody knows: an LMS that carries one out late takes no newer grade away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

from lti_bridge.core.grade.deliveries import LEASE_S, Passback, _Leases
from lti_bridge.core.grade.gradebook import Outcome, Receipt, View
from lti_bridge.core.grade.read_back import late_one
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.grade.states import LATE_FOR
from lti_bridge.core.records import Delivery, Shown
from tests import claims
from tests.store.test_store import Desk, desk

__all__ = ["desk"]
LOST = Outcome("pending", error="no answer in time", unanswered=True)


def read(desk: Desk) -> Outcome:
    """Delivered where the LMS can be looked at."""
    return Outcome("delivered", read_at=desk.clock())


def lost(desk: Desk, score: str = "0.5") -> Delivery:
    """A grade whose request had no answer, and then the newer one on its way."""
    attempt = desk.attempt()
    desk.score(attempt, score)
    (first,) = desk.claim()
    desk.settle(first, LOST)
    desk.score(attempt, "0.7")
    (newer,) = desk.claim()
    return newer


def shows(text: str) -> Shown:
    return Shown(Score(Decimal(text), Decimal(1)))


def test_where_nobody_can_look_the_newer_one_is_sent_once_more(desk: Desk) -> None:
    newer = lost(desk)
    assert newer.unanswered == newer.overdue == ("0.5/1",)
    desk.settle(newer)
    assert desk.claim() == []
    desk.clock.move(LATE_FOR.total_seconds() + 1)
    (again,) = desk.claim()
    assert again.score == newer.score
    assert again.stamp > newer.stamp
    desk.settle(again)
    desk.clock.move(86_400)
    assert desk.claim() == []
    assert desk.store.delivery_counts() == {"delivered": 1}


def test_a_worker_that_died_over_its_lease_may_have_sent_it(desk: Desk) -> None:
    attempt = desk.attempt()
    desk.score(attempt, "0.5")
    desk.claim()  # and never a word again
    desk.clock.move(11)
    desk.score(attempt, "0.7")
    (newer,) = desk.claim()
    assert newer.overdue == ("0.5/1",)
    desk.settle(newer)
    desk.clock.move(LATE_FOR.total_seconds() + 1)
    assert [one.score for one in desk.claim()] == [newer.score]


def test_the_same_value_late_is_no_harm(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    (first,) = desk.claim()
    desk.settle(first, LOST)
    desk.clock.move(1)
    with desk.database.writing() as connection:
        connection.exec_driver_sql("UPDATE grades SET due_at = 0")
    (second,) = desk.claim()
    assert second.overdue == ()
    desk.settle(second)
    desk.clock.move(86_400)
    assert desk.claim() == []


def test_an_older_one_that_stands_there_is_sent_over_as_often_as_it_can_come(desk: Desk) -> None:
    newer = lost(desk)
    desk.settle(newer, read(desk))
    assert desk.store.delivery_counts() == {"delivered": 1}
    (look,) = claims.reads(desk.store, desk.clock(), 60, 9)
    assert late_one(look, shows("0.5")) == "0.5/1"
    assert late_one(look, shows("0.7")) == ""
    assert late_one(look, shows("0.9")) == ""  # a teacher's
    desk.store.note_shown(look, desk.clock(), View("0.5/1", False, None, late="0.5/1"))
    (again,) = desk.claim()
    assert again.score == newer.score
    assert again.unanswered == ()  # that one has come: the next 0.5 would be a teacher's
    assert again.stamp > newer.stamp


def test_a_look_that_finds_the_newer_one_in_the_end_expects_nothing_more(desk: Desk) -> None:
    desk.settle(lost(desk), read(desk))
    (look,) = claims.reads(desk.store, desk.clock(), 60, 9)
    desk.store.note_shown(look, desk.clock(), View("0.7/1", False, None, answered=True))
    assert desk.rows("SELECT unanswered, delivery FROM grades") == [
        {"unanswered": "", "delivery": "delivered"}
    ]


def test_leases_that_were_renewed_are_told(desk: Desk) -> None:
    desk.score(desk.attempt("ann"), "0.5")
    desk.score(desk.attempt("bob"), "0.5")
    claimed = desk.claim()
    desk.settle(claimed[0])
    until = desk.clock() + timedelta(seconds=5)
    assert desk.store.renew_leases(claimed, until, 10) == claimed[1:]


class Stopping:
    """A gradebook before which the worker is stopped for longer than its lease."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.stopped_s = desk, LEASE_S + 1
        self.sent: list[Delivery] = []

    def readable(self, _delivery: Delivery) -> bool:
        self.desk.clock.move(self.stopped_s)
        return False

    def read(self, _delivery: Delivery) -> Shown:
        return Shown(None)

    def deliver(self, delivery: Delivery) -> Receipt:
        self.sent.append(delivery)
        return Receipt()


def test_a_worker_that_was_stopped_over_its_lease_sends_nothing(desk: Desk) -> None:
    book = Stopping(desk)
    passback = Passback(desk.store, book, desk.clock, lambda: 0.5)
    desk.score(desk.attempt(), "0.5")
    (claimed,) = desk.claim()
    with ThreadPoolExecutor(1) as pool:
        passback.deliver(claimed, lambda delivery: False)
        assert book.sent == []
        book.stopped_s = 1
        assert passback.deliver_due(pool) == 1
    assert len(book.sent) == 1  # and else it does
    assert desk.store.delivery_counts() == {"delivered": 1}


def test_a_lease_is_over_when_it_was_not_renewed_in_time(desk: Desk) -> None:
    desk.score(desk.attempt(), "0.5")
    leases = _Leases(desk.store, desk.clock)
    (claimed,) = leases.claim("campus", 9)
    desk.clock.move(LEASE_S - 1)
    assert leases.holds(claimed)
    leases.renew([claimed])
    desk.clock.move(LEASE_S - 1)
    assert leases.holds(claimed)
    desk.clock.move(2)
    assert not leases.holds(claimed)
    desk.claim()  # another worker has it now
    leases.renew([claimed])
    assert not leases.holds(claimed)
