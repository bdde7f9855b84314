"""How much one LMS may buy at a provider in a day, through running servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from lti_bridge.cli import main
from lti_bridge.sandbox import demo
from tests.flow.loop import Loop, on_each_database, running_loop

PARTY = """
[[connection]]
name = "try-it"
kind = "demo"
base_url = "{party}"
api_key = "demo-key-of-the-test"
daily_limit = 2

[[connection]]
name = "tosa"
kind = "isograd"
route = "lti-1.1"
launch_url = "{party}/lti"
consumer_key = "isograd"
shared_secret = "isograd-secret"
daily_limit = 1

[[activity]]
id = "best"
title = "Geography"
connection = "try-it"
settings = {{ test = "geography" }}

[[activity]]
id = "last"
title = "TOSA Excel"
connection = "tosa"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}
"""


class Scene(Loop):
    """A loop with a pretend demo provider."""

    def sessions(self) -> Any:
        return self.state()["sessions"]

    def ledger(self) -> list[tuple[str, str, int]]:
        found = self.rows(
            "SELECT connection, registration, bought FROM purchase_days"
            " ORDER BY connection, registration"
        )
        return [tuple(row) for row in found]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend demo."""

    def party(_: str) -> Callable[[str], Flask]:
        return demo.make_app(demo.DemoSettings(api_key="demo-key-of-the-test"))

    folder = tmp_path_factory.mktemp("limit")
    with running_loop(Scene, folder, shared_database, party, PARTY) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


def refused(page: Any) -> bool:
    return page.status == 403 and "No further test can be started here today" in page.text


def line(scene: Scene, event: str) -> str:
    """The last line of the log about this."""
    return [one for one in scene.world.bridge.log().splitlines() if f"event={event} " in one][-1]


def lms(scene: Scene) -> str:
    """The LMS that has bought most, as its registration is called."""
    return max(scene.ledger(), key=lambda row: row[2])[1]


@on_each_database
def test_the_limit_holds_for_one_lms_and_stops_nobody_who_has_begun(scene: Scene) -> None:
    first = scene.click("student1", "best13")
    assert first.url.startswith(f"{scene.party.url}/take/")
    assert "purchases.near-limit" not in scene.world.bridge.log()
    assert scene.click("student2", "best13").status == 200
    near = line(scene, "purchases.near-limit")
    assert "connection=try-it" in near
    assert f"registration={lms(scene)} " in near + " "
    assert "count=2" in near
    assert "size=2" in near
    for _ in range(2):
        assert refused(scene.click("student3", "best13"))
    reached = line(scene, "purchases.limit-reached")
    assert f"registration={lms(scene)} " in reached + " "
    assert "size=2" in reached
    assert scene.click("student1", "best13").url == first.url
    assert len(scene.sessions()) == 2
    assert sorted(scene.attempts()) == ["created", "started", "started"]
    assert scene.click("student3", "best11").status == 200  # another LMS
    assert [count for _, _, count in scene.ledger()] == [1, 2]
    config = str(scene.world.bridge.config)
    said = CliRunner().invoke(main, ["doctor", "--config", config]).stdout
    assert "2 of 2 today" in said


@on_each_database
def test_what_the_provider_refused_is_not_bought(scene: Scene) -> None:
    scene.pull("fault", path="/sessions", status=402, times=2)
    for user in ("student1", "student2"):
        assert scene.click(user, "best13").status >= 400
    assert [count for *_, count in scene.ledger()] == [0]
    for user in ("student1", "student2"):
        assert scene.click(user, "best13").status == 200
    assert [count for *_, count in scene.ledger()] == [2]


def test_a_tool_s_attempts_are_bought_when_it_opens(scene: Scene) -> None:
    assert scene.click("student1", "last11").status != 403
    assert refused(scene.click("student2", "last11"))
    assert scene.click("student1", "last11").status != 403
    assert [count for *_, count in scene.ledger()] == [1]
    assert refused(scene.click("student2", "last11"))


def test_whom_the_tool_cannot_take_buys_nothing(scene: Scene) -> None:
    scene.click("student1", "last11")
    scene.click("student2", "best11")
    scene.rows(  # the candidate is another learner's
        "UPDATE owners SET learner_id = (SELECT id FROM learners WHERE user_id = '5')",
        "DELETE FROM purchase_days",
        "DELETE FROM purchases",
    )
    assert "candidate-taken" in scene.click("student1", "last11").text
    assert scene.ledger() == []
