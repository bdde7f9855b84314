"""Line items and scores of LTI 1.3 tools; what a row stands for belongs to one connection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.grade.states import SCORE_SCOPE
from lti_bridge.core.records import Attempt, Link, Locked
from lti_bridge.core.tool.line_items import Place, ToolContext, ToolLineItem, ToolScore
from lti_bridge.store import rows
from lti_bridge.store.attempts import CELL, OF_CELL
from lti_bridge.store.engine import Database
from lti_bridge.store.transaction import Steps

COLUMNS = "id, context_id, label, maximum, link_id, resource_id, tag, more, by_tool"
# Of several line items of one link the declared one decides the grade, else the oldest.
DECIDING = "ORDER BY i.by_tool, i.created_at, i.id LIMIT 1"
DECIDES = (  # there is none before it, which needs no sorting
    "p.link_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tool_line_items i"
    " WHERE i.link_id = p.link_id AND i.context_id = p.context_id"
    " AND (i.by_tool, i.created_at, i.id) < (p.by_tool, p.created_at, p.id))"
)
ITEM = (
    "p.id = :id AND p.context_id = :context_id AND c.id = p.context_id"
    " AND c.connection = :connection"
)
USER = "u.connection = :connection AND u.user_id = :user_id"
PLACE = text(
    f"SELECT p.link_id, CASE WHEN {DECIDES} THEN 1 ELSE 0 END, u.learner_id,"  # noqa: S608 - constants
    " s.at, s.given, s.maximum, s.more FROM tool_line_items p"
    f" JOIN tool_contexts c ON {ITEM} LEFT JOIN tool_users u ON {USER} LEFT JOIN tool_scores s"
    " ON s.line_item_id = p.id AND s.learner_id = u.learner_id"
)
TOOL_USER = (
    "SELECT learner_id FROM tool_users WHERE connection = :connection AND user_id = :user_id"
)
IN_CONTEXT = text(
    "SELECT 1 FROM tool_contexts c JOIN links l ON l.registration = c.registration"
    " AND l.deployment_id = c.deployment_id AND l.context_id = c.context_id"
    " JOIN attempts a ON a.link_id = l.id AND a.learner_id = :learner_id"
    " AND a.connection = c.connection AND a.number > 0 WHERE c.id = :id"
    " UNION ALL SELECT 1 FROM tool_members m"
    " WHERE m.context_id = :id AND m.learner_id = :learner_id LIMIT 1"
)
SAVE_MEMBER = text(
    "INSERT INTO tool_members (context_id, learner_id) VALUES (:context_id, :learner_id)"
    " ON CONFLICT DO NOTHING"
)
FORGET_MEMBER = text(
    "DELETE FROM tool_members WHERE context_id = :context_id AND learner_id = :learner_id"
)
OPENED_BY = text("SELECT activity_id FROM links WHERE id = :link_id")
# Where AGS has the grades of this link: as the newest launch says, a learner's or the staff's.
PLACES = (
    "SELECT registration, deployment_id, family, line_item, line_items, scopes,"  # noqa: S608 - constants
    " launched_at AS at FROM grades WHERE link_id = :link_id"
    f" AND (line_item <> '' OR line_items <> '') AND scopes LIKE '%{SCORE_SCOPE}%' UNION ALL"
    " SELECT registration, deployment_id, family, line_item, line_items, scopes, noted_at"
    " FROM link_places WHERE link_id = :link_id ORDER BY at DESC LIMIT 1"
)
NAMES = (
    "SELECT registration, user_id FROM learners WHERE id = :learner_id"
    " UNION ALL SELECT registration, user_id FROM learner_aliases WHERE learner_id = :learner_id"
)
ADD_CELL = text(
    "INSERT INTO grades (id, link_id, learner_id, version, registration, deployment_id, user_id,"  # noqa: S608 - constants
    " outcome_url, sourced_id, line_item, line_items, scopes, delivery, tries, stamp,"
    " stamp_version, delivered_version, last_error, changed_at, family, launched_at)"
    " SELECT CAST(:id AS TEXT), CAST(:link_id AS TEXT), CAST(:learner_id AS TEXT), 0,"
    " p.registration, p.deployment_id, u.user_id, '', '', p.line_item, p.line_items, p.scopes,"
    " 'none', 0, 0, 0, 0, '', CAST(:now AS BIGINT), p.family, CAST(:now AS BIGINT)"
    f" FROM ({PLACES}) p JOIN ({NAMES}) u ON u.registration = p.registration"
    " WHERE true ORDER BY u.user_id LIMIT 1 ON CONFLICT DO NOTHING"
)
SAVE_SCORE = text(
    "INSERT INTO tool_scores (line_item_id, learner_id, at, given, maximum, more)"
    " VALUES (:id, :learner_id, :at, :given, :maximum, :more)"
    " ON CONFLICT (line_item_id, learner_id) DO UPDATE SET at = excluded.at,"
    " given = excluded.given, maximum = excluded.maximum, more = excluded.more"
    " WHERE tool_scores.at < excluded.at"
)
# An outcome has no time of its own: it counts as said now, and after what is there.
SAVE_OUTCOME = text(
    "INSERT INTO tool_scores (line_item_id, learner_id, at, given, maximum, more)"  # noqa: S608
    " SELECT d.id, :learner_id, CAST(:at AS BIGINT), CAST(:given AS TEXT),"
    " CAST(:maximum AS TEXT), '{}' FROM (SELECT i.id FROM tool_line_items i"
    " JOIN tool_contexts c ON c.id = i.context_id"
    f" WHERE i.link_id = :link_id AND c.connection = :connection {DECIDING}) d WHERE true"
    " ON CONFLICT (line_item_id, learner_id) DO UPDATE SET given = excluded.given,"
    " maximum = excluded.maximum, at = CASE WHEN tool_scores.at < excluded.at"
    " THEN excluded.at ELSE tool_scores.at + 1 END"
)
SAVE_TOOL_USER = text(
    "INSERT INTO tool_users (connection, user_id, learner_id)"
    " VALUES (:connection, :user_id, :learner_id) ON CONFLICT DO NOTHING"
)
CONTEXT = text(
    "SELECT id, connection, registration, deployment_id, context_id FROM tool_contexts"
    " WHERE id = :id AND connection = :connection"
)
LINK_IN = text(
    "SELECT id, activity_id FROM links WHERE id = :link_id AND registration = :registration"
    " AND deployment_id = :deployment_id AND context_id = :context_id"
)
ADD = text(
    f"INSERT INTO tool_line_items ({COLUMNS}, created_at)"  # noqa: S608 - constants
    " VALUES (:id, :context_id, :label,"
    " :maximum, :link_id, :resource_id, :tag, :more, :by_tool, :now)"
)
ONE = text(
    f"SELECT {COLUMNS} FROM tool_line_items WHERE id = :id AND context_id = :context_id"  # noqa: S608
)
LIST = text(
    f"SELECT {COLUMNS} FROM tool_line_items WHERE context_id = :context_id AND id > :after"  # noqa: S608
    " AND (:link_id = '' OR link_id = :link_id) AND (:resource_id = ''"
    " OR resource_id = :resource_id) AND (:tag = '' OR tag = :tag) ORDER BY id LIMIT :limit"
)
CHANGE = text(
    "UPDATE tool_line_items SET label = :label, maximum = :maximum, resource_id = :resource_id,"
    " tag = :tag, more = :more WHERE id = :id"
)
REMOVE = text("DELETE FROM tool_line_items WHERE id = :id AND by_tool = 1")
# Where a teacher has put another grade into the LMS, that one counts (AGS section 1.1). Towards a
# tool a page starts after a user id of its own, as no tool may learn another one.
SCORES = text(
    "SELECT s.learner_id, s.at, s.given, s.maximum, s.more, g.shown FROM tool_scores s"  # noqa: S608
    " JOIN tool_line_items p ON p.id = s.line_item_id LEFT JOIN grades g ON g.link_id = p.link_id"
    " AND g.learner_id = s.learner_id AND g.overridden = 1 AND g.shown LIKE '%/%'"
    f" AND {DECIDES}"
    " WHERE s.line_item_id = :id AND (s.given IS NOT NULL OR g.shown IS NOT NULL)"
    f" AND (:user_id = '' OR s.learner_id = ({TOOL_USER})) AND (:after = '' OR s.learner_id >"
    f" ({TOOL_USER.replace(':user_id', ':after')})) ORDER BY s.learner_id LIMIT :limit"
)


class ToolSteps(Steps):
    """The `core.tool_grades.ToolTransaction` of one open transaction."""

    def place(
        self, connection: str, context_id: str, line_item_id: str, user_id: str
    ) -> Place | None:
        """The place of a score at a line item of this connection; None: it has no such line item.

        Nobody deletes the line item meanwhile, and one transaction at a time gets the learner.
        """
        values = {"connection": connection, "context_id": context_id, "id": line_item_id}
        self._lock(_locking(self._for_update)["place"], **values, user_id=user_id)
        row = self._row(PLACE, **values, user_id=user_id)
        if row is None:
            return None
        link_id, decides, learner_id, *before = row
        score = None if before[0] is None else _score(*before)
        return Place(link_id or "", bool(decides), learner_id or "", score)

    def lock_newest(self, link_id: str, learner_id: str, connection: str) -> Locked | None:
        """The open attempt, else the newest one, with its gradebook cell, locked."""
        where = {"link_id": link_id, "learner_id": learner_id}
        self._lock(_locking(self._for_update)["newest"], **where, connection=connection)
        found = self._rows(CELL, **where)
        if not found:
            return None
        cell, attempts = rows.cell(found)
        opened = {one.attempt_id for one in cell.attempts if one.is_open}
        newest = max(
            [one for one in attempts if one.connection == connection],
            key=lambda one: (one.id in opened, one.number),
            default=None,
        )
        return Locked(newest, cell) if newest else None

    def is_in_context(self, context_id: str, learner_id: str) -> bool:
        """Whether the tool knows them in this course: by an attempt, or from the list."""
        return self._row(IN_CONTEXT, id=context_id, learner_id=learner_id) is not None

    def save_member(self, context_id: str, learner_id: str, *, listed: bool) -> None:
        """Remember whether this course's list, as the tool read it last, has this learner."""
        statement = SAVE_MEMBER if listed else FORGET_MEMBER
        self._changes(statement, context_id=context_id, learner_id=learner_id)

    def opened_by(self, link_id: str) -> str:
        """The id of the activity that a link opens; empty for no link."""
        row = self._row(OPENED_BY, link_id=link_id)
        return str(row[0]) if row else ""

    def add_cell(self, cell_id: str, link_id: str, learner_id: str, now: datetime) -> None:
        """Make the learner's cell where others of this link have theirs by AGS, if anywhere."""
        where = {"link_id": link_id, "learner_id": learner_id}
        self._changes(ADD_CELL, id=cell_id, now=rows.ms(now), **where)

    def save_tool_score(self, line_item_id: str, learner_id: str, score: ToolScore) -> bool:
        """Keep the score; False when one of the same time or a later one is there."""
        return self._changes(
            SAVE_SCORE,
            id=line_item_id,
            learner_id=learner_id,
            at=score.at,
            more=json.dumps(dict(score.more)),
            **rows.score_columns(score.score),
        )

    def save_outcome(self, attempt: Attempt, score: Score | None, at: int) -> None:
        """Let the line item of the attempt's link show what Basic Outcomes said."""
        self._changes(
            SAVE_OUTCOME,
            link_id=attempt.link_id,
            learner_id=attempt.learner_id,
            connection=attempt.connection,
            at=at,
            **rows.score_columns(score),
        )

    def save_tool_user(self, connection: str, user_id: str, learner_id: str) -> None:
        """Remember by which id a tool knows a learner."""
        values = {"connection": connection, "user_id": user_id, "learner_id": learner_id}
        self._changes(SAVE_TOOL_USER, **values)


class LineItems13:
    """The `core.tool_grades.ToolStore` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[ToolSteps]:
        """Several steps as one."""
        with self._database.cursor() as cursor:
            yield ToolSteps(cursor, self._database)

    def context(self, connection: str, context_id: str) -> ToolContext | None:
        """A course of this connection."""
        row = self._first(CONTEXT, id=context_id, connection=connection)
        return ToolContext(*row) if row else None

    def link_in(self, context: ToolContext, link_id: str) -> Link | None:
        """A link of this course."""
        row = self._first(
            LINK_IN,
            link_id=link_id,
            registration=context.registration,
            deployment_id=context.deployment_id,
            context_id=context.context_id,
        )
        return Link(*row) if row else None

    def add(self, item: ToolLineItem, now: datetime) -> None:
        """Keep a new line item."""
        values = {"context_id": item.context_id, "link_id": item.link_id or None}
        with self._database.writing() as connection:
            connection.execute(
                ADD,
                {**_definition(item), **values, "by_tool": int(item.by_tool), "now": rows.ms(now)},
            )

    def line_item(self, context_id: str, line_item_id: str) -> ToolLineItem | None:
        """One line item of a course."""
        row = self._first(ONE, id=line_item_id, context_id=context_id)
        return _line_item(row) if row else None

    def line_items(
        self, context_id: str, filters: Mapping[str, str], after: str, limit: int
    ) -> list[ToolLineItem]:
        """Line items in the order of their ids; filters: link_id, resource_id, tag."""
        values = {name: filters.get(name, "") for name in ("link_id", "resource_id", "tag")}
        values["context_id"], values["after"] = context_id, after
        with self._database.reading() as connection:
            found = connection.execute(LIST, {**values, "limit": limit}).fetchall()
        return [_line_item(row) for row in found]

    def change(self, item: ToolLineItem) -> bool:
        """Keep the new definition of a line item; False when it is gone."""
        with self._database.writing() as connection:
            return connection.execute(CHANGE, _definition(item)).rowcount > 0

    def remove(self, line_item_id: str) -> bool:
        """Delete a line item with its scores, unless the bridge declared it; whether it did."""
        with self._database.writing() as connection:
            return connection.execute(REMOVE, {"id": line_item_id}).rowcount > 0

    def scores(
        self, line_item_id: str, connection: str, user_id: str, after: str, limit: int
    ) -> list[tuple[str, ToolScore]]:
        """Learners and their scores that count, always in the same order.

        `user_id` leaves at most one, `after` those behind that user, both as the connection
        knows them; empty: all.
        """
        values = {"id": line_item_id, "connection": connection, "user_id": user_id}
        with self._database.reading() as opened:
            found = opened.execute(SCORES, {**values, "after": after, "limit": limit}).fetchall()
        return [(row.learner_id, _counting(row)) for row in found]

    def _first(self, statement: TextClause, **values: Any) -> Any:
        with self._database.reading() as connection:
            return connection.execute(statement, values).first()


@cache
def _locking(for_update: str) -> dict[str, TextClause]:
    # A line item is only kept from being deleted, which scores of all its users may do at once.
    return {
        "place": text(
            "SELECT 1 FROM tool_line_items p, tool_contexts c, tool_users u"  # noqa: S608 - constants
            f" WHERE {ITEM} AND {USER} FOR KEY SHARE OF p {for_update} OF u"
        ),
        "newest": text(
            f"SELECT 1 FROM attempts a JOIN grades g ON {OF_CELL} WHERE a.link_id = :link_id"  # noqa: S608 - constants
            " AND a.learner_id = :learner_id AND a.connection = :connection"
            f" ORDER BY a.is_open DESC, a.number DESC LIMIT 1 {for_update}"
        ),
    }


def _definition(item: ToolLineItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "label": item.label,
        "maximum": format(item.maximum, "f"),
        "resource_id": item.resource_id,
        "tag": item.tag,
        "more": json.dumps(dict(item.more)),
    }


def _line_item(row: Any) -> ToolLineItem:
    return ToolLineItem(
        id=row.id,
        context_id=row.context_id,
        label=row.label,
        maximum=Decimal(row.maximum),
        link_id=row.link_id or "",
        resource_id=row.resource_id,
        tag=row.tag,
        more=json.loads(row.more),
        by_tool=bool(row.by_tool),
    )


def _score(at: int, given: str | None, maximum: str | None, more: str) -> ToolScore:
    return ToolScore(at, rows.score(given, maximum), json.loads(more))


def _counting(row: Any) -> ToolScore:
    if row.shown is None:
        return _score(row.at, row.given, row.maximum, row.more)
    given, _, maximum = row.shown.partition("/")
    return ToolScore(row.at, rows.score(given, maximum), {})
