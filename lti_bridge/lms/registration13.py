"""The trust with LTI 1.3 platforms: what the admin registered, found by issuer and client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lti_bridge.errors import BrowserRefused, ConfigurationError, UnknownIssuer


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
    """All registered LTI 1.3 platforms. Raises ConfigurationError when two look the same."""

    def __init__(self, registrations: Iterable[Registration13]) -> None:
        self._by_name: dict[str, Registration13] = {}
        self._by_issuer: dict[str, dict[str, Registration13]] = {}
        for registration in registrations:
            clients = self._by_issuer.setdefault(registration.issuer, {})
            if registration.name in self._by_name or registration.client_id in clients:
                raise ConfigurationError(
                    f"LMS {registration.name!r}: its name, or its issuer with its client_id, "
                    "is registered twice"
                )
            self._by_name[registration.name] = registration
            clients[registration.client_id] = registration

    def find(self, issuer: str, client_id: str = "") -> Registration13:
        """Return the registration; raises UnknownIssuer when there is none, or a choice.

        A platform may leave `client_id` out; with several clients of one issuer the choice is
        refused rather than guessed (Core 1.3 section 4.1.3).
        """
        clients = self._by_issuer.get(issuer, {})
        if client_id:
            found = clients.get(client_id)
        else:
            found = next(iter(clients.values())) if len(clients) == 1 else None
        if found is None:
            raise UnknownIssuer(
                f"issuer {issuer!r:.200} with client_id {client_id!r:.200}: "
                f"{len(clients)} clients of this issuer are registered"
            )
        return found

    def named(self, name: str) -> Registration13:
        """Return the registration a login was made for; BrowserRefused if it is gone since."""
        registration = self._by_name.get(name)
        if registration is None:
            raise BrowserRefused(f"the registration {name!r} of this login is gone")
        return registration
