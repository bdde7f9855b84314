"""One running bridge between the pretend LMS and a pretend provider, for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import serving
from tests.flow.browser import Browser, Page
from tests.flow.world import ACTIVITIES, BASE, HTTP, World, make_world

LMSS = BASE.split("[[connection]]", maxsplit=1)[0]
HOOK_TOKEN = "hook-token-of-the-test"
USERS = {"student1": "4", "student2": "5", "student3": "6"}

# What depends on the database: starts that race, answers and servers that are lost.
on_each_database = pytest.mark.parametrize(
    "shared_database",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
    scope="module",
)
on_postgres = pytest.mark.parametrize(
    "shared_database",
    [pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
    scope="module",
)


@dataclass
class Loop:
    """The LMS, the bridge, and `party`, the provider."""

    world: World
    party: serving.Running
    database_url: str

    def click(self, user: str, link: str) -> Page:
        """Click a course link and go on until the provider, or a page of the bridge that stays.

        Whoever is asked whether to begin another attempt does.
        """
        return self.click_in(Browser(), user, link)

    def click_in(self, browser: Browser, user: str, link: str) -> Page:
        """The same in a browser that may be used further."""
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        while page.status == 200 and page.url.startswith(self.world.lms.url):
            page = browser.submit(page)
        return browser.anew(page)

    def state(self) -> Any:
        """The provider's rows."""
        return HTTP.request("GET", f"{self.party.url}/control/state").json()

    def pull(self, action: str, **values: Any) -> None:
        """Pull a string at the provider."""
        self.world.control(self.party, action, **values)

    def grade(self, user: str, link: str) -> float | None:
        """What the gradebook shows, as a fraction."""
        cell = self.cell(user, link)
        if cell.get("score") is None:
            return None
        return float(round(cell["score"] / cell["maximum"], 6))

    def cell(self, user: str, link: str) -> dict[str, Any]:
        """What the gradebook keeps for a user, with the maximum; empty before the first word."""
        for column in self.world.gradebook()["columns"]:
            if column["link"] == link and USERS[user] in column["cells"]:
                return {**column["cells"][USERS[user]], "maximum": column["maximum"]}
        return {}

    def rows(self, *statements: str) -> list[Any]:
        """Rows of the bridge's database, or none for changes to it, made at once."""
        engine, rows = create_engine(self.database_url), []
        with engine.begin() as connection:
            for sql in statements:
                found = connection.execute(text(sql))
                rows += found.all() if found.returns_rows else []
        engine.dispose()
        return rows

    def attempts(self) -> list[str]:
        """The states of all attempts, oldest first."""
        return [row.state for row in self.rows("SELECT state FROM attempts ORDER BY created_at")]

    def let_time_pass(self) -> None:
        """As if an hour had passed: attempts are due to be asked about, starts no longer fresh,
        grades due again, and what a killed worker held is free."""
        self.rows(  # at once: what is asked for an attempt that changes meanwhile is dropped
            "UPDATE attempts SET poll_at = 1 WHERE poll_at IS NOT NULL",
            "UPDATE attempts SET changed_at = changed_at - 3600000",
            "UPDATE grades SET due_at = due_at - 3600000",
            "UPDATE grades SET leased_until = leased_until - 3600000",
        )

    def die(self) -> None:
        """kill -9 everything that is the bridge."""
        for process in list(self.world.bridge.processes):
            self.world.bridge.kill(process)

    def begin_anew(self) -> None:
        """As if nothing had ever happened: no rows, grades, log lines or faults anywhere."""
        self.world.bridge.begin_anew(self.database_url)
        self.world.control(self.world.lms, "clear", grades=True)
        self.pull("clear", all=True)


Kind = TypeVar("Kind", bound=Loop)


@contextmanager
def running_loop(
    kind: type[Kind],
    folder: Path,
    database_url: str,
    make_party: Callable[[str], Callable[[str], Flask]],
    config: str,
    *options: str,
) -> Iterator[Kind]:
    """Everything started; `make_party` gets the bridge's URL, `config` the provider's `{party}`."""
    world = make_world(folder, database_url, base=LMSS)
    party = serving.start(make_party(world.bridge.url))
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    world.bridge.config.write_text(written + config.format(party=party.url), encoding="utf-8")
    try:
        world.bridge.serve(*options)
        yield kind(world, party, database_url)
    finally:
        world.stop()
        party.stop()
