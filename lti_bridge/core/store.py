"""What the core needs of persistence: steps of one transaction, and whole transactions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from lti_bridge.core.attempt.owner_steps import OwnerSteps
from lti_bridge.core.attempt.provider import Started
from lti_bridge.core.course.activities import ActivitySteps
from lti_bridge.core.grade.gradebook import Outcome, View
from lti_bridge.core.grade.scores import Scored
from lti_bridge.core.grade.states import Wish
from lti_bridge.core.launch.message import Launch, Once
from lti_bridge.core.records import (
    Activity,
    Adjustment,
    Attempt,
    Delivery,
    GradeCell,
    Incoming,
    Link,
    Locked,
    Poll,
    Purchase,
)


class Transaction(ActivitySteps, OwnerSteps, Protocol):
    """The steps of one database transaction; nothing is kept unless all of it is."""

    def part(self) -> AbstractContextManager[None]:
        """A part of it that may fail alone: what was done in it is undone by what it raises."""

    def use_once(self, once: Once) -> bool:
        """Record the value; False when it was already recorded."""

    def used(self, once: Once) -> Once:
        """The value as it was recorded, with the browser, the message and the time of then."""

    def learner(self, registration: str, user_id: str, new_id: str, now: datetime) -> str:
        """The id of this LMS user's learner, who is created on the first launch."""

    def find_link(self, launch: Launch) -> Link | None:
        """The link that this launch came by, if it was seen before."""

    def save_place(self, launch: Launch, link_id: str) -> None:
        """Keep where the LMS has the grades of this link by AGS, for who is graded unseen."""

    def save_link(self, launch: Launch, activity_id: str, new_id: str) -> Link:
        """Create the link, or let it point to `activity_id`."""

    def point_link(self, link_id: str, activity_id: str) -> None:
        """Let a link that is there open another activity."""

    def known_learner(self, registration: str, user_id: str) -> str:
        """The id of this LMS user's learner; empty for one who was never here."""

    def alias_learner(self, registration: str, user_id: str, learner_id: str) -> None:
        """Let this LMS user be that learner."""

    def alias_link(self, launch: Launch, link_id: str) -> None:
        """Let the place that this launch came from be that link."""

    def has_begun(self, *, learner_id: str = "", link_id: str = "") -> bool:
        """Whether there is an attempt of this learner, or at this link."""

    def save_activity(self, activity: Activity, custom: Mapping[str, str], now: datetime) -> None:
        """Keep an activity in the database, once."""

    def open_attempt(self, link_id: str, learner_id: str) -> Attempt | None:
        """The attempt that a next click continues."""

    def last_attempt(self, link_id: str, learner_id: str) -> tuple[int, datetime | None]:
        """How many attempts this learner has made at this link, and when the last began."""

    def finished_test(self, activity_id: str, learner_id: str, connection: str) -> str:
        """The reference of this learner's newest finished test at an activity, or nothing."""

    def create_attempt(self, attempt: Attempt, now: datetime) -> Attempt:
        """Create the attempt; if another worker was faster, return the one it created."""

    def claim_start(self, attempt_id: str, now: datetime, unclear_before: datetime | None) -> bool:
        """Take the right to start an attempt; it is `unclear` until the provider has answered.

        `unclear_before` also takes over a start that nobody has finished since then.
        """

    def buy(self, purchase: Purchase) -> int | None:
        """Write a purchase down, once an attempt: how many there are of its LMS on its day.

        0 when the attempt is in the ledger already, None when the limit is reached: then it is
        not bought.
        """

    def close_attempt(self, attempt: Attempt, now: datetime) -> None:
        """Close an attempt that nobody will finish: its link opens another activity now."""

    def save_launch(
        self, launch_id: str, launch: Launch, link_id: str, learner_id: str, attempt_id: str
    ) -> None:
        """Record the click."""

    def save_target(self, grade_id: str, launch: Launch, link_id: str, learner_id: str) -> None:
        """Keep the newest place for this learner's grade."""

    def has_left(self, launch: Launch) -> bool:
        """Whether a list that was read after this launch says that its user left the course."""

    def save_memberships_url(self, launch: Launch, url: str) -> None:
        """Keep where the members of this launch's course are listed."""

    def lock_attempt(self, attempt_id: str, connection: str) -> Locked | None:
        """The attempt if it belongs to that connection, with its gradebook cell, locked."""

    def save_result(
        self, result_id: str, attempt: Attempt, incoming: Incoming, now: datetime
    ) -> bool:
        """Record what the provider said; False when this event was already recorded."""

    def cell(self, link_id: str, learner_id: str) -> GradeCell:
        """A gradebook cell, which has to be locked, with all its attempts."""

    def save_attempt(self, attempt: Attempt, cell: GradeCell, source: str, now: datetime) -> None:
        """Let an attempt be as it is in this cell; `source` has changed its state, if any has."""

    def scores(self, link_id: str, learner_id: str) -> list[Scored]:
        """The scores of all attempts of this cell."""

    def save_wish(self, cell: GradeCell, wish: Wish, now: datetime) -> bool:
        """Let the cell want this; False when it wants something else than was read meanwhile."""


class Store(Protocol):
    """Persistence. Every method is one transaction; none is open during a network call."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Several steps as one."""

    def hold_launch(self, token: str, text: str, until: datetime) -> None:
        """Keep a launch for a second click; `token` is not that of the page but its digest."""

    def held_launch(self, token: str) -> str | None:
        """The launch kept under this token, while it lasts."""

    def confirm_start(
        self, attempt_id: str, started: Started, now: datetime, poll_at: datetime | None
    ) -> None:
        """The provider has answered: the attempt is started."""

    def release_start(self, attempt_id: str, now: datetime, reason: str) -> None:
        """The provider certainly did nothing: nothing was bought, and it may be started later."""

    def keep_answer(self, key: str, learner_id: str, text: str, until: datetime) -> None:
        """Keep what a call brought for the learner's next click, instead of what was kept."""

    def take_answer(self, key: str, now: datetime) -> str | None:
        """What was kept under this key, while it lasts; nobody gets it again."""

    def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt as it stands now."""

    def attempt_by_reference(self, connection: str, reference: str) -> Attempt | None:
        """The newest attempt that a provider calls by this reference."""

    def adjustment(self, activity_id: str, learner_id: str) -> Adjustment:
        """What this learner gets more of at this activity."""

    def remark(self, attempt_id: str, now: datetime, detail: str) -> None:
        """Let staff see, once, that something about this attempt was refused."""

    def poll_at(
        self, attempt_id: str, moment: datetime | None, claimed: datetime | None = None
    ) -> None:
        """When to ask the provider about this attempt, None: not again.

        With `claimed` (a poll's `until`) nothing changes when a hint has come since the claim.
        """

    def polls_due(self) -> Mapping[str, datetime]:
        """The connections that are to be asked about attempts, and when each is first."""

    def claim_polls(
        self, connection_name: str, now: datetime, lease_s: float, limit: int
    ) -> list[Poll]:
        """Lease attempts of a connection that is to be asked about them now, at most `limit`."""

    def acknowledge(self, connection: str, learner_id: str, now: datetime) -> None:
        """The learner has read the connection's notice."""

    def acknowledged(self, connection: str, learner_id: str) -> bool:
        """Whether the learner has read the connection's notice."""

    def deliveries_due(self) -> Mapping[str, datetime]:
        """The registrations to which grades are to be brought, and when the first of each is."""

    def claim_deliveries(
        self, registration: str, now: datetime, lease_s: float, limit: int
    ) -> list[Delivery]:
        """Lease grades of an LMS that are due, oldest first, at most `limit`."""

    def wake_deliveries(self, registration: str, now: datetime) -> None:
        """Let all be due that waits for another try at an LMS, which is there again."""

    def renew_leases(
        self, deliveries: list[Delivery], now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Let the leases last longer of those deliveries that are not settled; these are they."""

    def settle(self, delivery: Delivery, now: datetime, outcome: Outcome) -> None:
        """Record how a delivery ended and give the lease back."""

    def reads_due(self) -> Mapping[str, datetime]:
        """The registrations whose gradebooks are to be looked at, and when each is first."""

    def claim_reads(
        self, registration: str, now: datetime, lease_s: float, limit: int
    ) -> list[Delivery]:
        """Delivered grades of an LMS that is to be looked at now, at most `limit`; nobody else
        gets them for `lease_s` seconds."""

    def note_shown(self, delivery: Delivery, now: datetime, view: View) -> None:
        """Record what the LMS shows, unless it was told something else meanwhile.

        A grade that waits for a teacher's value to go is due once that has gone.
        """
