"""What a hot path reads does not grow with what is stored, on both databases."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from lti_bridge.assembly.basics import now
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.journal import traces
from lti_bridge.assembly.web import web_app
from lti_bridge.bench import statements
from lti_bridge.bench.fill import fill, row_id
from lti_bridge.bench.parties import Parties
from lti_bridge.bench.traffic import Traffic
from lti_bridge.core.grade.gradebook import Outcome, View
from lti_bridge.core.journal.traces import Question
from lti_bridge.settings import load
from lti_bridge.store import figures
from tests import claims

ROWS = 20_000
READ = 400  # rows of all tables that the whole of `work` may read: some 25 steps, few rows each
MORE = (
    "INSERT INTO attempt_changes (attempt_id, at, state, source, detail)"
    " SELECT id, created_at, 'started', 'provider', '' FROM attempts",
    "INSERT INTO learner_aliases (registration, user_id, learner_id)"
    " SELECT 'other-' || registration, user_id, id FROM learners",
    "INSERT INTO link_aliases (registration, deployment_id, context_id, resource_link_id, link_id)"
    " SELECT registration, deployment_id, 'old-' || context_id, resource_link_id, id FROM links",
    "INSERT INTO departures (registration, deployment_id, context_id, user_id, seen_at)"
    " SELECT registration, deployment_id, 'course-0', user_id, 1 FROM grades",
    # all that are not ours to claim wait for later times, are delivered, or are polled later
    "UPDATE grades SET version = 1, delivery = 'pending', due_at = 4000000000000"
    " WHERE registration = 'campus13'",
    "UPDATE grades SET read_at = 4000000000000 WHERE registration = 'campus11'",
    "UPDATE attempts SET poll_at = 4000000000000 WHERE connection = 'quiz'",
    # a trace of each attempt, every hundredth of them refused
    "INSERT INTO hops (ref, at, ms, kind, code, detail, proved, registration, context_id,"
    " activity_id, connection, learner_id, attempt_id, grade_id, checks, more)"
    " SELECT 'REF' || upper(a.id), a.created_at + row_number() OVER (ORDER BY a.id), 5, 'launch',"
    " CASE WHEN row_number() OVER (ORDER BY a.id) % 100 = 0 THEN 'not-open' END, '', 1,"
    " k.registration, k.context_id, a.activity_id, a.connection, a.learner_id, a.id, g.id, '', ''"
    " FROM attempts a JOIN links k ON k.id = a.link_id"
    " JOIN grades g ON g.link_id = a.link_id AND g.learner_id = a.learner_id",
)


@dataclass
class Place:
    """A bridge with many rows of each table, and requests to it."""

    bridge: Bridge
    traffic: Traffic

    def work(self) -> None:
        """Every hot path once or twice: clicks, grades, deliveries, looks, polls, figures."""
        store, made = self.bridge.store, self.traffic
        client = web_app(self.bridge).test_client()
        click, *_ = made.clicks(1, "1.1")
        (at_tool,) = made.clicks(1, "1.1", "1.3")
        for one in (click, click, at_tool, at_tool):
            assert statements.send(client, made.launch11(one)) == 200
        for _ in range(2):
            assert statements.send(client, made.outcome(8)) == 200
        for delivery in claims.deliveries(store, now(), 15, 32):
            store.renew_leases([delivery], now(), 15)
            store.settle(delivery, now(), Outcome("delivered", read_at=now()))
        for delivery in claims.reads(store, now(), 15, 32):
            store.note_shown(delivery, now(), View("7/10", overridden=False, read_at=None))
        store.poll_at(row_id("attempt", 8), now())
        assert len(claims.polls(store, now(), 15, 32)) == 1
        figures.for_people(store.database)
        next(self.bridge.purge.steps(now()), None)
        store.launch(row_id("launch", 8))
        store.attempt_by_reference("quiz", "unknown")

    def search(self) -> None:
        """Every way in which traces are found."""
        with self.bridge.store.database.reading() as connection:
            one = connection.execute(text(ONE_HOP)).one()
        found = traces(self.bridge)
        for question in (
            Question(),
            Question(user=one.user_id, lms=one.registration),
            Question(activity=one.activity_id, limit=5),
            Question(course=one.context_id, limit=5),
            Question(lms=one.registration, limit=5),
            Question(failed=True, limit=5),
            Question(code="not-open", limit=5),
            Question(since=now(), limit=5),
        ):
            assert len(found.find(question)) <= question.limit
        assert found.trace(one.ref) is not None
        assert found.grade(one.attempt_id) is not None


ONE_HOP = (
    "SELECT h.*, l.user_id FROM hops h JOIN learners l ON l.id = h.learner_id"
    " ORDER BY h.id DESC LIMIT 1"
)
# of all, or of all that failed, the newest: as many as were asked for
IN_ORDER = ("SCAN h USING INDEX hops_by_age", "SCAN h USING INDEX hops_failed")


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    parties = Parties(tmp_path, database_url, "WARNING")
    bridge = build(load(parties.config))
    database = bridge.store.database
    database.migrate()
    fill(database, 0, ROWS, parties.lms_url, print)
    with database.writing() as connection:
        for statement in MORE:
            connection.execute(text(statement))
    if not database.is_sqlite:
        with database.reading() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    key = bridge.keyring.secret("sourcedids")
    address, lms = parties.bridge_url, parties.lms_url
    yield Place(bridge, Traffic(address, lms, parties.lms_key, key, ROWS, random.Random(7)))
    bridge.close()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_sqlite_searches_and_never_scans_or_sorts(place: Place) -> None:
    with statements.counted(place.bridge.store.database) as seen:
        place.work()
    assert len(seen) > 60
    wrong = []
    with place.bridge.store.database.reading() as connection:
        for statement in sorted(set(seen)):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            wrong += [
                (step, statement)
                for _, parent, _, step in plan
                if _scans(step) or (parent == 0 and _sorts(step, statement))
            ]
    assert not wrong, "\n\n".join(f"{step}: {statement}" for step, statement in wrong)


def _scans(step: str) -> bool:
    """Whether a table is read; an index of few of its rows, and who has work, are none."""
    return step.startswith("SCAN") and step != "SCAN parties" and "grades_for_people" not in step


def _sorts(step: str, statement: str) -> bool:
    """Whether rows are sorted that are more than those of one learner, or of one name of a test."""
    few = "a.learner_id = '" in statement or "a.reference = '" in statement
    return "FOR ORDER BY" in step and not few


@pytest.mark.parametrize("engine", ["sqlite"])
def test_traces_are_found_by_indexes(place: Place) -> None:
    with statements.counted(place.bridge.store.database) as seen:
        place.search()
    plans = []
    with place.bridge.store.database.reading() as connection:
        for statement in set(seen) - {ONE_HOP}:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            plans += [(step, statement) for *_, step in plan if " h " in step]
    assert len(plans) >= 10
    wrong = [one for one in plans if one[0].startswith("SCAN") and one[0] not in IN_ORDER]
    assert not wrong, "\n\n".join(f"{step}: {statement}" for step, statement in wrong)


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgres"])
def test_postgresql_finds_traces_in_few_rows_of_many(place: Place) -> None:
    place.search()
    before = _read(place.bridge)
    place.search()
    after = _read(place.bridge)
    read = {table: rows - before[table] for table, rows in after.items() if rows > before[table]}
    assert sum(read.values()) < READ, read


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgres"])
def test_postgresql_reads_few_rows_of_many(place: Place) -> None:
    place.work()  # what is read once at the start, as the catalogues of the server
    before = _read(place.bridge)
    place.work()
    after = _read(place.bridge)
    read = {table: rows - before[table] for table, rows in after.items() if rows > before[table]}
    assert sum(read.values()) < READ, read


def _read(bridge: Bridge) -> dict[str, int]:
    """How many rows of each table were read until now, by scans and by indexes."""
    bridge.store.database.close()  # a backend tells what it did when it ends
    count = text(
        "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    )
    with bridge.store.database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(count)}
