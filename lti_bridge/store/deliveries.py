"""Deliveries: who brings a grade to its LMS when, how that ended, and what the LMS shows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, text

from lti_bridge.core.grade.deliveries import DEPARTED as WAITS_FOR_LEARNER
from lti_bridge.core.grade.gradebook import Outcome, View
from lti_bridge.core.grade.states import (
    MOVES,
    ONCE_MORE,
    is_free_again,
    may_have_overtaken,
    settled,
    unanswered,
)
from lti_bridge.core.records import Delivery
from lti_bridge.store import lanes, rows
from lti_bridge.store.engine import Database
from lti_bridge.store.rosters import DEPARTED
from lti_bridge.store.statements import one_of

# An LMS may name one cell for all links of a tool (docs/lms.md, Stud.IP): one grade would take the
# place of another's. Looked for among the learner's own.
SHARED = (
    "grades.line_item = '' AND grades.sourced_id <> '' AND EXISTS (SELECT 1 FROM attempts a"
    " JOIN grades o ON o.link_id = a.link_id AND o.learner_id = a.learner_id"
    " WHERE a.learner_id = grades.learner_id AND a.link_id <> grades.link_id"
    " AND o.registration = grades.registration AND o.version > 0"
    " AND o.outcome_url = grades.outcome_url AND o.sourced_id = grades.sourced_id)"
)
GRADE_COLUMNS = (
    "id, given, maximum, version, registration, deployment_id, user_id, outcome_url, sourced_id,"  # noqa: S608 - constants
    " line_item, line_items, scopes, tries, stamp, stamp_version, told, family, delivered_at,"
    f" forced_version, reads, lease, unanswered, awaiting, {DEPARTED} AS departed,"
    f" CASE WHEN {SHARED} THEN 1 ELSE 0 END AS shared,"
    " (SELECT l.activity_id FROM links l WHERE l.id = grades.link_id) AS activity_id,"
    # when the newest attempt that counts was handed in, as far as its provider said: its marks may
    # come weeks later, and a correction is no new submission
    " (SELECT min(c.at) FROM attempt_changes c JOIN attempts a ON a.id = c.attempt_id"
    " WHERE a.link_id = grades.link_id AND a.learner_id = grades.learner_id"
    " AND c.state IN ('finished', 'awaiting-marks', 'held', 'graded') AND c.source <> 'refused'"
    " AND (a.scored_at IS NOT NULL OR a.state IN ('awaiting-marks', 'held'))"
    " GROUP BY a.id ORDER BY 1 DESC LIMIT 1) AS submitted"
)
STAMP_STEP = 1000  # milliseconds: some LMSs compare whole seconds and refuse an equal one
CLOCKS_APART = 60_000  # milliseconds that an LMS's clock may be ahead of ours

LEASE = text(
    "UPDATE grades SET lease = :lease, leased_until = :until, due_at = :until, told = :told,"
    " unanswered = :unanswered"
    " WHERE id = :id"
)
RENEW = text(
    "UPDATE grades SET leased_until = :until, due_at = :until WHERE id = :id AND lease = :lease"
)
WAKE = text(
    "UPDATE grades SET due_at = :now WHERE registration = :party AND due_at > :now"
    " AND delivery = 'pending' AND lease IS NULL AND last_error NOT IN (:departed, :once_more)"
)
STAMP = text("UPDATE grades SET stamp = :stamp, stamp_version = :version WHERE id = :id")
DELIVERED = (
    ", delivered_version = :version, delivered_at = :now, told = :told, shown = '', overridden = 0,"
    " reads = 0, read_at = CAST(:read_at AS BIGINT)"
)
# by whether it was delivered, and whether the version that was sent is still the one
SETTLE = {
    (delivered, superseded): text(
        "UPDATE grades SET lease = NULL, leased_until = NULL, delivery = :state,"  # noqa: S608 - constants
        " due_at = CAST(:due_at AS BIGINT), last_error = :error, tries = :tries,"
        " unanswered = :unanswered, version = version + :again, forced_version = CASE WHEN"
        " forced_version = version THEN version + :again ELSE forced_version END"
        f"{DELIVERED if delivered else ''} WHERE id = :id AND lease = :lease"
        f" AND version {'>' if superseded else '='} :version"
    )
    for delivered in (True, False)
    for superseded in (True, False)
}
TOLD = text("SELECT told FROM grades WHERE id = :id")
# A new version: its time is later than that of all that was sent. Who has the lease now finds it
# superseded in the end, and it is due then.
OVERTAKEN = text(
    f"UPDATE grades SET delivery = '{MOVES['overtaken'].to}', tries = 0, told = :told,"  # noqa: S608 - constants
    " due_at = CASE WHEN lease IS NULL THEN :now ELSE due_at END, version = version + 1,"
    " forced_version = CASE WHEN forced_version = version THEN version + 1 ELSE forced_version END"
    f" WHERE id = :id AND version > :version AND delivery IN {one_of(MOVES['overtaken'].of)}"
)
PLAN_READ = text("UPDATE grades SET read_at = :until WHERE id = :id")
NOTE_SHOWN = text(
    "UPDATE grades SET shown = :shown, shown_at = CAST(:shown_at AS BIGINT), reads = reads + 1,"
    " overridden = :overridden, read_at = CAST(:read_at AS BIGINT), delivery = :delivery,"
    " due_at = CAST(:due_at AS BIGINT), unanswered = :unanswered, version = version + :again,"
    " forced_version = CASE WHEN forced_version = version THEN version + :again"
    " ELSE forced_version END WHERE id = :id"
)
DELIVERIES_DUE = lanes.first_of_each("grades", "registration", "due_at")
READS_DUE = lanes.first_of_each("grades", "registration", "read_at")
REASONS = text(
    "SELECT delivery, last_error, count(*) FROM grades WHERE last_error <> ''"
    " AND delivery IN ('pending', 'refused', 'waiting')"
    " GROUP BY delivery, last_error ORDER BY 3 DESC, max(changed_at) DESC LIMIT :limit"
)
COUNTS = text("SELECT delivery, count(*) FROM grades GROUP BY delivery")


class Deliveries:
    """The part of the store that is about deliveries; `Store` adds the rest."""

    database: Database

    def deliveries_due(self) -> Mapping[str, datetime]:
        """The registrations to which grades are to be brought, and when the first of each is."""
        return lanes.read(self.database, DELIVERIES_DUE)

    def claim_deliveries(
        self, registration: str, now: datetime, lease_s: float, limit: int
    ) -> list[Delivery]:
        """Lease grades of an LMS that are due, oldest first, at most `limit`.

        A lease is also the next due time: if its holder dies, the grade is due again when the
        lease ends, without anybody having to notice.
        """
        at = rows.ms(now)
        until = rows.ms(now + timedelta(seconds=lease_s))
        wanted = {"party": registration, "now": at, "limit": limit}
        claimed = []
        with self.database.writing() as connection:
            for row in connection.execute(_due(self.database.skip_locked), wanted).fetchall():
                lease = secrets.token_hex(8)
                told = rows.told(row, wanted=True)
                left = rows.unanswered(row)
                values = {"id": row.id, "lease": lease, "until": until, "told": " ".join(told)}
                values["unanswered"] = " ".join(left)
                connection.execute(LEASE, values)
                claimed.append(rows.delivery(row, lease, _stamp(connection, row, at), told))
        return claimed

    def wake_deliveries(self, registration: str, now: datetime) -> None:
        """Let all be due that waits for another try at an LMS, which is there again.

        Who waits for somebody to be active in the course again waits on, and so does what is there
        and is only sent once more.
        """
        values = {"party": registration, "now": rows.ms(now)}
        values |= {"departed": WAITS_FOR_LEARNER, "once_more": ONCE_MORE}
        with self.database.writing() as connection:
            connection.execute(WAKE, values)

    def renew_leases(
        self, deliveries: list[Delivery], now: datetime, lease_s: float
    ) -> list[Delivery]:
        """Let the leases last longer of those deliveries that are not settled; these are they."""
        until, renewed = rows.ms(now + timedelta(seconds=lease_s)), []
        with self.database.writing() as connection:
            for one in deliveries:
                values = {"id": one.grade_id, "lease": one.lease, "until": until}
                if connection.execute(RENEW, values).rowcount:
                    renewed.append(one)
        return renewed

    def settle(self, delivery: Delivery, now: datetime, outcome: Outcome) -> None:
        """Record how a delivery ended and give the lease back.

        One whose lease is another worker's by now settles nothing. But where a newer grade has
        been sent meanwhile, the LMS may show the older one instead: then the newer is sent again.
        """
        with self.database.writing() as connection:
            if not _settle(connection, delivery, now, outcome):
                if may_have_overtaken(outcome):
                    _send_after(connection, delivery, now)
            elif outcome.later_stamp:
                stamp = max(rows.ms(now), rows.ms(delivery.stamp)) + CLOCKS_APART
                moved = {"id": delivery.grade_id, "stamp": stamp, "version": -delivery.version}
                connection.execute(STAMP, moved)

    def reads_due(self) -> Mapping[str, datetime]:
        """The registrations whose gradebooks are to be looked at, and when each is first."""
        return lanes.read(self.database, READS_DUE)

    def claim_reads(
        self, registration: str, now: datetime, lease_s: float, limit: int
    ) -> list[Delivery]:
        """Delivered grades of an LMS that is to be looked at now, at most `limit`; nobody else
        gets them for `lease_s` seconds."""
        until = rows.ms(now + timedelta(seconds=lease_s))
        wanted = {"party": registration, "now": rows.ms(now), "limit": limit}
        claimed = []
        with self.database.writing() as connection:
            for row in connection.execute(_to_read(self.database.skip_locked), wanted).fetchall():
                connection.execute(PLAN_READ, {"id": row.id, "until": until})
                claimed.append(rows.delivery(row, "", row.stamp, rows.told(row, wanted=False)))
        return claimed

    def note_shown(self, delivery: Delivery, now: datetime, view: View) -> None:
        """Record what the LMS shows, unless it was told something else meanwhile.

        A grade that waits for a teacher's value to go is due once that has gone.
        """
        key = {"id": delivery.grade_id, "told": " ".join(delivery.told)}
        with self.database.writing() as connection:
            row = connection.execute(_seen(self.database.for_update), key).first()
            if row is None:
                return
            free = is_free_again(row.delivery, overridden=bool(row.overridden), view=view)
            late = bool(view.late) and row.delivery in MOVES["overtaken"].of
            left = [] if view.answered else row.unanswered.split()
            if view.late in left:
                left.remove(view.late)  # each request can be carried out once
            overridden = row.overridden if view.overridden is None else int(view.overridden)
            values = {
                "id": delivery.grade_id,
                "shown": row.shown if view.text is None else view.text,
                "shown_at": row.shown_at if view.text is None else rows.ms(now),
                "overridden": overridden,
                "read_at": rows.ms(view.read_at) if view.read_at else None,
                "delivery": "pending" if free or late else row.delivery,
                "due_at": rows.ms(now) if free or late else row.due_at,
                "unanswered": " ".join(left),
                "again": int(late),
            }
            connection.execute(NOTE_SHOWN, values)

    def delivery_counts(self) -> dict[str, int]:
        """How many grades are in each delivery state."""
        with self.database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(COUNTS)}

    def delivery_reasons(self, limit: int) -> list[tuple[str, str, int]]:
        """Why grades are not delivered: state, reason and how many, the most frequent first."""
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(REASONS, {"limit": limit})]


def _settle(connection: Connection, delivery: Delivery, now: datetime, outcome: Outcome) -> bool:
    """Write down how a try ended; False when the lease is another worker's by now."""
    for superseded in (False, True):
        then = settled(delivery, outcome, now, superseded=superseded)
        left = unanswered(delivery, outcome, then)
        values = {
            "id": delivery.grade_id,
            "lease": delivery.lease,
            "version": delivery.version,
            "state": then.state,
            "due_at": rows.ms(then.due_at) if then.due_at else None,
            "error": then.error[:500],
            "tries": then.tries,
            "told": " ".join(dict.fromkeys((*left, *delivery.told[-1:]))),
            "unanswered": " ".join(left),
            "again": int(then.again),
            "read_at": rows.ms(outcome.read_at) if outcome.read_at else None,
            "now": rows.ms(now),
        }
        if connection.execute(SETTLE[then.delivered, superseded], values).rowcount:
            return True
    return False


def _send_after(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Let what is newer than this delivery be sent after it."""
    row = connection.execute(TOLD, {"id": delivery.grade_id}).first()
    if row is not None:
        told = dict.fromkeys([*row.told.split(), *delivery.told])
        values = {"id": delivery.grade_id, "version": delivery.version, "now": rows.ms(now)}
        connection.execute(OVERTAKEN, {**values, "told": " ".join(told)})


def _stamp(connection: Any, row: Any, now: int) -> int:
    """The time to tell the LMS: kept for a retry, strictly later for a new version.

    `stamp_version` is the version that `stamp` belongs to, negative once it was moved ahead.
    """
    if abs(row.stamp_version) == row.version:
        return int(row.stamp)
    stamp = max(now, row.stamp + STAMP_STEP)
    connection.execute(STAMP, {"id": row.id, "stamp": stamp, "version": row.version})
    return int(stamp)


@cache
def _due(skip_locked: str) -> TextClause:
    return text(
        f"SELECT {GRADE_COLUMNS} FROM grades WHERE registration = :party"  # noqa: S608 - constants
        " AND due_at <= :now AND (lease IS NULL OR leased_until <= :now)"
        f" ORDER BY due_at LIMIT :limit {skip_locked}"
    )


@cache
def _to_read(skip_locked: str) -> TextClause:
    return text(
        f"SELECT {GRADE_COLUMNS} FROM grades WHERE registration = :party"  # noqa: S608 - constants
        f" AND read_at <= :now AND lease IS NULL ORDER BY read_at LIMIT :limit {skip_locked}"
    )


@cache
def _seen(for_update: str) -> TextClause:
    return text(
        "SELECT delivery, due_at, overridden, shown, shown_at, unanswered FROM grades"  # noqa: S608 - constants
        f" WHERE id = :id AND told = :told {for_update}"
    )
