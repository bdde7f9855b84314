"""What staff do by hand reaches the gradebook by itself, with the bridge running beside."""

from __future__ import annotations

import csv
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from lti_bridge.cli import main
from lti_bridge.sandbox import demo, serving
from tests.conftest import fresh_database
from tests.flow.browser import Browser, Page
from tests.flow.forks import starter
from tests.flow.world import ACTIVITIES, HTTP, PATIENCE_S, World, eventually, make_world

CONFIG = """
[[connection]]
name = "files"
kind = "prov"

[[connection]]
name = "try-it"
kind = "demo"
base_url = "{demo}"
api_key = "demo-key-of-the-test"

[[activity]]
id = "best"
title = "An exam by files"
connection = "files"
settings = {{ exam_code = "NB1", score_min = 0, score_max = 100 }}

[[activity]]
id = "last"
title = "An essay"
connection = "try-it"
settings = {{ test = "essay" }}
"""
USERS = {"student1": "4", "student2": "5"}


class Scene:
    """A running bridge between an LMS and a demo provider, and commands as real processes."""

    def __init__(self, world: World, party: serving.Running, database: str) -> None:
        self.world, self.demo, self.database = world, party, database

    def click(self, user: str, link: str) -> Page:
        """Click a course link and go on until the provider, or a page that stays."""
        browser = Browser()
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        while page.status == 200 and page.url.startswith(self.world.lms.url):
            page = browser.submit(page)
        return page

    def command(self, *arguments: str) -> str:
        """What a command says that has to work."""
        bridge = self.world.bridge
        said = bridge.folder / f"command-{secrets.token_hex(4)}.txt"
        process = starter().start([*arguments, "--config", str(bridge.config)], said)
        assert process.wait(PATIENCE_S) == 0, said.read_text(encoding="utf-8")
        return said.read_text(encoding="utf-8")

    def shown(self, *arguments: str) -> str:
        """What a command says that only reads; a process for it would prove nothing."""
        ran = CliRunner().invoke(main, [*arguments, "--config", str(self.world.bridge.config)])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    def grade(self, user: str, link: str) -> Any:
        """What the gradebook shows, from 0 to 1."""
        for column in self.world.gradebook()["columns"]:
            cell = column["cells"].get(USERS[user]) if column["link"] == link else None
            if cell and cell["score"] is not None:
                return round(cell["score"] / column["maximum"], 6)
        return None

    def sql(self, statement: str) -> None:
        """Change the database behind everybody's back."""
        engine = create_engine(self.database)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database of each engine, shared by the tests of this module."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/bridge.sqlite3"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Scene]:
    """A running scene on each database, shared by the tests of this module."""
    world = make_world(tmp_path_factory.mktemp("scene"), database)
    party = serving.start(demo.make_app(demo.DemoSettings(api_key="demo-key-of-the-test")))
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    world.bridge.config.write_text(written + CONFIG.format(demo=party.url), encoding="utf-8")
    world.bridge.serve()
    yield Scene(world, party, database)
    world.stop()
    party.stop()


def test_files_and_marks_by_hand_reach_the_gradebook(scene: Scene, tmp_path: Path) -> None:
    assert "You are registered" in scene.click("student1", "best13").text
    scene.click("student2", "best11")
    file = tmp_path / "registrations.csv"
    scene.command("connections", "export", "files", "-o", str(file))
    registered = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert len(registered) == 2
    results = tmp_path / "results.csv"
    with results.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, ["candidate_id", "exam_code", "overall_score"])
        table.writeheader()
        for row, score in zip(registered, ("80", "60.5"), strict=True):
            table.writerow(
                {name: row[name] for name in ("candidate_id", "exam_code")}
                | {"overall_score": score}
            )
    said = scene.command("results", "import", "files", str(results))
    assert said.endswith("2 recorded, 0 known already, 0 refused.\n")
    eventually(lambda: scene.grade("student1", "best13"), 0.8)
    eventually(lambda: scene.grade("student2", "best11"), 0.605)
    attempt = registered[0]["attempt_id"]
    scene.command("results", "enter", attempt, "9", "10", "--yes")
    eventually(lambda: scene.grade("student1", "best13"), 0.9)
    shown = json.loads(scene.shown("attempts", "show", attempt, "--json"))
    assert (shown["grade"]["grade"], shown["grade"]["delivery"]) == ("9/10", "delivered")


def test_a_resolved_attempt_is_asked_about_and_graded(scene: Scene) -> None:
    control = f"{scene.demo.url}/control"
    fault = {"path": "/sessions", "method": "POST", "times": 1, "drop": True}
    HTTP.request("POST", f"{control}/fault", json=fault)
    assert scene.click("student1", "last13").status == 409
    (session,) = HTTP.request("GET", f"{control}/state").json()["sessions"]
    scene.sql("UPDATE attempts SET changed_at = changed_at - 60000")
    (stuck,) = json.loads(scene.shown("attempts", "list", "--stuck", "--json"))
    given = ("--started", session["id"], "--with", f"url={scene.demo.url}/take/x", "--yes")
    scene.command("attempts", "resolve", stuck["id"], *given)
    HTTP.request("POST", f"{control}/mark", json={"id": session["id"], "score": 3, "maximum": 4})
    eventually(lambda: scene.grade("student1", "last13"), 0.75)
