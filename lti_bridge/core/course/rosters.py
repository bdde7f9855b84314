"""Who is in a course, as far as its LMS tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lti_bridge.core.launch.message import Launch, Person

NAMES_AND_ROLES = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"


def members_url(launch: Launch) -> str:
    """Where the LMS lists the members of a launch's course; empty when it does not say.

    From the signed claim only (NRPS 2.0 §3.6.1.1), whoever clicked: the list is of the course.
    """
    claim = launch.extra.get(NAMES_AND_ROLES)
    url = claim.get("context_memberships_url") if isinstance(claim, Mapping) else None
    return url if isinstance(url, str) and launch.context.id else ""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a course as the LMS lists it; `roles` are full URIs (LTI 1.3).

    Not `active`: the LMS says that the member has left the course, or may not use it now.
    """

    person: Person
    roles: tuple[str, ...]
    active: bool = True


class Roster(Protocol):
    """The lists of members that LMSs let us read."""

    def members(
        self, registration: str, deployment_id: str, context_id: str
    ) -> list[Member] | None:
        """Everybody in a course; None when its LMS has offered no list.

        Raises DeliveryFailed (later, perhaps), DeliveryRefused or a network error.
        """
