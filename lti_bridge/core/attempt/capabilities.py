"""What a kind of provider can do, as data; asking for more raises a named error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from lti_bridge.core.attempt.abilities import (
    BuildsOn,
    Checks,
    Counts,
    Fetches,
    Forgets,
    Judges,
    KnowsByAddress,
    Offers,
    ReadsCallbacks,
    Resumes,
)
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.staff.files import Administers, Adopts, Exports, Imports
from lti_bridge.core.tool.choices import PicksAtTool
from lti_bridge.errors import Unsupported

REMOTE = "remote"  # starting an attempt calls the provider
COSTS = "costs"  # every attempt is bought there: limits and questions before another one
CALLBACK = "callback"  # it tells us by itself
VERDICT = "verdict"  # what it says of a sitting can be that a person has to look at it
JUDGE = "judge"  # what it tells us depends on how the attempt stands
FETCH = "fetch"  # it can be asked about one attempt
CHOICES = "choices"  # it lists what an instructor may choose
STOCK = "stock"  # it counts what was bought ahead
CHECK = "check"  # it can say whether the account works
BUILDS_ON = "builds-on"  # an attempt may be about an earlier one of the same learner
BY_ADDRESS = "by-address"  # it knows people by what two learners may share, as an address
FORGET = "forget"  # it can delete or anonymise a learner
IMPORT = "import"  # it reads a file of results
EXPORT = "export"  # it writes a file of registrations
ADOPT = "adopt"  # it takes over an attempt that a person found at the provider
ADMINISTER = "administer"  # it makes an address that logs in as an administrator
PICK = "pick"  # an instructor chooses at the provider's own tool
PREVIEW = "preview"  # staff may open the test without an attempt


def can(connection: Connection, capability: str) -> bool:
    """Whether this connection's kind has the capability."""
    return capability in connection.capabilities


def pushing(connections: Iterable[Connection]) -> list[str]:
    """The names of those that say nothing of an attempt before they push its grade (LTI)."""
    return [one.name for one in connections if not can(one, REMOTE)]


def resumes(connection: Connection) -> Resumes:
    """The provider, if it is remote; raises Unsupported, as all of these do."""
    return cast(Resumes, _with(connection, REMOTE))


def reads_callbacks(connection: Connection) -> ReadsCallbacks:
    """The provider, if it calls back."""
    return cast(ReadsCallbacks, _with(connection, CALLBACK))


def judges(connection: Connection) -> Judges:
    """The provider, if its reports have to be judged."""
    return cast(Judges, _with(connection, JUDGE))


def fetches(connection: Connection) -> Fetches:
    """The provider, if it can be asked about an attempt."""
    return cast(Fetches, _with(connection, FETCH))


def picks(connection: Connection) -> PicksAtTool:
    """The provider, if one chooses at its own tool."""
    return cast(PicksAtTool, _with(connection, PICK))


def offers(connection: Connection) -> Offers:
    """The provider, if it lists what may be chosen."""
    return cast(Offers, _with(connection, CHOICES))


def checks(connection: Connection) -> Checks:
    """The provider, if it can check its account."""
    return cast(Checks, _with(connection, CHECK))


def counts(connection: Connection) -> Counts:
    """The provider, if it counts what was bought ahead."""
    return cast(Counts, _with(connection, STOCK))


def builds_on(connection: Connection, settings: Any) -> str:
    """The activity that attempts with these settings are about an earlier attempt at, if any."""
    if not can(connection, BUILDS_ON):
        return ""
    return cast(BuildsOn, connection.provider).builds_on(settings)


def known_as(connection: Connection, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """By which names the provider knows the learner of an attempt that has this data."""
    return cast(KnowsByAddress, _with(connection, BY_ADDRESS)).known_as(data)


def forgets(connection: Connection) -> Forgets:
    """The provider, if it can forget a learner."""
    return cast(Forgets, _with(connection, FORGET))


def imports(connection: Connection) -> Imports:
    """The provider, if it reads files of results."""
    return cast(Imports, _with(connection, IMPORT))


def exports(connection: Connection) -> Exports:
    """The provider, if it writes files of registrations."""
    return cast(Exports, _with(connection, EXPORT))


def adopts(connection: Connection) -> Adopts:
    """The provider, if it takes over attempts that a person found."""
    return cast(Adopts, _with(connection, ADOPT))


def administers(connection: Connection) -> Administers:
    """The provider, if it logs administrators in."""
    return cast(Administers, _with(connection, ADMINISTER))


def _with(connection: Connection, capability: str) -> object:
    if not can(connection, capability):
        raise Unsupported(f"kind {connection.kind!r} has no {capability}")
    return connection.provider
