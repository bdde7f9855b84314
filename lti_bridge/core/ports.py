"""What the core needs from the outside: a store, providers, and a way to an LMS's gradebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lti_bridge.core.activities import ActivitySteps
from lti_bridge.core.extra_time import ExtraTime
from lti_bridge.core.handoff import Handoff
from lti_bridge.core.launch import (
    Context,
    Launch,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)
from lti_bridge.core.owning import OwnerSteps
from lti_bridge.core.records import (
    Activity,
    Adjustment,
    Attempt,
    AttemptState,
    Column,
    Delivery,
    Incoming,
    Link,
    Poll,
    Purchase,
    Shown,
)
from lti_bridge.core.scoring import Score, Scored
from lti_bridge.core.tool_launches import Origin


@dataclass(frozen=True, slots=True)
class Session:
    """What a provider gets to open one attempt (or a preview): already filtered for privacy.

    Ids are the provider's own pseudonyms (pairwise, opaque), never those of the LMS.
    `attempt_id` is empty for a preview; `sourced_id` is empty when no grade may come back.
    `custom` holds the activity's parameters with substitution variables resolved; `earlier` is the
    reference of the learner's own finished test that this attempt is about, if the kind builds on
    one. `origin` is
    for the bridge's own tables, never for the provider.
    """

    attempt_id: str
    attempt_number: int
    learner_id: str
    person: Person
    roles: tuple[str, ...]
    context: Context
    resource_link: ResourceLink
    platform: Platform
    presentation: Presentation
    settings: Any
    custom: Mapping[str, str]
    return_url: str
    outcome_url: str = ""
    sourced_id: str = ""
    callback_url: str = ""
    extra_time_percent: int = 0
    reference: str = ""
    earlier: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that exists at the provider now.

    `reference` is the provider's own name for it; `data` is what the provider's code needs to
    come back to it (JSON values, nothing about the learner that the privacy rule forbids).
    `expects_result` False: there will be no result, so nobody has to ask for one.
    """

    handoff: Handoff
    reference: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    expects_result: bool = True


@dataclass(frozen=True, slots=True)
class Sitting:
    """A started attempt as its provider knows it, for asking how it went."""

    attempt_id: str
    learner_id: str
    reference: str
    data: Mapping[str, Any]
    settings: Any
    state: AttemptState
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Callback:
    """A request that a provider sent to its hook. The address's secret was already checked.

    `attempt_id` is set when the address was made for one attempt.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    attempt_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider said about one attempt, named by our id or by the provider's reference.

    `state` None: nothing new. `hint`: not to be believed; the provider is asked instead.
    `event` makes the same message count once. `score` is the score that the attempt has from now
    on: the new one in state graded, in any other the one that it keeps, None to have none. `named`
    is what the message says about whom it is: `reference`, and what an attempt's data has under
    the same name. It is compared, never kept; empty is what had to be named and was not.
    `held` is the provider's word that the test was stopped or suspended, or is under review: then
    the score is kept aside and nothing counts before a person, or a later report without it.
    """

    attempt_id: str = ""
    reference: str = ""
    state: AttemptState | None = None
    score: Score | None = None
    event: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    hint: bool = False
    named: Mapping[str, str] = field(default_factory=dict)
    held: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something an instructor may choose: a test, an assessment, a schedule, a product."""

    value: str
    label: str
    setting: str


class Provider(Protocol):
    """One configured connection. Every kind has this much; the rest its capabilities name."""

    def start(self, session: Session) -> Started:
        """Open the attempt at the provider. Called once per attempt if the kind is remote.

        Raises AnswerLost when nobody knows whether the provider carried it out, and another
        BridgeError when it certainly did not.
        """

    def custom(self, settings: Any) -> Mapping[str, str]:
        """The parameters of an activity's settings, which may hold substitution variables."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured account at a provider, ready to use.

    `privacy` names the fields of a person that may leave; `needs` those it cannot do without;
    `hidden` names parameters whose values are shown to nobody. `capabilities` are those of its
    kind and settings (core.capabilities). `repeatable` says for an activity's settings whether
    starting twice gives the same attempt. `notice` is shown to a learner before anything leaves;
    `pseudonym_domain` makes addresses for those whose own may not leave, and `addresses` says
    which ones leave (identity.address_of). `keeps_launches`: a start calls nobody and keeps the
    launch until the tool comes for it (LTI 1.3). `daily_limit` is how many attempts one LMS may buy
    there in a day, 0: any number. `extra_time` says for an activity's settings what the provider
    does with a learner's extra time.
    """

    name: str
    kind: str
    provider: Provider
    privacy: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    registrations: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    repeatable: Callable[[Any], bool] = lambda settings: False
    hook_token: str = ""
    pseudonym_domain: str = ""
    addresses: str = "real"
    notice: str = ""
    keeps_launches: bool = False
    daily_limit: int = 0
    extra_time: Callable[[Any], ExtraTime] = lambda settings: ExtraTime()


class Catalogue(Protocol):
    """The configured connections and activities."""

    def connection(self, name: str) -> Connection:
        """The connection of that name; NotConfigured when there is none."""

    def activity(self, activity_id: str) -> Activity | None:
        """The activity of that id in the configuration file, or None."""

    def inline(self, custom: Mapping[str, str]) -> Activity | None:
        """The activity that a link writes out in its own custom parameters, or None."""

    def impersonal(self, custom: Mapping[str, str]) -> dict[str, str]:
        """A link's custom parameters without the values that are one learner's own."""

    def allows_inline(self, registration: str) -> bool:
        """Whether links of this LMS may write their activity out themselves."""

    def settings(self, connection: str, typed: Mapping[str, Any]) -> Any:
        """The typed settings of what somebody typed for this connection.

        Raises pydantic's ValidationError, and NotConfigured for an unknown connection.
        """


class Transaction(ActivitySteps, OwnerSteps, Protocol):
    """The steps of one database transaction; nothing is kept unless all of it is."""

    def use_once(self, once: Once) -> bool:
        """Record the value; False when it was already recorded."""

    def used(self, once: Once) -> Once:
        """The value as it was recorded, with the browser, the message and the time of then."""

    def learner(self, registration: str, user_id: str, new_id: str, now: datetime) -> str:
        """The id of this LMS user's learner, who is created on the first launch."""

    def find_link(self, launch: Launch) -> Link | None:
        """The link that this launch came by, if it was seen before."""

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

    def lock_attempt(self, attempt_id: str, connection: str) -> Attempt | None:
        """The attempt if it belongs to that connection, its gradebook cell locked."""

    def save_result(
        self, result_id: str, attempt: Attempt, incoming: Incoming, now: datetime
    ) -> bool:
        """Record what the provider said; False when this event was already recorded."""

    def save_score(self, attempt: Attempt, incoming: Incoming, now: datetime) -> None:
        """Give the attempt its new state and score."""

    def hold_result(self, attempt: Attempt, incoming: Incoming, now: datetime) -> None:
        """Keep the result aside for a person; what counted before goes on counting."""

    def scores(self, link_id: str, learner_id: str) -> list[Scored]:
        """The scores of all attempts of this cell."""

    def want_grade(
        self, link_id: str, learner_id: str, score: Score | None, pending: str, now: datetime
    ) -> bool:
        """Let the gradebook cell want this score, or that it is `pending`; False when it does."""


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

    def claim_polls(self, now: datetime, lease_s: float, limit: int) -> list[Poll]:
        """Lease attempts whose provider is to be asked now, at most `limit`."""

    def acknowledge(self, connection: str, learner_id: str, now: datetime) -> None:
        """The learner has read the connection's notice."""

    def acknowledged(self, connection: str, learner_id: str) -> bool:
        """Whether the learner has read the connection's notice."""

    def claim_deliveries(self, now: datetime, lease_s: float, limit: int) -> list[Delivery]:
        """Lease grades that are due, oldest first, at most `limit`."""

    def renew_leases(self, deliveries: list[Delivery], now: datetime, lease_s: float) -> None:
        """Let the leases last longer of those deliveries that are not settled."""

    def settle(self, delivery: Delivery, now: datetime, outcome: Outcome) -> None:
        """Record how a delivery ended and give the lease back."""

    def next_due(self) -> datetime | None:
        """When the next delivery is due, or None when there is none."""

    def claim_reads(self, now: datetime, lease_s: float, limit: int) -> list[Delivery]:
        """Delivered grades whose LMS is to be looked at now, at most `limit`; nobody else gets
        them for `lease_s` seconds."""

    def note_shown(self, delivery: Delivery, now: datetime, view: View) -> None:
        """Record what the LMS shows, unless it was told something else meanwhile.

        A grade that waits for a teacher's value to go is due once that has gone.
        """


class Columns(Protocol):
    """The line items that the bridge found or made itself. Every method is one transaction."""

    def column(self, grade_id: str) -> Column:
        """The column that a grade belongs into."""

    def claim(self, link_id: str, lease: str, now: datetime, lease_s: float) -> bool:
        """Lease the search for a link's line item, or lease it longer.

        False when it is known already or another lease lasts.
        """

    def settle(
        self,
        link_id: str,
        lease: str,
        line_item: str,
        renewed_at: datetime | None = None,
        lost: str = "",
    ) -> None:
        """Remember what was found (nothing: an empty string) and give the lease back.

        `renewed_at`: it is an empty column in the place of another, so all grades that were
        delivered for this link are due again at that time; only those whose launch named `lost`,
        if that was the other one.
        """

    def forget(self, link_id: str, line_item: str) -> None:
        """Forget this line item, which is gone, unless another one is remembered by now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try of a delivery ended: delivered, or when (if ever) to try again.

    `later_stamp`: the next try tells the LMS a later time, as far ahead as clocks may differ.
    `read_at` is when to look what the LMS shows, None: it cannot be looked at.
    """

    state: str
    due_at: datetime | None = None
    error: str = ""
    count_try: bool = True
    later_stamp: bool = False
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A look at what the LMS shows: `text` is for people, `overridden` that it is not ours.

    Both None: it could not be seen, and what was seen last stays. `read_at` is when to look again,
    None: never.
    """

    text: str | None
    overridden: bool | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an LMS said when it took a grade."""

    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Gradebook(Protocol):
    """The way to the gradebooks of all connected LMSs."""

    def deliver(self, delivery: Delivery) -> Receipt:
        """Bring one grade to its LMS. Raises DeliveryFailed (again later) or DeliveryRefused."""

    def readable(self, delivery: Delivery) -> bool:
        """Whether the LMS lets us see what it shows for this grade."""

    def read(self, delivery: Delivery) -> Shown:
        """What the LMS shows. Raises DeliveryFailed (later, perhaps) or DeliveryRefused."""
