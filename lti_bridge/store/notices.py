"""Where LMSs are asked for notices about copied courses, and how that went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from lti_bridge.core.course.notice_services import Service
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

OFFERED = text(
    "INSERT INTO notice_services (registration, deployment_id, url, due_at)"
    " VALUES (:registration, :deployment_id, :url, :now)"
    " ON CONFLICT (registration, deployment_id) DO UPDATE SET url = excluded.url,"
    " due_at = excluded.due_at, tries = 0 WHERE notice_services.url <> excluded.url"
)
IS_DUE = "(due_at <= :now OR base <> :base)"
DUE = text(
    f"SELECT registration, min(due_at) AS due_at FROM notice_services WHERE {IS_DUE}"  # noqa: S608 - constants
    " GROUP BY registration"
)
CLAIM = text(
    "UPDATE notice_services SET base = :base, due_at = :until"  # noqa: S608 - constants
    " WHERE registration = :registration AND deployment_id = :deployment_id"
    f" AND {IS_DUE} RETURNING registration, deployment_id, url, tries"
)
OF_LMS = text(
    f"SELECT deployment_id FROM notice_services WHERE registration = :registration AND {IS_DUE}"  # noqa: S608
    " ORDER BY due_at, deployment_id LIMIT :most"
)
SETTLE = text(
    "UPDATE notice_services SET handler = CASE WHEN CAST(:said AS TEXT) = '' THEN :handler"
    " ELSE handler END, tries = CASE WHEN CAST(:said AS TEXT) = '' THEN 0 ELSE tries + 1 END,"
    " said = :said, due_at = :due_at WHERE registration = :registration"
    " AND deployment_id = :deployment_id AND url = :url"
)
ALL = text(
    "SELECT registration, deployment_id, handler, said FROM notice_services"
    " ORDER BY registration, deployment_id"
)
MAX_SAID = 300


@dataclass(frozen=True, slots=True)
class Told:
    """One deployment, the address that its LMS sends notices to, and why it last did not."""

    registration: str
    deployment_id: str
    handler: str
    said: str


class NoticeServices:
    """The notice services of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def offered(self, registration: str, deployment_id: str, url: str, now: datetime) -> None:
        """Keep the service of a deployment; another one than before is due at once."""
        values = {"registration": registration, "deployment_id": deployment_id, "url": url}
        with self._database.writing() as connection:
            connection.execute(OFFERED, {**values, "now": rows.ms(now)})

    def due(self, base: str, now: datetime) -> Mapping[str, datetime]:
        """The registrations with services to be asked: they are due, or know another base."""
        values = {"base": base, "now": rows.ms(now)}
        with self._database.reading() as connection:
            found = connection.execute(DUE, values).fetchall()
        return {row.registration: min(rows.moment(row.due_at), now) for row in found}

    def claim(
        self, registration: str, base: str, now: datetime, until: datetime, limit: int
    ) -> Sequence[Service]:
        """Services of a registration that are due, which nobody else gets until then."""
        values = {"registration": registration, "base": base, "now": rows.ms(now)}
        claimed: list[Row[Any]] = []
        with self._database.writing() as connection:
            for row in connection.execute(OF_LMS, {**values, "most": limit}).fetchall():
                one = {**values, "deployment_id": row.deployment_id, "until": rows.ms(until)}
                claimed += connection.execute(CLAIM, one).fetchall()
        return [Service(one.registration, one.deployment_id, one.url, one.tries) for one in claimed]

    def settle(self, service: Service, handler: str, said: str, due_at: datetime) -> None:
        """Keep what is set there now, or what it `said` instead, and when it is asked again."""
        values = {
            "registration": service.registration,
            "deployment_id": service.deployment_id,
            "url": service.url,
        }
        told = {"handler": handler, "said": said[:MAX_SAID], "due_at": rows.ms(due_at)}
        with self._database.writing() as connection:
            connection.execute(SETTLE, values | told)

    def all(self) -> list[Told]:
        """What every LMS that offers notices was told."""
        with self._database.reading() as connection:
            return [Told(*row) for row in connection.execute(ALL)]
