"""Learners and links that an LMS knows under more than one name, part of a transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import TextClause, text

from lti_bridge.core.launch.message import Launch

# One statement each, because every click runs them: an alias comes before a row of its own.
FIND_LEARNER = text(
    "SELECT l.id FROM learners l WHERE l.registration = :registration AND l.user_id = :user_id"
    " AND NOT EXISTS (SELECT 1 FROM learner_aliases n WHERE n.registration = :registration"
    " AND n.user_id = :user_id) UNION ALL SELECT a.learner_id FROM learner_aliases a"
    " WHERE a.registration = :registration AND a.user_id = :user_id"
)
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
# A process that has not heard yet that two LMSs were parted must not join them again.
NOT_PARTED = (
    "NOT EXISTS (SELECT 1 FROM succession s WHERE s.state = 'parted' AND ("
    "(s.registration = :registration AND s.former = o.registration)"
    " OR (s.former = :registration AND s.registration = o.registration)))"
)
ALIAS_LEARNER = text(
    "INSERT INTO learner_aliases (registration, user_id, learner_id)"  # noqa: S608 - constants
    " SELECT CAST(:registration AS TEXT), CAST(:user_id AS TEXT), o.id FROM learners o"
    f" WHERE o.id = :learner_id AND {NOT_PARTED} ON CONFLICT DO NOTHING"
)
ALIAS_LINK = text(
    "INSERT INTO link_aliases (registration, deployment_id, context_id, resource_link_id, link_id)"  # noqa: S608
    " SELECT CAST(:registration AS TEXT), CAST(:deployment_id AS TEXT),"
    " CAST(:context_id AS TEXT), CAST(:resource_link_id AS TEXT), o.id FROM links o"
    f" WHERE o.id = :link_id AND {NOT_PARTED} ON CONFLICT DO NOTHING"
)
POINT_LINK = text("UPDATE links SET activity_id = :activity_id WHERE id = :id")
LEARNER_BEGAN = text("SELECT 1 FROM attempts WHERE learner_id = :id LIMIT 1")
LINK_BEGAN = text("SELECT 1 FROM attempts WHERE link_id = :id LIMIT 1")


class Aliases:
    """What `store.transaction.Steps` knows of further names."""

    def known_learner(self, registration: str, user_id: str) -> str:
        """The id of this LMS user's learner; empty for one who was never here."""
        row = self._row(FIND_LEARNER, registration=registration, user_id=user_id)
        return str(row[0]) if row else ""

    def alias_learner(self, registration: str, user_id: str, learner_id: str) -> None:
        """Let this LMS user be that learner."""
        who = {"registration": registration, "user_id": user_id}
        self._changes(ALIAS_LEARNER, learner_id=learner_id, **who)

    def alias_link(self, launch: Launch, link_id: str) -> None:
        """Let the place that this launch came from be that link."""
        self._changes(ALIAS_LINK, link_id=link_id, **placement(launch))

    def has_begun(self, *, learner_id: str = "", link_id: str = "") -> bool:
        """Whether there is an attempt of this learner, or at this link."""
        statement = LEARNER_BEGAN if learner_id else LINK_BEGAN
        return self._row(statement, id=learner_id or link_id) is not None

    def point_link(self, link_id: str, activity_id: str) -> None:
        """Let a link that is there open another activity."""
        self._changes(POINT_LINK, id=link_id, activity_id=activity_id)

    def _row(self, statement: TextClause, **values: Any) -> Any:
        raise NotImplementedError

    def _changes(self, statement: TextClause, **values: Any) -> bool:
        raise NotImplementedError


def placement(launch: Launch) -> dict[str, str]:
    """Where in which course of which LMS a launch came from, as columns."""
    return {
        "registration": launch.registration,
        "deployment_id": launch.deployment_id,
        "context_id": launch.context.id,
        "resource_link_id": launch.resource_link.id,
    }
