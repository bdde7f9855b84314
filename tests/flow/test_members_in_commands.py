"""Who is suspended is said in the commands, as on the page, where an LMS leaves them out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.browser import Browser
from tests.flow.test_launch_to_gradebook import USERS, grade, open_test
from tests.flow.test_readback import run
from tests.flow.world import World, eventually, make_world

MISSING = "not among the members of the course"
LEFT = "no longer active in the course"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An LMS that graded three by 1.3, one by 1.1; then one was suspended."""
    folder = tmp_path_factory.mktemp("members")
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", family="moodle")
    made.bridge.serve()
    for user, link in (("student1", "best13"), ("student2", "best13"), ("student3", "best11")):
        browser = Browser()
        browser.submit(open_test(made, browser, user, link), score="0.5")
        eventually(lambda: grade(made, user, link), 0.5)  # noqa: B023
    made.control(made.lms, "status", user=USERS["student2"], status="Inactive")
    yield made
    made.stop()


def member(world: World, *command: str) -> dict[str, str]:
    """What a command says of each learner's membership, by their ids."""
    rows: list[dict[str, Any]] = json.loads(run(world, *command, "--json"))
    return {row["user"]: row["member"] for row in rows}


@pytest.mark.parametrize("command", [("results", "list"), ("attempts", "list")])
def test_who_is_left_out_of_the_list_is_named(world: World, command: tuple[str, str]) -> None:
    said = member(world, *command, "--members")
    assert said == {
        USERS["student1"]: "",
        USERS["student2"]: MISSING,
        USERS["student3"]: "members not known: the LMS offers no list",
    }
    assert set(member(world, *command).values()) == {""}  # nobody is asked
    assert MISSING in run(world, *command, "--members")
    assert MISSING not in run(world, *command)


@pytest.mark.parametrize("command", [("results", "list"), ("attempts", "list")])
def test_a_list_that_cannot_be_read_is_said_to_be_so(
    world: World, command: tuple[str, str]
) -> None:
    world.control(world.lms, "fault", path="/lti/nrps", status=503, times=1)
    said = member(world, *command, "--members")[USERS["student1"]]
    assert said.startswith("members not known: members: HTTP 503")


def test_who_was_listed_as_gone_is_named_without_asking(tmp_path: Path) -> None:
    """A list that somebody read before has said so, and is kept."""
    world = make_world(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    try:
        world.bridge.serve()
        browser = Browser()
        browser.submit(open_test(world, browser, "student1", "best13"), score="0.5")
        eventually(lambda: grade(world, "student1", "best13"), 0.5)
        world.control(world.lms, "status", user=USERS["student1"], status="Deleted")
        assert member(world, "results", "list") == {USERS["student1"]: ""}
        member(world, "results", "list", "--members")  # which reads the list
        for command in (("results", "list"), ("attempts", "list")):
            assert member(world, *command) == {USERS["student1"]: LEFT}
    finally:
        world.stop()
