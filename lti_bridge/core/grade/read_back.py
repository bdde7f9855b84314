"""Looking at what LMSs show for the grades that were delivered, and noticing a teacher's word."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from lti_bridge.core.grade.gradebook import Gradebook, View
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.grade.states import LATE_FOR
from lti_bridge.core.journal.hop import Hop
from lti_bridge.core.journal.journal import NO_JOURNAL, Journal
from lti_bridge.core.lanes import Lanes
from lti_bridge.core.rates import Rates
from lti_bridge.core.records import Delivery, Shown
from lti_bridge.core.store import Store
from lti_bridge.errors import BridgeError, DeliveryRefused

log = logging.getLogger("lti_bridge.readback")

# Seconds from a delivery to the first look, and from each look to the next.
LOOKS_S = (3, 3600, 86_400, 604_800)
SURE_AFTER = 2  # looks, the second of them LATE_FOR after the first, where a request may be late
WAITING_S = 86_400  # while a grade of ours waits for a teacher's to go
MAX_LOOKS = 60
LEASE_S = 60.0
ROOM, MOST = 2, 8  # looks at the same time: at one LMS, and in all
TOLERANCE = Decimal("0.005")  # of the maximum: some gradebooks keep two decimals of one point
NOTHING = "-"

_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Looks at gradebooks. `spread` returns a number in 0..1, so that looks do not come at once."""

    store: Store
    gradebook: Gradebook
    clock: Callable[[], datetime]
    spread: Callable[[], float]
    rates: Rates = field(default_factory=Rates)
    journal: Journal = NO_JOURNAL
    lanes: Lanes = field(init=False)

    def __post_init__(self) -> None:
        who = (self.clock, self.spread, "registration")
        made = Lanes(*who, room=ROOM, most=MOST, rates=self.rates)
        object.__setattr__(self, "lanes", made)

    def read_due(self, pool: ThreadPoolExecutor) -> int:
        """Look at all that is due; returns how many."""
        return self.lanes.run(
            pool,
            self._due,
            lambda lms, limit: self.store.claim_reads(lms, self.clock(), LEASE_S, limit),
            self.look,
        )

    def _due(self) -> Mapping[str, datetime]:
        """The LMSs to look at: none that grades are to be brought to now, which go first."""
        now, deliveries = self.clock(), self.store.deliveries_due()
        return {
            lms: at
            for lms, at in self.store.reads_due().items()
            if lms not in deliveries or deliveries[lms] > now
        }

    def look(self, delivery: Delivery) -> None:
        """Look at one grade and record what is there; raises nothing.

        Only a look that changed something is in the journal.
        """
        facts = {"registration": delivery.registration, "activity": delivery.activity_id}
        with self.journal.hop("look", **facts, grade=delivery.grade_id, proved=True) as hop:
            self._look(delivery, hop)

    def _look(self, delivery: Delivery, hop: Hop) -> None:
        hop.kept = False
        try:
            view = self._view(delivery)
            self.store.note_shown(delivery, self.clock(), view)
        except Exception:
            log.exception("grade.look-broke", extra={"grade": delivery.grade_id})
            return
        hop.kept = bool(view.overridden or view.late)
        hop.said = f"shows {view.text}, which is {'an older grade' if view.late else 'not ours'}"
        if view.overridden:
            extra = {"grade": delivery.grade_id, "registration": delivery.registration}
            log.info("grade.overridden", extra=extra)

    def _view(self, delivery: Delivery) -> View:
        now, reads = self.clock(), delivery.reads + 1
        again = next_look(reads, now, self.spread)
        try:
            shown = self.gradebook.read(delivery)
        except BridgeError as error:
            self.lanes.heard(delivery.registration, error)
            if isinstance(error, DeliveryRefused):
                return View(None, None, None)
            extra = {"grade": delivery.grade_id, "reason": error.detail}
            log.info("grade.not-readable", extra=extra)
            return View(None, None, again or while_waiting(reads, now))
        self.lanes.answered(delivery.registration)
        if late := late_one(delivery, shown):
            extra = {"grade": delivery.grade_id, "registration": delivery.registration}
            log.warning("grade.overtaken", extra=extra)
            return View(text_of(shown), False, again, late=late)
        if not is_ours(delivery, shown):
            return View(text_of(shown), True, while_waiting(reads, now))
        if delivery.overdue and reads < SURE_AFTER:
            return View(text_of(shown), False, now + LATE_FOR)
        if delivery.overdue:
            again = next_look(1, now, self.spread)
        return View(text_of(shown), False, again, answered=True)


def is_ours(delivery: Delivery, shown: Shown) -> bool:
    """Whether the LMS may have this from us: other values are a teacher's, nothing is nobody's."""
    return shown.score is None or any(_shows(shown, one) for one in delivery.told)


def late_one(delivery: Delivery, shown: Shown) -> str:
    """The older value of ours that stands in the newer one's place; empty when none does."""
    if shown.score is None or not delivery.told or _shows(shown, delivery.told[-1]):
        return ""
    return next((one for one in delivery.overdue if _shows(shown, one)), "")


def _shows(shown: Shown, text: str) -> bool:
    """Whether this is shown, a score that was told."""
    told = _told(text)
    return told is not None and shown.score is not None and _near(shown.score, told)


def equal(told: Score, shown: Score) -> bool:
    """Whether an LMS that was told the one may show the other."""
    return _near(shown, _fraction(told.given, told.maximum))


def _near(shown: Score, told: Decimal) -> bool:
    there = _fraction(shown.given, shown.maximum)
    # an LMS may keep 120 of 100, or cap it
    return any(abs(there - value) <= TOLERANCE for value in (told, min(told, Decimal(1))))


def next_look(reads: int, now: datetime, spread: Callable[[], float]) -> datetime | None:
    """When to look again after that many looks; None when it was often enough."""
    if reads >= len(LOOKS_S):
        return None
    return now + timedelta(seconds=LOOKS_S[reads] * (1 + spread()))


def while_waiting(reads: int, now: datetime) -> datetime | None:
    """When to look whether a teacher's value is gone; None when that was done often enough."""
    return now + timedelta(seconds=WAITING_S) if reads < MAX_LOOKS else None


def text_of(shown: Shown) -> str:
    """What an LMS shows, for people and for the database; an empty cell is a dash."""
    if shown.score is None:
        return NOTHING
    return f"{shown.score.given.normalize():f}/{shown.score.maximum.normalize():f}"


def plain_text(comment: str) -> str:
    """A comment as AGS wants it (AGS 2.0 §3.4.11): an editor's markup taken away."""
    if "<" not in comment:
        return comment
    return html.unescape(_TAG.sub(" ", comment)).strip()


def _told(text: str) -> Decimal | None:
    if text == NOTHING:
        return None
    given, _, maximum = text.partition("/")
    return _fraction(Decimal(given), Decimal(maximum))


def _fraction(given: Decimal, maximum: Decimal) -> Decimal:
    return given / maximum if maximum else Decimal(0)
