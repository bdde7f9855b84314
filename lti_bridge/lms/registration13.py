"""The trust with LTI 1.3 platforms: what the admin registered, found by issuer and client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lti_bridge.errors import (
    BrowserRefused,
    ConfigurationError,
    LmsAmbiguous,
    UnknownDeployment,
    UnknownIssuer,
)


@dataclass(frozen=True, slots=True)
class Registration13:
    """One LMS. `deployment_ids` None means any deployment of it.

    `jwks_url` is where its keys are, or stands for them (lti.given_keys).
    `auth_audience` is the `aud` of token requests where that is not the token URL. `inline`
    lets its links write an activity out in custom parameters; `allow_anonymous` lets launches
    without a user in, which are never graded. `own_key`: what we sign for it is signed by a key
    that is used for no other LMS. `by_address`: it named its addresses itself, at its
    registration; `service_hosts` are those beside its issuer's that an admin confirmed as its own
    (lms.belonging).
    """

    name: str
    issuer: str
    client_id: str
    authorization_url: str
    token_url: str
    jwks_url: str
    deployment_ids: frozenset[str] | None = None
    auth_audience: str = ""
    inline: bool = False
    allow_anonymous: bool = False
    own_key: bool = False
    by_address: bool = False
    service_hosts: frozenset[str] = frozenset()


class Registrations:
    """All registered LTI 1.3 platforms. Raises ConfigurationError when two look the same.

    Two of one issuer and client_id, as Canvases that schools host themselves may be, are two where
    each lists deployments of its own.
    """

    def __init__(self, registrations: Iterable[Registration13]) -> None:
        self._by_name: dict[str, Registration13] = {}
        self._by_issuer: dict[str, list[Registration13]] = {}
        for registration in registrations:
            of_issuer = self._by_issuer.setdefault(registration.issuer, [])
            same = [one for one in of_issuer if one.client_id == registration.client_id]
            apart = all(_are_two(one, registration) for one in same)
            if registration.name in self._by_name or not apart:
                raise ConfigurationError(
                    f"LMS {registration.name!r}: its name, or its issuer with its client_id, "
                    "is registered twice, and no lists of deployment_ids tell them apart"
                )
            self._by_name[registration.name] = registration
            of_issuer.append(registration)

    def find(self, issuer: str, client_id: str = "", deployment_id: str = "") -> Registration13:
        """Return the registration that a login means.

        A platform may leave `client_id` out; with several clients of one issuer the choice is
        refused rather than guessed (Core 1.3 section 4.1.3). Where several are left, the
        deployment decides. Raises UnknownIssuer when there is none, LmsAmbiguous when there is a
        choice, UnknownDeployment when the deployment is none of theirs.
        """
        known = self._by_issuer.get(issuer, [])
        found = [one for one in known if client_id in ("", one.client_id)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(one.name for one in found))
        said = f"issuer {issuer!r:.200} with client_id {client_id!r:.200}: "
        if not found:
            raise UnknownIssuer(f"{said}{len(known)} clients of this issuer are registered")
        if not client_id or not deployment_id:
            lacks = "deployment_id" if client_id else "client_id"
            raise LmsAmbiguous(f"{said}it may be any of {names}; the login has no {lacks}")
        for one in found:
            if deployment_id in (one.deployment_ids or ()):
                return one
        raise UnknownDeployment(f"{said}deployment {deployment_id!r:.255} is none of {names}")

    def named(self, name: str) -> Registration13:
        """Return the registration a login was made for; BrowserRefused if it is gone since."""
        registration = self._by_name.get(name)
        if registration is None:
            raise BrowserRefused(f"the registration {name!r} of this login is gone")
        return registration

    def all13(self) -> tuple[Registration13, ...]:
        """All of them."""
        return tuple(self._by_name.values())

    def retired(self, issuer: str, client_id: str = "") -> str:
        """The name of a registration that was ended, "" when there was none like it."""
        return ""


def _are_two(first: Registration13, second: Registration13) -> bool:
    """Whether the deployment tells two of one issuer and client_id apart."""
    if first.deployment_ids is None or second.deployment_ids is None:
        return False
    return first.deployment_ids.isdisjoint(second.deployment_ids)
