"""Where an LMS is asked to tell of copied courses by itself, and who keeps that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one deployment, and how often in a row it did not take our address."""

    registration: str
    deployment_id: str
    url: str
    tries: int


class Services(Protocol):
    """Where the services are kept that launches named."""

    def offered(self, registration: str, deployment_id: str, url: str, now: datetime) -> None:
        """Keep the service of a deployment; another one than before is due at once."""

    def due(self, base: str, now: datetime) -> Mapping[str, datetime]:
        """The registrations with services to be asked: they are due, or know another base."""

    def claim(
        self, registration: str, base: str, now: datetime, until: datetime, limit: int
    ) -> Sequence[Service]:
        """Services of a registration that are due, which nobody else gets until then."""

    def settle(self, service: Service, handler: str, said: str, due_at: datetime) -> None:
        """Keep what is set there now, or what it `said` instead, and when it is asked again."""
