"""Links: placements of the tool in courses, under all the names that LMSs have for them."""

from __future__ import annotations

from sqlalchemy import text

from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Link
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

FIND_LINK = text(
    "SELECT l.id, l.activity_id, l.context_id FROM links l WHERE l.registration = :registration"
    " AND l.deployment_id = :deployment_id AND l.context_id = :context_id"
    " AND l.resource_link_id = :resource_link_id AND NOT EXISTS (SELECT 1 FROM link_aliases n"
    " WHERE n.registration = :registration AND n.deployment_id = :deployment_id"
    " AND n.context_id = :context_id AND n.resource_link_id = :resource_link_id)"
    " UNION ALL SELECT o.id, o.activity_id, CASE WHEN o.registration = :registration"
    " AND o.deployment_id = :deployment_id THEN o.context_id ELSE '' END"
    " FROM link_aliases a JOIN links o ON o.id = a.link_id"
    " WHERE a.registration = :registration AND a.deployment_id = :deployment_id"
    " AND a.context_id = :context_id AND a.resource_link_id = :resource_link_id"
)
SAVE_LINK = text(
    "INSERT INTO links (id, registration, deployment_id, context_id, resource_link_id,"
    " activity_id, created_at) VALUES (:id, :registration, :deployment_id, :context_id,"
    " :resource_link_id, :activity_id, :now)"
    " ON CONFLICT (registration, deployment_id, context_id, resource_link_id)"
    " DO UPDATE SET activity_id = excluded.activity_id RETURNING id, activity_id"
)
POINT_LINK = text("UPDATE links SET activity_id = :activity_id WHERE id = :id")
# A process that has not heard yet that two LMSs were parted must not join them again.
NOT_PARTED = (
    "NOT EXISTS (SELECT 1 FROM succession s WHERE s.state = 'parted' AND ("
    "(s.registration = :registration AND s.former = o.registration)"
    " OR (s.former = :registration AND s.registration = o.registration)))"
)
ALIAS_LINK = text(
    "INSERT INTO link_aliases (registration, deployment_id, context_id, resource_link_id, link_id)"  # noqa: S608
    " SELECT CAST(:registration AS TEXT), CAST(:deployment_id AS TEXT),"
    " CAST(:context_id AS TEXT), CAST(:resource_link_id AS TEXT), o.id FROM links o"
    f" WHERE o.id = :link_id AND {NOT_PARTED} ON CONFLICT DO NOTHING"
)
FORMER_LINK = text(
    "SELECT id, activity_id FROM links WHERE registration = :registration"
    " AND resource_link_id = :resource_link_id ORDER BY created_at DESC LIMIT 1"
)
A_DEPLOYMENT = text("SELECT deployment_id FROM links WHERE registration = :registration LIMIT 1")


def a_deployment(database: Database, registration: str) -> str:
    """A deployment by which this LMS has launched; empty before its first launch."""
    with database.reading() as connection:
        found = connection.execute(A_DEPLOYMENT, {"registration": registration}).scalar()
    return str(found or "")


class LinkSteps(Statements):
    """The part of a transaction that is about links."""

    def find_link(self, launch: Launch) -> Link | None:
        """The link that this launch came by, if it was seen before."""
        row = self._row(FIND_LINK, **placement(launch))
        return Link(*row) if row else None

    def save_link(self, launch: Launch, activity_id: str, new_id: str) -> Link:
        """Create the link, or let it point to `activity_id`."""
        now = rows.ms(launch.received_at)
        row = self._row(SAVE_LINK, id=new_id, activity_id=activity_id, now=now, **placement(launch))
        return Link(*row)

    def point_link(self, link_id: str, activity_id: str) -> None:
        """Let a link that is there open another activity."""
        self._changes(POINT_LINK, id=link_id, activity_id=activity_id)

    def alias_link(self, launch: Launch, link_id: str) -> None:
        """Let the place that this launch came from be that link."""
        self._changes(ALIAS_LINK, link_id=link_id, **placement(launch))

    def former_link(self, registration: str, resource_link_id: str) -> Link | None:
        """The newest link of this LMS that had this id, in whatever course."""
        who = {"registration": registration, "resource_link_id": resource_link_id}
        row = self._row(FORMER_LINK, **who)
        return Link(*row) if row else None


def placement(launch: Launch) -> dict[str, str]:
    """Where in which course of which LMS a launch came from, as columns."""
    return {
        "registration": launch.registration,
        "deployment_id": launch.deployment_id,
        "context_id": launch.context.id,
        "resource_link_id": launch.resource_link.id,
    }
