"""Gradebook cells: where each is, what it is to show, and sending grades again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, text

from lti_bridge.core.grade.states import MOVES, STUCK, Wish
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import GradeCell
from lti_bridge.store import rows
from lti_bridge.store.columns import MADE_AGAIN
from lti_bridge.store.engine import Database
from lti_bridge.store.rosters import DEPARTED
from lti_bridge.store.statements import Statements, one_of

# core.grade.states.at_launch in SQL, so that a click needs one statement and reads nothing first;
# tests/store/test_states.py holds the two together.
MOVED = (
    f"CASE WHEN grades.delivery IN {one_of(STUCK)} AND grades.overridden = 0 AND "
    "(grades.outcome_url, grades.sourced_id, grades.line_item, grades.line_items, grades.scopes)"
    " <> (excluded.outcome_url, excluded.sourced_id, excluded.line_item, excluded.line_items,"
    " excluded.scopes)"
)
SAVE_TARGET = text(
    "INSERT INTO grades (id, link_id, learner_id, version, registration,"  # noqa: S608 - constants
    " deployment_id, user_id,"
    " outcome_url, sourced_id, line_item, line_items, scopes, delivery, tries, stamp,"
    " stamp_version, delivered_version, last_error, changed_at, family, launched_at)"
    " VALUES (:id, :link_id,"
    " :learner_id, 0, :registration, :deployment_id, :user_id, :outcome_url, :sourced_id,"
    " :line_item, :line_items, :scopes, 'none', 0, 0, 0, 0, '', :now, :family, :now)"
    " ON CONFLICT (link_id, learner_id) DO UPDATE SET registration = excluded.registration,"
    " deployment_id = excluded.deployment_id, user_id = excluded.user_id,"
    " outcome_url = excluded.outcome_url, sourced_id = excluded.sourced_id,"
    " line_item = excluded.line_item, line_items = excluded.line_items, scopes = excluded.scopes,"
    " family = excluded.family, launched_at = excluded.launched_at,"
    f" delivery = {MOVED} THEN 'pending' ELSE grades.delivery END,"
    f" due_at = {MOVED} OR (grades.delivery = 'pending' AND grades.lease IS NULL AND {DEPARTED})"
    " THEN :now ELSE grades.due_at END,"
    f" tries = {MOVED} THEN 0 ELSE grades.tries END"
)
SAVE_PLACE = text(
    "INSERT INTO link_places (link_id, registration, deployment_id, family, line_item, line_items,"
    " scopes, noted_at) VALUES (:link_id, :registration, :deployment_id, :family, :line_item,"
    " :line_items, :scopes, :now) ON CONFLICT (link_id) DO UPDATE SET"
    " registration = excluded.registration, deployment_id = excluded.deployment_id,"
    " family = excluded.family, line_item = excluded.line_item, line_items = excluded.line_items,"
    " scopes = excluded.scopes, noted_at = excluded.noted_at"
)
SAVE_WISH = text(
    "UPDATE grades SET given = :given, maximum = :maximum, awaiting = :awaiting,"
    " version = version + 1, tries = 0, delivery = 'pending', due_at = :now, last_error = '',"
    " changed_at = :now WHERE link_id = :link_id AND learner_id = :learner_id"
    " AND version = :version"
)
# The words of an index (attempts_for_people) stand in the condition.
HELD = (
    "SELECT a.link_id, a.learner_id, max(a.held) AS held FROM attempts a"
    " WHERE a.state IN ('unclear', 'held') AND a.state = 'held' GROUP BY a.link_id, a.learner_id"
)
LIST = text(
    "SELECT g.id, g.registration, g.user_id, g.given, g.maximum, g.delivery, g.last_error, g.tries,"  # noqa: S608 - constants
    " g.changed_at, g.shown, g.shown_at, g.overridden, g.awaiting, g.version,"
    f" coalesce(h.held, '') AS held FROM grades g LEFT JOIN ({HELD}) h"
    " ON h.link_id = g.link_id AND h.learner_id = g.learner_id"
    " WHERE (g.version > 0 OR h.held IS NOT NULL)"
    f" AND (:stuck = 0 OR g.delivery IN {one_of(STUCK)} OR h.held IS NOT NULL)"
    " ORDER BY g.changed_at DESC LIMIT :limit"
)
# A new version: an LMS may refuse the timestamp of a score that it was told before.
RESEND = text(
    f"UPDATE grades SET delivery = '{MOVES['sent again'].to}', due_at = :now, tries = 0,"  # noqa: S608 - constants
    " version = version + 1,"
    " forced_version = CASE WHEN :force = 1 THEN version + 1 ELSE forced_version END"
    f" WHERE id IN :ids AND version > 0 AND delivery IN {one_of(MOVES['sent again'].of)}"
).bindparams(bindparam("ids", expanding=True, type_=Text))
SHOWN = text(
    "SELECT id, delivery, last_error, shown, overridden FROM grades WHERE id IN :ids ORDER BY id"
).bindparams(bindparam("ids", expanding=True, type_=Text))
OF_CHOICE = (
    f" FROM grades g WHERE g.version > 0 AND g.delivery IN {one_of(MOVES['sent again'].of)}"  # noqa: S608 - constants
    f" AND (:stuck = 0 OR g.delivery IN {one_of(MOVES['stuck sent again'].of)})"
    " AND (:lms = '' OR g.registration = :lms) AND g.changed_at >= :since"
    " AND (:activity = '' OR g.link_id IN (SELECT id FROM links WHERE activity_id = :activity))"
)
COUNT_CHOSEN = text(f"SELECT count(*){OF_CHOICE}")
SOME_CHOSEN = text(f"SELECT g.id{OF_CHOICE} AND g.id > :after ORDER BY g.id LIMIT :limit")
AT_ONCE = 500  # grades that one transaction sends again


class GradeSteps(Statements):
    """The part of a transaction that is about gradebook cells."""

    def save_target(self, grade_id: str, launch: Launch, link_id: str, learner_id: str) -> None:
        """Keep the newest place for this learner's grade."""
        self._changes(
            SAVE_TARGET,
            id=grade_id,
            link_id=link_id,
            learner_id=learner_id,
            registration=launch.registration,
            deployment_id=launch.deployment_id,
            user_id=launch.person.id,
            family=launch.platform.family,
            now=rows.ms(launch.received_at),
            **rows.target_columns(launch.grade_target),
        )

    def save_place(self, launch: Launch, link_id: str) -> None:
        """Keep where the LMS has the grades of this link by AGS, for who is graded unseen."""
        target = rows.target_columns(launch.grade_target)
        self._changes(
            SAVE_PLACE,
            link_id=link_id,
            registration=launch.registration,
            deployment_id=launch.deployment_id,
            family=launch.platform.family,
            now=rows.ms(launch.received_at),
            **{name: target[name] for name in ("line_item", "line_items", "scopes")},
        )

    def save_wish(self, cell: GradeCell, wish: Wish, now: datetime) -> bool:
        """Let the cell want this; False when it wants something else than was read meanwhile."""
        return self._changes(
            SAVE_WISH,
            link_id=cell.link_id,
            learner_id=cell.learner_id,
            version=cell.version,
            awaiting=wish.awaiting,
            now=rows.ms(now),
            **rows.score_columns(wish.score),
        )


def list_grades(database: Database, *, stuck: bool, limit: int) -> list[dict[str, Any]]:
    """Grades as plain values, the newest first."""
    with database.reading() as connection:
        found = connection.execute(LIST, {"stuck": int(stuck), "limit": limit}).fetchall()
    return [
        {
            "id": row.id,
            "registration": row.registration,
            "user": row.user_id,
            "grade": rows.wanted(row.given, row.maximum, row.awaiting) if row.version else "",
            "delivery": row.delivery,
            "reason": row.last_error,
            "tries": row.tries,
            "changed_at": rows.moment(row.changed_at).isoformat(timespec="seconds"),
            "shown": row.shown,
            "shown_at": _time(row.shown_at),
            "overridden": bool(row.overridden),
            "held": row.held,
        }
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Grades that have something in common; what is empty does not limit.

    `stuck`: those that wait for a person. `since`: when what they are to show changed last.
    """

    stuck: bool = False
    lms: str = ""
    activity: str = ""
    since: datetime | None = None

    @property
    def values(self) -> dict[str, Any]:
        """As the queries take them."""
        since = rows.ms(self.since) if self.since else 0
        return {
            "stuck": int(self.stuck),
            "lms": self.lms,
            "activity": self.activity,
            "since": since,
        }


def count_chosen(database: Database, chosen: Chosen) -> int:
    """How many grades `resend_chosen` would send again now."""
    with database.reading() as connection:
        return int(connection.execute(COUNT_CHOSEN, chosen.values).scalar_one())


def resend_chosen(
    database: Database, chosen: Chosen, *, now: datetime, force: bool = False
) -> Iterator[int]:
    """Let all these grades be delivered again, some hundred at a time: how many each time.

    Each time is a transaction of its own, so that no grade that comes meanwhile waits long.
    """
    after = ""
    while True:
        with database.reading() as connection:
            wanted = {**chosen.values, "after": after, "limit": AT_ONCE}
            ids = [row.id for row in connection.execute(SOME_CHOSEN, wanted)]
        if not ids:
            return
        after = ids[-1]
        yield resend(database, ids, now=now, force=force)


def resend(database: Database, ids: Sequence[str], *, now: datetime, force: bool = False) -> int:
    """Let grades be delivered again; returns how many.

    `force` replaces also what a teacher has entered instead.
    """
    values = {"ids": list(ids), "now": rows.ms(now), "force": int(force)}
    with database.writing() as connection:
        sent_again = connection.execute(RESEND, values).rowcount
        connection.execute(MADE_AGAIN, {"ids": list(ids)})
        return sent_again


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a grade that was sent again; `shown` is empty until we have looked."""

    id: str
    delivery: str
    reason: str
    shown: str
    overridden: bool


def sent(database: Database, ids: Sequence[str]) -> list[Sent]:
    """What has become of these grades so far."""
    with database.reading() as connection:
        found = connection.execute(SHOWN, {"ids": list(ids)}).fetchall()
    return [
        Sent(row.id, row.delivery, row.last_error, row.shown, bool(row.overridden)) for row in found
    ]


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return rows.moment(milliseconds).isoformat(timespec="seconds")
