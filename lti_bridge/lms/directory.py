"""All LMSs that are trusted now: those of the configuration file, and those of the database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lti_bridge.core.snapshots import LOOK_AGAIN_S, LOOK_EVERY_S, Watched
from lti_bridge.errors import ConfigurationError, LmsAmbiguous, LmsWaiting, UnknownIssuer
from lti_bridge.lms import belonging
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lti import given_keys

log = logging.getLogger("lti_bridge.directory")


class Stored(Protocol):
    """What the database holds: public facts of active registrations, and who succeeds whom."""

    @property
    def active(self) -> tuple[Mapping[str, Any], ...]:
        """The facts of every active registration, with `name`, `issuer` and `client_id`."""

    @property
    def waiting(self) -> tuple[tuple[str, str, str], ...]:
        """Issuer, client_id and name of those that wait for approval."""

    @property
    def retired(self) -> tuple[tuple[str, str, str], ...]:
        """Issuer, client_id and name of those that were ended."""

    @property
    def linked(self) -> frozenset[tuple[str, str]]:
        """Pairs of a registration and its former one, as an admin said."""

    @property
    def parted(self) -> frozenset[tuple[str, str]]:
        """Pairs that are never joined, whatever is proved."""


class Source(Protocol):
    """The registrations of the database."""

    def version(self) -> int | None:
        """Rises with every change, 0 before the first; None when the database does not answer."""

    def stored(self) -> Stored:
        """What there is now."""


class Monotonic(Protocol):
    """Seconds that only rise."""

    def __call__(self) -> float:
        """Return them."""


@dataclass(frozen=True, slots=True)
class _Known:
    """One consistent view; replaced as a whole."""

    by13: Registrations
    named: Mapping[str, Registration11 | Registration13]
    linked: frozenset[tuple[str, str]]
    parted: frozenset[tuple[str, str]]
    waiting: tuple[tuple[str, str, str], ...] = ()
    retired: tuple[tuple[str, str, str], ...] = ()

    def find(self, issuer: str, client_id: str, deployment_id: str) -> Registration13:
        """As `Directory.find`, which see."""
        try:
            return self.by13.find(issuer, client_id, deployment_id)
        except LmsAmbiguous:
            raise
        except UnknownIssuer:
            for waits_issuer, waits_client, name in self.waiting:
                if issuer == waits_issuer and client_id in ("", waits_client):
                    raise LmsWaiting(name) from None
            raise


class Directory(Registrations):
    """The registrations of file and database; changes in the database are seen within seconds.

    `clock` are monotonic seconds. Raises ConfigurationError when two of the file get tokens at
    one address.
    """

    def __init__(
        self,
        registrations11: Iterable[Registration11],
        registrations13: Iterable[Registration13],
        source: Source,
        clock: Monotonic,
    ) -> None:
        self._from_file11 = {one.name: one for one in registrations11}
        self._from_file13 = list(registrations13)
        if problems := belonging.doubled(self._from_file13):
            raise ConfigurationError("\n".join(problems))
        self.by_key = {one.consumer_key: one for one in self._from_file11.values()}
        self._source = source
        named = self._named([])
        self.in_file = frozenset(named)
        nobody: frozenset[tuple[str, str]] = frozenset()
        first = _Known(Registrations(self._from_file13), named, nobody, nobody)
        self._watched = Watched(source.version, self._look, first, clock)

    def find(self, issuer: str, client_id: str = "", deployment_id: str = "") -> Registration13:
        """The registration of this LTI 1.3 client; raises as the class above, or LmsWaiting."""
        wanted = (issuer, client_id, deployment_id)
        try:
            return self._now().find(*wanted)
        except UnknownIssuer:
            return self._now(LOOK_AGAIN_S).find(*wanted)

    def named(self, name: str) -> Registration13:
        """The LTI 1.3 registration of this name; raises BrowserRefused when it is gone."""
        pause = LOOK_EVERY_S if name in self._now().named else LOOK_AGAIN_S
        return self._now(pause).by13.named(name)

    def get(self, name: str) -> Registration11 | Registration13 | None:
        """The registration of this name, of either version."""
        pause = LOOK_EVERY_S if name in self._now().named else LOOK_AGAIN_S
        return self._now(pause).named.get(name)

    def names(self) -> frozenset[str]:
        """The names of all registrations that are trusted now."""
        return frozenset(self._now().named)

    def all13(self) -> tuple[Registration13, ...]:
        """All LTI 1.3 registrations that are trusted now."""
        return tuple(one for one in self._now().named.values() if isinstance(one, Registration13))

    def retired(self, issuer: str, client_id: str = "") -> str:
        """The name of a registration of the database that was ended, "" for none like it."""
        for was_issuer, was_client, name in self._now().retired:
            if issuer == was_issuer and client_id in ("", was_client):
                return name
        return ""

    def former(self, name: str) -> Registration11 | None:
        """The LTI 1.1 registration that an admin linked to this one; the first, of several."""
        linked = sorted(former for current, former in self._now().linked if current == name)
        return next((self._from_file11[one] for one in linked if one in self._from_file11), None)

    def parted(self, name: str, former: str) -> bool:
        """Whether an admin said that these two are not the same LMS."""
        return (name, former) in self._now().parted

    def clashes(self) -> list[str]:
        """Registrations of the database that the file leaves without effect, in words."""
        return [problem for _, problem in self._clashes(self._source.stored())]

    def clash(self, name: str, issuer: str = "", client_id: str = "") -> str:
        """Why the file leaves no room for such a registration, in words; empty when it does."""
        if name in self.in_file:
            return f"{name!r} is the name of an LMS in the configuration file"
        for one in self._from_file13:
            if (one.issuer, one.client_id) == (issuer, client_id):
                return (
                    f"{name!r} has the issuer and client_id of {one.name!r} in the file: write"
                    " both into the file, each with deployment_ids of its own, or give one of them"
                    " another issuer (a Canvas of your own: lti_iss in its config/security.yml)"
                )
        return ""

    def _now(self, pause_s: float = LOOK_EVERY_S) -> _Known:
        return self._watched.now(pause_s)

    def _look(self) -> _Known:
        stored = self._source.stored()
        clashing = self._clashes(stored)
        for name, problem in clashing:
            log.error("registration.clash", extra={"registration": name, "reason": problem})
        left_out = {name for name, _ in clashing}
        found = [read(facts) for facts in stored.active if facts["name"] not in left_out]
        by13 = Registrations([*self._from_file13, *found])
        named = self._named(found)
        kept = (stored.linked, stored.parted, stored.waiting, stored.retired)
        return _Known(by13, named, *kept)

    def _named(self, found: Iterable[Registration13]) -> dict[str, Registration11 | Registration13]:
        named: dict[str, Registration11 | Registration13] = dict(self._from_file11)
        named.update((one.name, one) for one in (*self._from_file13, *found))
        return named

    def _clashes(self, stored: Stored) -> list[tuple[str, str]]:
        """Those of the database that are left out, and why: the file and who came first win."""
        found: list[tuple[str, str]] = []
        trusted = list(self._from_file13)
        stored13 = [read(facts) for facts in stored.active]
        everybody = [*trusted, *stored13]
        for one in stored13:
            problem = self.clash(one.name, one.issuer, one.client_id)
            if not problem and (problem := belonging.taken(one, everybody, trusted)):
                problem = f"{one.name!r}: {problem}"
            if problem:
                found.append((one.name, problem))
            else:
                trusted.append(one)
        return found


class AllOf(Mapping[str, Registration11 | Registration13]):
    """A directory as a mapping by name, for those who deliver grades."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Registration11 | Registration13:
        found = self._directory.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._directory.names())

    def __len__(self) -> int:
        return len(self._directory.names())


def read(facts: Mapping[str, Any]) -> Registration13:
    """A registration of the database from its facts."""
    ids, keys = facts.get("deployment_ids", "any"), facts.get("public_keys", "")
    return Registration13(
        name=facts["name"],
        issuer=facts["issuer"],
        client_id=facts["client_id"],
        authorization_url=facts["authorization_url"],
        token_url=facts["token_url"],
        jwks_url=given_keys.address(keys) if keys else facts["jwks_url"],
        deployment_ids=None if ids == "any" else frozenset(ids),
        auth_audience=facts.get("auth_audience", ""),
        own_key=bool(facts.get("own_key")),
        by_address=True,
        service_hosts=frozenset(facts.get("service_hosts", ())),
    )
