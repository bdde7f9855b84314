"""The journal of one process: what is written when, and what is left out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context

import pytest

from lti_bridge.core.journal import bounds, explaining
from lti_bridge.core.journal import hop as hops
from lti_bridge.core.journal.hop import Hop
from lti_bridge.core.journal.journal import Journal, Written
from lti_bridge.errors import BadRequest, Finding, SignatureRefused

LAST_MINUTE = (time.time() // 60 - 1) * 60


class Kept:
    """A place for hops that can be shut, broken, or choosy."""

    def __init__(self) -> None:
        self.batches: list[list[Written]] = []
        self.open = threading.Event()
        self.open.set()
        self.broken = 0
        self.unfit = ""
        self.lost: dict[str, int] = {}

    def __call__(self, batch: Sequence[Written]) -> None:
        assert self.open.wait(10)
        if self.broken:
            self.broken -= 1
            raise OSError("away")
        if self.unfit and any(one.hop.said == self.unfit for one in batch):
            raise BadRequest("a value that the database cannot hold")
        self.batches.append(list(batch))

    def hear(self, why: str, count: int) -> None:
        self.lost[why] = self.lost.get(why, 0) + count

    @property
    def hops(self) -> list[Hop]:
        return [one.hop for batch in self.batches for one in batch]

    @property
    def said(self) -> list[str]:
        return [one.said for one in self.hops if one.kind != "left-out"]


def journal(kept: Kept, most: int = 5000) -> Journal:
    """A journal that writes there."""
    return Journal(kept, lambda: "REF", lost=kept.hear, most=most)


def good(said: str, at: float = 0.0) -> Hop:
    """A hop that went well, with a proved party."""
    return Hop("launch", "REF", at=at or time.time(), registration="campus", proved=True, said=said)


def refused(said: str, party: str = "campus", at: float = LAST_MINUTE) -> Hop:
    """A hop that was refused; with an empty party that of a stranger."""
    made = Hop("launch", "REF", at=at, registration=party, proved=bool(party), said=said)
    made.failed(SignatureRefused("no"))
    return made


def until(look: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether that is so before long."""
    deadline = time.monotonic() + seconds
    while not look() and time.monotonic() < deadline:
        time.sleep(0.01)
    return look()


def test_hops_are_written_together_and_within_a_second() -> None:
    kept = Kept()
    made = journal(kept)
    began = time.monotonic()
    for number in range(20):
        made.end(good(str(number)))
    assert until(lambda: len(kept.hops) == 20)
    assert time.monotonic() - began < 1
    assert len(kept.batches) == 1
    made.end(good("later"))
    made.stop()
    assert kept.said[-1] == "later"


def test_what_is_said_is_of_the_hop_of_this_thread() -> None:
    kept = Kept()
    made = journal(kept)
    one = made.begin("launch", "ONE")
    hops.checking("signature")
    hops.note(registration="campus", proved=True)
    threading.Thread(target=lambda: hops.checking("elsewhere")).start()
    beside = threading.Thread(target=copy_context().run, args=(work, made))
    beside.start()
    beside.join()
    hops.called("GET", "lms.example.edu", "/keys", 200, 0.25)
    assert one is not None
    made.end(one)
    hops.checking("nothing")
    made.stop()
    start, launch = kept.hops
    assert (launch.checks, launch.kind) == (["signature"], "launch")
    assert [(call.path, call.ms) for call in launch.calls] == [("/keys", 250)]
    assert (start.kind, start.ref, start.registration) == ("start", "ONE", "campus")
    assert start.checks == ["limits"]


def work(made: Journal) -> None:
    """What is done beside a request, for its trace."""
    with made.further("start"):
        hops.checking("limits")


def test_without_days_nothing_is_collected() -> None:
    before = {thread.ident for thread in threading.enumerate() if thread.name == "journal"}
    made = Journal(None, lambda: "REF")
    assert made.begin("launch", "REF") is None
    hops.checking("signature")
    hops.failed(SignatureRefused("no"))
    with made.hop("delivery") as hop:
        hops.note(said="sent")
    assert hop.said == "sent"
    after = {thread.ident for thread in threading.enumerate() if thread.name == "journal"}
    assert after <= before


def test_a_full_queue_drops_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    made = journal(kept, most=5)
    kept.open.clear()
    made.end(good("first"))
    assert until(lambda: not made._waiting)  # it is being written
    began = time.monotonic()
    for number in range(9):
        made.end(good(str(number)))
    assert time.monotonic() - began < 0.5  # nobody has waited
    with caplog.at_level(logging.WARNING):
        kept.open.set()
        assert until(lambda: kept.lost == {"queue-full": 4})
    made.stop()
    assert kept.said == ["first", "0", "1", "2", "3", "4"]
    lines = [one for one in caplog.records if one.message == "journal.full"]
    assert [one.__dict__["count"] for one in lines] == [4]


def test_the_refused_of_one_party_are_so_many_a_minute_and_the_rest_a_number() -> None:
    kept = Kept()
    made = journal(kept)
    for number in range(bounds.REFUSED + 40):
        made.end(refused(str(number)))
    for number in range(bounds.REFUSED + 7):
        made.end(refused(str(number), party=""))
    made.end(refused("of another", party="other"))
    made.end(good("of the same", at=LAST_MINUTE))
    made.stop()
    assert len(kept.said) == 2 * bounds.REFUSED + 2
    assert {"of another", "of the same"} <= set(kept.said)
    told = {one.registration: one.said for one in kept.hops if one.kind == "left-out"}
    assert told == {"campus": "40 of kind launch", "": "7 of kind launch"}
    assert kept.lost == {"refused": 47}


def test_each_minute_has_room_anew() -> None:
    kept = Kept()
    made = journal(kept)
    for minute in (-120, -60, 0):
        for number in range(bounds.REFUSED + 1):
            made.end(refused(str(number), at=LAST_MINUTE + minute))
    made.stop()
    assert len(kept.said) == 3 * bounds.REFUSED


def test_logins_before_any_proof_are_bounded_too() -> None:
    kept = Kept()
    made = journal(kept)
    for _ in range(bounds.LOGINS + 5):
        made.end(Hop("login", "REF", at=LAST_MINUTE, registration="campus"))
    made.stop()
    assert kept.lost == {"refused": 5}


def test_a_database_that_is_away_loses_nothing() -> None:
    kept = Kept()
    kept.broken = 2
    made = journal(kept)
    made.end(good("one"))
    assert until(lambda: kept.broken == 0, 10)
    made.end(good("two"))
    assert until(lambda: len(kept.said) == 2, 10)
    made.stop()
    assert kept.said == ["one", "two"]
    assert not kept.lost


def test_what_no_database_holds_is_lost_alone() -> None:
    kept = Kept()
    kept.unfit = "bad"
    made = journal(kept)
    for said in ("1", "2", "bad", "3"):
        made.end(good(said))
    made.stop()
    assert sorted(kept.said) == ["1", "2", "3"]
    assert kept.lost == {"unfit": 1}


def explained(explain: Callable[[], Sequence[Finding]]) -> Hop:
    """A refused hop that can be explained."""
    made = refused("why")
    made.explain = explain
    return made


def test_refusals_are_explained_by_the_thread_that_writes_and_so_many_a_minute() -> None:
    kept, asked = Kept(), list[str]()
    finding = Finding("signature", "HMAC-SHA1", "HMAC-SHA256", "Set the method.")

    def explain() -> Sequence[Finding]:
        asked.append(threading.current_thread().name)
        return [finding]

    made = journal(kept)
    for _ in range(explaining.MOST + 3):
        made.end(explained(explain))
    made.stop()
    assert asked == ["journal"] * explaining.MOST
    found = [one.findings for batch in kept.batches for one in batch if one.findings]
    assert found == [(finding,)] * explaining.MOST + [(explaining.TOO_MANY,)] * 3


def test_an_explanation_that_breaks_costs_itself_alone() -> None:
    kept = Kept()

    def explain() -> Sequence[Finding]:
        raise ZeroDivisionError

    made = journal(kept)
    made.end(explained(explain))
    made.end(good("after"))
    made.stop()
    assert [one.findings for one in kept.batches[0]] == [(explaining.BROKE,), ()]
