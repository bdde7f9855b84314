"""What the journal has of providers that are called, and of tools that come for their launch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from lti_bridge.cli import main
from lti_bridge.sandbox import demo
from tests.flow.browser import Browser
from tests.flow.loop import running_loop
from tests.flow.test_demo_kind import DEMO, Scene
from tests.flow.world import eventually

KEY = "demo-key-of-the-test"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend demo."""

    def party(_: str) -> Callable[[str], Flask]:
        return demo.make_app(demo.DemoSettings(api_key=KEY))

    folder = tmp_path_factory.mktemp("demo")
    with running_loop(Scene, folder, shared_database, party, DEMO) as made:
        yield made


def command(scene: Scene, *words: str) -> Any:
    """What a command says, as JSON."""
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, [*words, "--json", "--config", config])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_a_call_that_starts_a_test_and_its_callback_are_in_the_trace(running: Scene) -> None:
    page = running.click("student1", "best11")
    done = Browser().submit(page, q1="1", q2="0", q3="0")
    assert "2 of 3" in done.text
    eventually(lambda: running.grade("student1", "best11"), round(2 / 3, 6))
    eventually(lambda: kinds(running, "delivery"), ["delivery"])
    (launch,) = command(running, "launches", "list", "--kind", "launch")
    found = command(running, "launches", "show", launch["ref"])
    own = {one["kind"]: one for one in found["hops"]}
    assert set(own) == {"launch", "start"}
    (call, *_) = own["start"]["calls"]
    assert (call["method"], call["status"]) == ("POST", 201)
    assert own["start"]["attempt"] == launch["attempt"]
    assert own["start"]["said"].startswith("the browser is sent to ")
    others = [one["kind"] for one in found["others"]]
    assert {"hook", "delivery"} <= set(others)
    assert KEY not in str(running.rows("SELECT * FROM hops"))


def test_a_start_that_fails_is_found_by_its_code(running: Scene) -> None:
    running.party.stop()
    page = running.click("student2", "best11")
    assert page.status >= 500
    failed = ("launches", "list", "--kind", "start", "--failed")
    eventually(lambda: len(command(running, *failed)), 1)
    (hop,) = command(running, *failed)
    assert hop["calls"][0]["status"] == 0
    refused = command(running, "launches", "list", "--failed", "--code", hop["code"])
    assert {one["ref"] for one in refused} == {hop["ref"]}


def kinds(scene: Scene, kind: str) -> list[str]:
    """The hops of that kind."""
    return [one["kind"] for one in command(scene, "launches", "list", "--kind", kind)]
