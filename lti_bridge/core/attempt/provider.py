"""A provider as the core sees it: a connection, what it is told of a learner, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.core.launch.identity import NameOrder
from lti_bridge.core.launch.message import Context, Person, Platform, Presentation, ResourceLink
from lti_bridge.core.records import AttemptState
from lti_bridge.core.tool.launches import Origin


@dataclass(frozen=True, slots=True)
class Session:
    """What a provider gets to open one attempt (or a preview): already filtered for privacy.

    Ids are the provider's own pseudonyms (pairwise, opaque), never those of the LMS.
    `attempt_id` is empty for a preview; `sourced_id` is empty when no grade may come back.
    `custom` holds the activity's parameters with substitution variables resolved; `earlier` is the
    reference of the learner's own finished test that this attempt is about, if the kind builds on
    one. `origin` is for the bridge's own tables, never for the provider.
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


class Headers(Mapping[str, str]):
    """The headers of a request, by a name in whatever case (RFC 9110 §5.1)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Callback:
    """A request that a provider sent to its hook. The address's secret was already checked.

    `headers` ignores case. `attempt_id` is set when the address was made for one attempt.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    attempt_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", Headers(self.headers))


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
    kind and settings (core.attempt.capabilities). `repeatable` says for an activity's settings
    whether starting twice gives the same attempt. `notice` is shown to a learner before anything
    leaves; `names` is how a name is split that comes whole (identity.parted);
    `pseudonym_domain` makes addresses for those whose own may not leave, and `addresses`
    says which ones leave (identity.address_of). `by_lti`: a start is a launch at an LTI tool, which
    calls nobody, and what it keeps or buys is in the commit of its click; `keeps_launches`: the
    tool comes for its launch afterwards (LTI 1.3). `daily_limit` is how many attempts one LMS may
    buy there in a day, 0: any number. `max_in_flight` is how many calls of one process may be under
    way, `calls_per_minute` how many it may begin in a minute, 0: any number. `extra_time` says for
    an activity's settings what the provider does with a learner's extra time.
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
    names: NameOrder = "given-first"
    notice: str = ""
    by_lti: bool = False
    keeps_launches: bool = False
    daily_limit: int = 0
    max_in_flight: int = 1
    calls_per_minute: int = 0
    extra_time: Callable[[Any], ExtraTime] = lambda settings: ExtraTime()
