"""A party that hangs, is away or has enough keeps its own work waiting, and nobody else's."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.flow.rig import Rig, Sitting
from tests.flow.school import Err
from tests.flow.world import Forked, eventually

HANGING, OTHERS = 100, 5  # more than a worker has threads
SOON_S = 3.0  # the others' grades, which are there within a second where nobody hangs
AWAY = 40
TRIES = 6  # in all that an LMS may cost which is away, before it is known to be


@pytest.fixture
def rig(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    """A bridge whose worker is not there yet."""
    made = Rig(tmp_path, database_url)
    made.bridge.serve("--no-worker")
    yield made
    made.stop()


@pytest.fixture
def deaf() -> Iterator[str]:
    """Where somebody listens and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def report_all(rig: Rig, sittings: list[Sitting]) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = pool.map(lambda one: rig.report(one, "0.5").said, sittings)
        assert set(said) == {(200, "success")}


def sit_all(rig: Rig, number: int, lms: str, **more: object) -> list[Sitting]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: rig.sit(lms, **more), range(number)))


def delivered(rig: Rig, sittings: list[Sitting]) -> int:
    return sum(rig.grade(one)["delivery"] == "delivered" for one in sittings)


def started(rig: Rig) -> Forked:
    made = rig.bridge.run("worker")
    eventually(lambda: "worker.started" in rig.bridge.log(), True)
    return made


def test_grades_of_others_do_not_wait_for_an_lms_that_hangs(rig: Rig, deaf: str) -> None:
    first = sit_all(rig, HANGING, "other", lis_outcome_service_url=f"{deaf}/outcomes")
    others = sit_all(rig, OTHERS, "old")
    report_all(rig, first)  # what hangs is due first
    report_all(rig, others)
    started(rig)
    eventually(lambda: delivered(rig, others), OTHERS, SOON_S)


def test_grades_of_others_do_not_wait_for_an_lms_that_is_slow_to_say_no(rig: Rig) -> None:
    first, others = sit_all(rig, HANGING, "new"), sit_all(rig, OTHERS, "old")
    for one in first:
        rig.school.errs[one.learner] = [Err(503, late_s=3)] * 9
    report_all(rig, first)
    report_all(rig, others)
    started(rig)
    eventually(lambda: delivered(rig, others), OTHERS, SOON_S)


def test_grades_of_others_do_not_wait_for_a_token_that_never_comes(rig: Rig, deaf: str) -> None:
    config = rig.bridge.config
    text = config.read_text("utf-8")
    before, after = text.split('name = "next"')
    after = after.replace(f"{rig.school.url}/token", f"{deaf}/token", 1)
    config.write_text(f'{before}name = "next"{after}', encoding="utf-8")
    first, others = sit_all(rig, HANGING, "next"), sit_all(rig, OTHERS, "new")
    report_all(rig, first)
    report_all(rig, others)
    started(rig)
    eventually(lambda: delivered(rig, others), OTHERS, SOON_S)
    # one asks, and those that waited for the same answer do not ask again one after the other
    eventually(lambda: sum(bool(rig.grade(one)["last_error"]) for one in first) >= 3, True, 12)


def test_an_lms_that_comes_back_has_all_its_grades_soon_and_none_has_spent_its_tries(
    rig: Rig,
) -> None:
    grades = sit_all(rig, AWAY, "old")
    report_all(rig, grades)
    rig.school.down()
    started(rig)
    eventually(lambda: "lane.away" in rig.bridge.log(), True)
    time.sleep(20)  # by then what had only pauses of its own would come back after minutes
    assert sum(rig.grade(one)["tries"] for one in grades) <= TRIES
    rig.school.up()
    eventually(lambda: delivered(rig, grades) > 0, True, 7)
    eventually(lambda: delivered(rig, grades), AWAY, 15)
    assert "lane.open" in rig.bridge.log()


def test_an_lms_that_has_enough_is_left_alone_for_as_long_as_it_says(rig: Rig) -> None:
    grades = sit_all(rig, AWAY, "old")
    for one in grades[:3]:
        rig.school.errs[one.learner] = [Err(429, b"slow down", retry_after="4")]
    report_all(rig, grades)
    started(rig)
    eventually(lambda: "lane.busy" in rig.bridge.log(), True)
    eventually(lambda: delivered(rig, grades), AWAY, 30)
    calls = [call for one in grades for call in rig.school.of(one.learner)]
    told = min(call.at for call in calls if call.status == 429)
    # nothing but what was under way comes in the pause
    assert not [call for call in calls if told + 1.5 < call.at < told + 2.9]


def test_grades_are_delivered_though_nobody_can_be_asked(rig: Rig) -> None:
    now, later = sit_all(rig, 2, "old")
    report_all(rig, [now, later])
    rig.write(
        "UPDATE grades SET due_at = :at WHERE user_id = :user",
        at=int(time.time() * 1000) + 4000,
        user=later.learner,
    )
    rig.write("ALTER TABLE attempts RENAME COLUMN poll_at TO not_there")
    started(rig)
    eventually(lambda: delivered(rig, [now]), 1)
    eventually(lambda: delivered(rig, [later]), 1, 15)


@pytest.mark.postgres
def test_a_worker_goes_on_when_the_database_is_back(
    tmp_path: Path, postgres: str, postgres_database: str
) -> None:
    name = make_url(postgres_database).database
    rig = Rig(tmp_path, postgres_database)
    with closing(psycopg.connect(postgres, autocommit=True)) as server:
        try:
            rig.bridge.serve("--no-worker")
            (sitting,) = sit_all(rig, 1, "old")
            report_all(rig, [sitting])
            rig.bridge.stop()
            worker = rig.bridge.run("worker")
            eventually(lambda: "worker.started" in rig.bridge.log(), True)
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            eventually(lambda: "worker.sweep-failed" in rig.bridge.log(), True)
            assert worker.poll() is None
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        eventually(lambda: delivered(rig, [sitting]), 1)
        assert worker.poll() is None
        rig.stop()
